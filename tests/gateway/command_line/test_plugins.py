"""`warren plugins`: what rabbitmq-plugins says and does, where it means something."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Final

import pytest
import trio

from warren.gateway.command_line import main as command_line
from warren.gateway.command_line import plugins
from warren.gateway.configuration.config import Config
from warren.gateway.configuration.enabled_plugins import NAME
from warren.gateway.configuration.plugins import PLUGINS
from warren.gateway.control.api_client import ask
from warren.gateway.server import open_server
from warren.gateway.version import WARREN_VERSION


@pytest.fixture
async def directory(tmp_path: Path) -> AsyncIterator[Path]:
    """Of a broker with the plugin shovel."""
    async with open_server(Config(data_directory=tmp_path, in_memory=True, listen=(), plugins=("shovel",))):
        yield tmp_path


def _run(*words: str) -> tuple[int, str, str]:
    said, complained = io.StringIO(), io.StringIO()
    with redirect_stdout(said), redirect_stderr(complained):
        code = command_line.run(["plugins", *words])
    return code, said.getvalue(), complained.getvalue()


async def run(directory: Path, *words: str) -> tuple[int, str, str]:
    return await trio.to_thread.run_sync(lambda: _run(*words, "--data-dir", str(directory)))


async def test_lists(directory: Path) -> None:
    code, said, _ = await run(directory, "list", "-q")
    lines = said.splitlines()
    assert code == 0
    width = max(map(len, plugins.BUILT_IN))
    assert f"[E*] {'rabbitmq_shovel':<{width}} {WARREN_VERSION}" in lines
    assert f"[  ] {'rabbitmq_management':<{width}} {WARREN_VERSION}" in lines
    assert f"[e*] {'rabbitmq_mqtt':<{width}} {WARREN_VERSION}" in lines
    assert len(lines) == len(plugins.BUILT_IN) + len(PLUGINS)
    assert (await run(directory, "list", "-E", "-m"))[1] == "rabbitmq_shovel\n"
    assert (await run(directory, "list", "-qEm"))[1] == "rabbitmq_shovel\n", "in one"
    assert (await run(directory, "list", "-e", "-m", "shovel|stomp$"))[1].split() == [
        "rabbitmq_shovel",
        "rabbitmq_stomp",
        "rabbitmq_web_stomp",
    ]
    assert (await run(directory, "list", "-m", "(stomp"))[1] == "", "no expression, so a text"
    found = json.loads((await run(directory, "list", "shovel", "--formatter", "json"))[1])
    assert found == {
        "status": "running",
        "format": "normal",
        "plugins": [{"name": "rabbitmq_shovel", "enabled": "enabled", "running": True, "version": WARREN_VERSION}],
    }


async def test_whether_some_are_enabled(directory: Path) -> None:
    assert await run(directory, "is_enabled", "rabbitmq_shovel") == (0, "Plugin rabbitmq_shovel is enabled\n", "")
    assert (await run(directory, "is_enabled", "shovel", "rabbitmq_stomp", "rabbitmq_shovel_management"))[0] == 0
    code, _, said = await run(directory, "is_enabled", "shovel", "rabbitmq_management")
    assert (code, said) == (69, "Error: Plugin rabbitmq_management is not enabled. Enabled: shovel\n")
    code, printed, _ = await run(directory, "is_enabled", "a", "b", "--formatter", "json")
    assert code == 69
    assert json.loads(printed) == {"result": "error", "message": "Plugins a, b are not enabled. Enabled: shovel"}
    code, printed, _ = await run(directory, "is_enabled", "shovel", "--formatter", "json")
    assert (code, json.loads(printed)["result"]) == (0, "ok")
    assert (await run(directory, "is_enabled"))[0] == 64


@pytest.mark.parametrize(
    "words",
    [
        ("enable", "shovel"),
        ("enable", "rabbitmq_shovel", "rabbitmq_mqtt"),
        ("disable", "rabbitmq_management", "nonsense"),
        ("set", "rabbitmq_shovel", "rabbitmq_shovel_management", "rabbitmq_stomp"),
    ],
)
async def test_what_is_so_already(directory: Path, words: tuple[str, ...]) -> None:
    assert await run(directory, *words) == (0, "Plugin configuration unchanged.\n", "")


ENABLED: Final = "The following plugins have been enabled:"
DISABLED: Final = "The following plugins have been disabled:"


@pytest.mark.parametrize(
    ("words", "said", "enabled"),
    [
        (("enable", "rabbitmq_management"), [ENABLED, "  management", "", "started 1 plugins."], "shovel management"),
        (
            ("enable", "rabbitmq_federation_management", "rabbitmq_prometheus", "rabbitmq_stomp"),
            [ENABLED, "  federation", "  metrics", "", "started 2 plugins."],
            "shovel federation metrics",
        ),
        (("disable", "rabbitmq_shovel"), [DISABLED, "  shovel", "", "stopped 1 plugins."], ""),
        (("disable", "--all"), [DISABLED, "  shovel", "", "stopped 1 plugins."], ""),
        (
            ("set", "rabbitmq_prometheus"),
            [ENABLED, "  metrics", "", "started 1 plugins.", DISABLED, "  shovel", "", "stopped 1 plugins."],
            "metrics",
        ),
    ],
)
async def test_changes(directory: Path, words: tuple[str, ...], said: list[str], enabled: str) -> None:
    code, printed, complained = await run(directory, *words)
    assert (code, complained) == (0, "")
    assert printed.splitlines() == said
    answer = await trio.to_thread.run_sync(lambda: ask(directory, "list_plugins", ("name", "state")))
    rows: list[dict[str, str]] = answer["rows"]  # type: ignore[assignment]
    assert {row["name"] for row in rows if row["state"] != "disabled"} == set(enabled.split())
    assert not (directory / NAME).exists(), "in memory nothing is kept"


async def test_changes_as_json(directory: Path) -> None:
    code, printed, _ = await run(directory, "disable", "shovel", "--formatter", "json")
    assert code == 0
    assert json.loads(printed) == {"started": [], "stopped": ["shovel"], "listening": {}, "mode": "online"}


def test_changes_for_the_next_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no broker runs, a file says what is otherwise than configured."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WARREN_PLUGINS", "shovel")
    at = ("--data-dir", str(tmp_path / "data"))
    code, said, _ = _run("enable", "rabbitmq_federation", *at)
    assert code == 0
    assert said.endswith("  federation\n\nOffline change; changes will take effect at broker restart.\n")
    assert json.loads((tmp_path / "data" / NAME).read_text()) == ["federation"]
    assert _run("disable", "shovel", *at)[0] == 0
    assert json.loads((tmp_path / "data" / NAME).read_text()) == ["federation", "-shovel"]
    assert _run("is_enabled", "federation", *at)[0] == 0
    assert _run("is_enabled", "shovel", *at)[0] == 69
    assert _run("list", "-qEm", "shovel|federation", *at)[1] == "rabbitmq_federation\n"
    assert _run("disable", "federation", *at)[0] == _run("enable", "shovel", *at)[0] == 0
    assert not (tmp_path / "data" / NAME).exists(), "all is as configured"
    assert str(tmp_path / "data" / NAME) in _run("directories", *at)[1]
    assert _run("enable", "federation", "--online", *at)[0] == 69
    (tmp_path / "data" / NAME).write_text("{}")
    code, _, complained = _run("enable", "federation", *at)
    assert (code, "isn't a list of names of plugins" in complained) == (78, True)


def test_in_memory_nothing_can_be_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WARREN_IN_MEMORY", "true")
    code, _, complained = _run("enable", "shovel", "--offline", "--data-dir", str(tmp_path))
    assert (code, "nothing is kept" in complained) == (70, True)


async def test_what_cant_be(directory: Path) -> None:
    assert (await run(directory, "enable", "nonsense"))[0] == 70
    assert (await run(directory, "set", "nonsense"))[0] == 70
    code, _, said = await run(directory, "disable", "rabbitmq_mqtt")
    assert (code, "part of Warren" in said) == (70, True)
    assert (await run(directory, "nonsense"))[0] == 64
    assert (await run(directory, "list", "a", "b"))[0] == 64
    code, _, said = await run(directory, "directories", "--minimal")
    assert (code, "usage: warren plugins directories" in said) == (64, True)


def test_without_a_broker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WARREN_PLUGINS", "metrics")
    monkeypatch.chdir(tmp_path)
    assert _run("list", "-qE", "prometheus") == (0, f"[E ] rabbitmq_prometheus {WARREN_VERSION}\n", "")
    assert _run("is_enabled", "metrics", "--offline")[0] == 0
    assert _run("is_enabled", "shovel", "--offline")[0] == 69
    assert _run("list", "--url", "http://127.0.0.1:1")[0] == 69, "who names a broker means it"


def test_help_and_places() -> None:
    for words in ((), ("help",), ("--help",), ("list", "--help")):
        code, said, _ = _run(*words)
        assert (code, said.startswith("usage: warren plugins COMMAND")) == (0, True)
    assert _run("version") == (0, f"{WARREN_VERSION}\n", "")
    assert _run("directories")[1].startswith("Warren's own plugins: /")
    assert set(json.loads(_run("directories", "--formatter", "json")[1])) == {
        "plugins_dir",
        "plugins_expand_dir",
        "enabled_plugins_file",
    }


def test_every_name_is_a_plugins() -> None:
    assert set(plugins.AS_HERE.values()) <= set(PLUGINS)
    assert not set(plugins.BUILT_IN) & set(plugins.AS_HERE)
