"""What the README says is what happens: its programs and commands are run, against a broker of their own."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.pages import README, ROOT, blocks, commands
from tests.support.warren_process import PYTHON_PATH, WarrenProcess, warren_process
from warren.gateway.configuration.load import load_config

TIME_LIMIT_S = 60.0

DEFAULT_ADDRESS = "127.0.0.1:5672"


@pytest.fixture(scope="module")
def warren() -> Iterator[WarrenProcess]:
    with warren_process() as broker:
        yield broker


def run(*command: str, environment: dict[str, str] | None = None, directory: Path = ROOT) -> str:
    """What a command prints; that it fails, fails the test."""
    done = subprocess.run(
        command,
        cwd=directory,
        env={**os.environ, "PYTHONPATH": PYTHON_PATH, **(environment or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def python_blocks() -> tuple[str, str]:
    """The program of the first message, and the test file."""
    program, test_file = blocks(README, "python")
    return program, test_file


def test_the_first_message(warren: WarrenProcess) -> None:
    program, _ = python_blocks()
    assert program.count(DEFAULT_ADDRESS) == 1
    program = program.replace(DEFAULT_ADDRESS, f"127.0.0.1:{warren.amqp_port}")
    (expected,) = blocks(README, "text")
    assert run(sys.executable, "-W", "error", "-c", program) == expected


def test_the_test_with_an_embedded_broker(tmp_path: Path) -> None:
    _, test_file = python_blocks()
    (tmp_path / "test_orders.py").write_text(test_file)
    output = run(sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--rootdir", ".", "-q", directory=tmp_path)
    assert "1 passed" in output


def control_commands() -> list[str]:
    return [line for block in blocks(README, "sh") for line in block.splitlines()]


@pytest.mark.parametrize("line", control_commands())
def test_the_commands_of_ctl(warren: WarrenProcess, line: str) -> None:
    program, *words = shlex.split(line)
    assert program == ".venv/bin/warren"
    environment = {"WARREN_DATA_DIRECTORY": str(warren.data_directory)}
    assert run(sys.executable, "-m", "warren", *words, environment=environment)


def test_the_configuration(tmp_path: Path) -> None:
    (text,) = blocks(README, "toml")
    (tmp_path / "warren.toml").write_text(text)
    config = load_config(directory=tmp_path, environment={})
    assert config.file == tmp_path / "warren.toml"
    assert [str(listener) for listener in config.listeners] == ["amqp=0.0.0.0:5672"]


def test_the_line_for_programs_that_start_a_broker(tmp_path: Path) -> None:
    """The options that it names are those of the command, and the file looks as it says."""
    found = re.search(r"`warren serve ([^`]*--ready-file FILE)`", README.read_text())
    assert found is not None
    with warren_process(in_memory=True) as broker:
        addresses = json.loads((broker.log.parent / "ready.json").read_text())
    assert list(addresses) == ["amqp"]
    assert [type(part) for part in addresses["amqp"]] == [str, int]
    help_text = run(sys.executable, "-m", "warren", "serve", "--help")
    options = re.findall(r"--[a-z-]+", found[1])
    assert options == ["--in-memory", "--listen-only", "--ready-file"]
    assert [option for option in options if option not in help_text] == []


def test_there_is_one_command_to_run_and_one_to_test() -> None:
    one_liners = [line for line in commands(README) if line.startswith("python3 -m venv")]
    assert [line.rpartition(" && ")[2] for line in one_liners] == [
        ".venv/bin/warren serve",
        ".venv/bin/python -m pytest -rfEs -n auto --dist loadfile",
    ]


def test_ci_installs_the_packages_that_it_names() -> None:
    (line,) = [line for line in commands(README) if line.startswith("sudo apt install")]
    script = (ROOT / ".ci" / "run").read_text()
    # `$(command -v npm ...)`: what conflicts with the same from elsewhere is left out where that is installed.
    always = re.sub(r"\$\(command -v \S+ >/dev/null \|\| echo ([^)]*)\)", r"\1", line)
    named = set(always.split()[3:])
    installed = set(re.findall(r"\|\| echo (\S+)", script)) - {"python3-venv"}
    assert named == installed
