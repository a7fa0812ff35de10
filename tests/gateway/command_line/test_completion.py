"""What real shells offer while somebody types, those that are installed here; bash always is."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.terminal import terminal
from warren.gateway.command_line.completion import SHELLS
from warren.gateway.control.words.built_in import WORDS

TYPED = {
    ("lis", ""): {"list_queues", "list_users"},
    ("ctl list_queues mess",): {"messages", "messages_ready"},
    ("list_queues --formatter ", ""): {"json", "csv"},
    ("set_log_level de",): {"debug"},
    ("tls ",): {"dev"},
    ("cluster ",): {"dev"},
    ("tls dev --",): {"--name", "--user"},
    ("serve --log-",): {"--log-level", "--log-format"},
    ("serve --log-format ",): {"text", "json"},
    ("import rabbitmq --am",): {"--amqp"},
    ("completion z",): {"zsh"},
    ("-p orders purge",): {"purge_queue"},
}
CASES = [(typed[0], expected) for typed, expected in TYPED.items()]
"""The line behind `warren`, and some of what is offered."""

BASH = """source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _warren; printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    directory = tmp_path_factory.mktemp("completion")
    found = {}
    for shell, make in SHELLS.items():
        found[shell] = directory / f"warren.{shell}"
        found[shell].write_text(make())
    return found


@pytest.mark.parametrize(("typed", "expected"), CASES, ids=[typed for typed, _ in CASES])
def test_bash(scripts: dict[str, Path], typed: str, expected: set[str]) -> None:
    words = ["warren", *typed.split(), *([""] if typed.endswith(" ") else [])]
    command = ["bash", "-c", BASH, "bash", str(scripts["bash"]), *words]
    offered = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert expected <= set(offered)
    last = words[-1]
    assert all(each.startswith(last) for each in offered)


def test_bash_offers_files(scripts: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "warren.toml").touch()
    for words in (["serve", "--config", "warr"], ["check", "warr"]):
        command = ["bash", "-c", BASH, "bash", str(scripts["bash"]), "warren", *words]
        found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout.split()
        assert found == ["warren.toml"]


def test_every_word_is_in_every_script(scripts: dict[str, Path]) -> None:
    for script in scripts.values():
        text = script.read_text()
        assert all(word in text for word in WORDS)


@pytest.mark.parametrize("shell", [each for each in SHELLS if shutil.which(each)])
def test_the_shell_takes_the_script(scripts: dict[str, Path], shell: str) -> None:
    found = subprocess.run([shell, "-n", str(scripts[shell])], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout, found.stderr) == (0, "", "")


IN_FISH = [(*case, "fish") for case in CASES] if shutil.which("fish") else []
IN_ZSH = [(*case, "zsh") for case in CASES[:4]] if shutil.which("zsh") else []


@pytest.mark.parametrize(("typed", "expected", "shell"), [*IN_FISH, *IN_ZSH, ("", {"serve"}, "bash")])
def test_at_work(scripts: dict[str, Path], tmp_path: Path, typed: str, expected: set[str], shell: str) -> None:
    if shell == "fish":
        command = ["fish", "--no-config", "-c", f'source {scripts["fish"]}; complete -C "warren {typed}"']
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
        lines = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.splitlines()
        assert expected <= {line.partition("\t")[0] for line in lines}
    elif shell == "zsh":
        with terminal(["zsh", "-f", "-i"]) as screen:
            screen.type(f"PS1='>'; LISTMAX=10000; autoload -Uz compinit; compinit -u -d {tmp_path}/dump; ")
            screen.type(f"source {scripts['zsh']}; echo rea''dy\n")
            screen.wait_for("ready\n")
            screen.type(f"warren {typed}\t\t")
            for each in sorted(expected):
                assert each.startswith(typed.split()[-1]) or typed.endswith(" ")
            screen.wait_for(sorted(expected)[0])
    else:
        command = ["bash", "-c", BASH, "bash", str(scripts["bash"]), "warren", typed]
        assert expected <= set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
