"""The command line as people and scripts meet it: output, exit codes, one clear line for each mistake."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
import tomllib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
import trio

from tests.gateway.control.control_target import TargetServer, control_target
from tests.support.warren_process import REPOSITORY
from warren.gateway.command_line import main as cli
from warren.gateway.command_line.output import cell
from warren.gateway.control.target import Answer, Control, Request, done
from warren.gateway.control.word import Option, word
from warren.gateway.control.words.built_in import WORDS
from warren.gateway.process.data_directory import DataDirectory
from warren.gateway.version import WARREN_VERSION, form


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[TargetServer]:
    """A broker on tmp_path that holds one queue."""
    async with control_target(tmp_path) as target:
        target.fill_queue("tasks", 3, {"x-max-length": 10})
        yield target


LOUD = Option("loud")


class Warren:
    """`warren ...` in a thread of this process."""

    def __init__(self, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._directory = directory
        self._capsys = capsys

    async def __call__(self, *arguments: str) -> tuple[int, str, str]:
        """(exit code, standard output, standard error)."""
        command = [*arguments, "--data-dir", str(self._directory)]
        code = await trio.to_thread.run_sync(cli.run, command)
        return code, *self._capsys.readouterr()


@pytest.fixture
def warren(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Warren:
    return Warren(tmp_path, capsys)


def run(*arguments: str, typed: str = "", environment: dict[str, str] | None = None) -> tuple[int, str, str]:
    """(exit code, standard output, standard error) of `python -m warren ...` in a process of its own."""
    command = [sys.executable, "-m", "warren", *arguments]
    found = subprocess.run(
        command,
        cwd=REPOSITORY,
        input=typed,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    return found.returncode, found.stdout, found.stderr


async def test_tab_separated_as_rabbitmqctl(server: TargetServer, warren: Warren) -> None:
    listing = "Listing queues for vhost / ...\nname\tmessages\ntasks\t3\n"
    assert await warren("list_queues") == (0, listing, "")
    assert await warren("ctl", "list_queues") == (0, listing, "")
    assert await warren("-q", "list_queues") == (0, "name\tmessages\ntasks\t3\n", "")
    assert await warren("list_queues", "-s", "messages") == (0, "3\n", "")
    assert await warren("list_queues", "--quiet", "--no-table-headers") == (0, "tasks\t3\n", "")
    assert await warren("list_queues", "-q", "-p", "other") == (0, "", "")
    arguments = 'arguments\tconsumer_utilisation\n[{"x-max-length",10}]\t0.0\n'
    assert await warren("list_queues", "-q", "arguments", "consumer_utilisation") == (0, arguments, "")


async def test_json_and_csv(server: TargetServer, warren: Warren) -> None:
    code, out, _ = await warren("list_queues", "name", "arguments", "policy", "--formatter", "json")
    assert code == 0
    assert json.loads(out) == [{"name": "tasks", "arguments": {"x-max-length": 10}, "policy": None}]
    _, out, _ = await warren("list_queues", "name", "arguments", "--formatter=csv")
    assert list(csv.reader(io.StringIO(out))) == [["name", "arguments"], ["tasks", '[{"x-max-length",10}]']]
    _, out, _ = await warren("ping", "--formatter", "json")
    assert json.loads(out) == {"result": "ok", "message": "Ping succeeded"}
    _, out, _ = await warren("status", "--formatter", "json")
    assert json.loads(out)["totals"]["messages_ready"] == 3
    _, out, _ = await warren("environment", "--formatter", "json")
    assert json.loads(out)["default_pass"] == "********"


async def test_a_drawn_table_cuts_nothing_off(server: TargetServer, warren: Warren) -> None:
    name = "n" * 300
    server.fill_queue(name, 1)
    server.fill_queue("[red]markup[/red]", 1)
    code, out, _ = await warren("list_queues", "-q", "--formatter", "pretty_table")
    assert code == 0
    assert name in out
    assert "[red]markup[/red]" in out
    assert "│" in out


async def test_a_terminal_gets_a_drawn_table(server: TargetServer, tmp_path: Path) -> None:
    ours, theirs = os.openpty()
    command = [sys.executable, "-m", "warren", "list_queues", "--data-dir", str(tmp_path)]
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        await trio.run_process(command, cwd=REPOSITORY, stdout=theirs)
        os.close(theirs)
        shown = terminal.read(65536).decode()
    assert "│ tasks" in shown


async def test_names_cannot_reach_the_terminal(server: TargetServer, warren: Warren) -> None:
    server.fill_queue("a\x1b[2J\nb\tc\udce9", 0)
    for formatter in ("table", "pretty_table", "csv"):
        _, out, _ = await warren("list_queues", "-q", "name", "--formatter", formatter)
        assert "a\\x1b[2J\\nb\\tc\\udce9" in out
    _, out, _ = await warren("list_queues", "-q", "name", "--formatter", "json")
    assert json.loads(out)[1] == {"name": "a\x1b[2J\nb\tc\udce9"}


async def test_status_for_people(server: TargetServer, warren: Warren) -> None:
    code, out, _ = await warren("status", "-q")
    assert code == 0
    assert f"Warren version: {WARREN_VERSION} ({form()})" in out.splitlines()
    assert "Uptime: 0 d 0 h 0 min 0 s" in out


async def test_refusals_of_the_broker(server: TargetServer, warren: Warren) -> None:
    code, out, err = await warren("list_queues", "-q", "size")
    assert (code, out) == (64, "")
    assert err.startswith("Error: unknown column size; the columns are name durable")
    assert (await warren("delete_user", "-q", "eve"))[::2] == (67, "Error: user 'eve' does not exist\n")
    assert (await warren("list_queues", "-q", "-p", "x"))[0] == 65
    assert (await warren("reset", "-q"))[0] == 70
    assert len(err.splitlines()) == 1


async def test_options_of_one_word(server: TargetServer, warren: Warren) -> None:
    assert (await warren("delete_queue", "-q", "tasks", "--if-empty"))[0] == 70
    _, out, _ = await warren("delete_queue", "-q", "tasks", "--if-unused")
    assert out == "Queue was successfully deleted with 3 ready messages\n"
    code, _, err = await warren("list_queues", "--if-empty")
    assert (code, err[:43]) == (64, "Error: list_queues doesn't take --if-empty;")
    assert (await warren("add_vhost", "v", "--description", "d", "--tags", "a,b", "-s"))[:2] == (0, "")
    assert server.broker.vhosts["v"].metadata == {"description": "d", "tags": ["a", "b"]}


async def test_options_that_mean_nothing_here(server: TargetServer, warren: Warren) -> None:
    assert (await warren("-n", "rabbit@host", "-p", "/", "list_users", "-q", "-l"))[0] == 0


@word(
    "NAME [PASSWORD]", "greet somebody", "Greeting {0} in {tone} ...", options=(LOUD, Option("tone", "TONE")), secret=1
)
def greet(control: Control, request: Request) -> Answer:
    name, password = request.arguments
    return done(f"Hello, {name}, {password}" + ("!" if request.options.get("loud") else ""))


async def test_words_of_plugins_are_asked_of_the_broker(
    server: TargetServer, warren: Warren, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await warren("greet", "ann"))[::2] == (64, "Error: unknown command 'greet'; did you mean reset?\n")
    _, out, _ = await warren("ctl", "--help")
    assert "Commands of plugins" not in out
    server.plugin_words.append(greet)
    assert (await warren("greet", "ann", "x", "--loud"))[:2] == (0, "Greeting ann in  ...\nHello, ann, x!\n")
    assert (await warren("--tone", "C", "greet", "ann", "x"))[:2] == (0, "Greeting ann in C ...\nHello, ann, x\n")
    monkeypatch.setattr("sys.stdin", io.StringIO("typed\n"))
    assert (await warren("greet", "-q", "ann"))[:2] == (0, "Hello, ann, typed\n")
    assert (await warren("greet"))[2].startswith("Error: not enough arguments; usage: warren ctl greet NAME [PASSWORD]")
    assert (await warren("greet", "ann", "--shy"))[2].startswith("Error: no such option: --shy")
    assert (await warren("list_queues", "--loud"))[2].startswith("Error: no such option: --loud")
    assert (await warren("gret"))[2] == "Error: unknown command 'gret'; did you mean greet or reset or report?\n"
    _, out, _ = await warren("ctl", "--help")
    assert "\nCommands of plugins:\n  greet " in out
    _, out, _ = await warren("help", "greet")
    assert out.startswith("usage: warren ctl greet NAME [PASSWORD] [--loud] [--tone]\n\nGreet somebody.")


async def test_passwords_can_be_typed(server: TargetServer, tmp_path: Path) -> None:
    arguments = ["ctl", "--data-dir", str(tmp_path), "add_user", "ann"]
    code, out, _ = await trio.to_thread.run_sync(lambda: run(*arguments, typed="secret\n"))
    assert code == 0
    assert out.startswith('Adding user "ann" ...\nDone.')
    assert server.broker.users.authenticate("ann", "secret", is_loopback=False).name == "ann"


async def test_stop_returns_when_the_directory_is_free(server: TargetServer, warren: Warren, tmp_path: Path) -> None:
    held = DataDirectory(tmp_path)
    finished = trio.Event()

    async def stop() -> None:
        assert (await warren("stop", "-q"))[0] == 0
        finished.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(stop)
        await server.stopped.wait()
        assert not finished.is_set()
        held.close()
    assert finished.is_set()


async def test_stop_gives_up(server: TargetServer, warren: Warren, tmp_path: Path) -> None:
    with DataDirectory(tmp_path):
        code, _, err = await warren("stop", "-q", "-t", "0.01")
    assert (code, "is still stopping" in err) == (75, True)


def test_no_broker(tmp_path: Path) -> None:
    code, out, err = run("list_queues", "-q", "--data-dir", str(tmp_path))
    assert (code, out) == (69, "")
    advice = f"start one with: warren serve --data-dir {tmp_path}"
    assert err == f"Error: no Warren broker is running on {tmp_path}; {advice}\n"


def test_which_broker_is_meant(tmp_path: Path) -> None:
    environment = {"WARREN_DATA_DIRECTORY": str(tmp_path / "variable")}
    assert f"running on {tmp_path / 'variable'};" in run("ping", environment=environment)[2]
    (tmp_path / "a.toml").write_text("data_dir = 'file'")
    assert f"running on {tmp_path / 'file'};" in run("ping", "--config", str(tmp_path / "a.toml"))[2]
    (tmp_path / "b.toml").write_text("in_memory = true")
    code, _, err = run("ping", "--config", str(tmp_path / "b.toml"))
    assert (code, "--data-dir" in err) == (78, True)


MISTAKES = [
    (["list_quues"], 64, "unknown command 'list_quues'; did you mean list_queues"),
    (["frobnicate"], 64, "unknown command 'frobnicate'; warren ctl --help lists them all"),
    (["list_queues", "--frobnicate"], 64, "--frobnicate"),
    (["list_queues", "--formatter", "xml"], 64, "the formatters are table, pretty_table, json, csv, erlang"),
    (["ping", "-t", "soon"], 64, "--timeout"),
    (["ping", "x"], 64, "too many arguments; usage: warren ctl ping"),
    (["delete_queue"], 64, "not enough arguments; usage: warren ctl delete_queue QUEUE [--if-empty]"),
    (["serve", "--nonsense"], 64, "--nonsense"),
    (["serve", "extra"], 64, "extra"),
    (["serve", "--listen", "amqp=nowhere"], 78, "command line: --listen = 'amqp=nowhere': must be HOST:PORT"),
    (
        ["serve", "--listen", "mqtt=*:0", "--listen-only", "amqp=*:0"],
        64,
        "--listen-only names all addresses that there are; give all of them to --listen-only",
    ),
    (["serve", "--config", "/nowhere.toml"], 78, "/nowhere.toml: can't be read: No such file or directory"),
    (["serve", "--set", "frame_max=1"], 78, "command line: --set frame_max = '1': must be"),
    (["serve", "--log-level", "loud"], 78, "must be one of debug"),
]


@pytest.mark.parametrize(("arguments", "code", "expected"), MISTAKES)
def test_mistakes_get_one_line(
    arguments: Sequence[str], code: int, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(arguments) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    assert err.startswith("Error: ")
    assert expected in err


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in ([], ["--help"]):
        assert cli.run(arguments) == 0
        assert "serve" in capsys.readouterr().out
    assert cli.run(["ctl", "--help"]) == 0
    listed = capsys.readouterr().out
    assert all(f"  {word} " in listed for word in WORDS)
    for arguments in (["list_queues", "--help"], ["help", "list_queues"], ["ctl", "--help", "list_queues"]):
        assert cli.run(arguments) == 0
        usage = "usage: warren ctl list_queues [COLUMN]... [--local] [--offline] [--online] [--vhost]\n"
        assert capsys.readouterr().out.startswith(usage)
    assert cli.run(["ctl"]) == 64
    assert "usage" in capsys.readouterr().out
    for arguments in (["version"], ["--version"]):
        assert cli.run(arguments) == 0
        assert capsys.readouterr().out.startswith(f"Warren {WARREN_VERSION} (Python 3.")


def test_one_version() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    assert project["version"] == WARREN_VERSION


def test_rich_is_not_imported_without_need() -> None:
    code = (
        "import sys; from warren.gateway.command_line import main, ctl, serve; main.run(['version']); "
        "sys.exit('rich' in sys.modules or 'trio' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=False).returncode == 0


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_has_seen_enough(unbuffered: str) -> None:
    """As in `warren list_queues | head`: whether writing or the last flush meets the closed pipe."""
    reading, writing = os.pipe()
    os.close(reading)
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    command = [sys.executable, "-m", "warren", "ctl", "--help"]
    with os.fdopen(writing, "wb") as closed:
        found = subprocess.run(
            command, cwd=REPOSITORY, env=environment, stdout=closed, stderr=subprocess.PIPE, check=False
        )
    assert (found.returncode, found.stderr) == (0, b"")


CELLS = [
    (None, ""),
    (True, "true"),
    (1.5, "1.5"),
    (["a", "b"], "[a, b]"),
    ({}, "[]"),
    ({"a": "b", "c": {"d": [True]}}, '[{"a","b"},{"c",[{"d",[true]}]}]'),
]


@pytest.mark.parametrize(("value", "expected"), CELLS)
def test_values_in_one_line(value: object, expected: str) -> None:
    assert cell(value) == expected


def test_no_configuration_is_read_for_who_names_the_directory(tmp_path: Path) -> None:
    code = (
        "import sys; from warren.gateway.command_line import main; "
        f"main.run(['ping', '--data-dir', {str(tmp_path)!r}]); "
        "sys.exit('warren.gateway.configuration.load' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=False).returncode == 0
