"""Plugins that nobody has to enable: where they listen, what turns them off, and what is missing without packages."""

from __future__ import annotations

import gc
import importlib.util
import logging
import socket
from collections.abc import Callable, Iterator
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest
import trio

from tests.support.ports import free_ports
from warren import gateway
from warren.core.errors import StorageError
from warren.gateway.command_line import serve
from warren.gateway.configuration.config import Config, ConfigError
from warren.gateway.configuration.load import load_config
from warren.gateway.configuration.options import options_of
from warren.gateway.configuration.sources import assignments
from warren.gateway.network.addresses import Listener
from warren.gateway.server import open_server
from warren.plugins import registry

TIME_LIMIT_S = 60.0

pytestmark = pytest.mark.limits(seconds=2 * TIME_LIMIT_S)

ON = ("management", "metrics")

AT_15672 = Listener("http", "localhost", 15672, optional=True)
AT_15692 = Listener("metrics", "localhost", 15692, optional=True)

AMQP_ALONE = (Listener("amqp", "127.0.0.1", 0),)


def load(tmp_path: Path, *settings: str) -> Config:
    return load_config(assignments(settings), environment={"WARREN_IN_MEMORY": "true"}, directory=tmp_path)


def refusal(tmp_path: Path, *settings: str) -> str:
    with pytest.raises(ConfigError) as raised:
        load(tmp_path, *settings)
    return str(raised.value)


def test_they_are_on_beside_what_is_named(tmp_path: Path) -> None:
    for settings, plugins in (
        ((), ON),
        (("plugins=",), ON),
        (("plugins=shovel",), (*ON, "shovel")),
        (("plugins=metrics,shovel",), (*ON, "shovel")),
    ):
        config = load(tmp_path, *settings)
        assert (config.plugins, config.listeners[-2:]) == (plugins, (AT_15672, AT_15692))
        assert config.left_out == {}


@pytest.mark.parametrize(
    ("written", "plugins", "listeners"),
    [
        ("-metrics", ("management",), (AT_15672,)),
        ("-management", ("metrics",), (AT_15692,)),
        ("shovel, -management, -metrics", ("shovel",), ()),
        ("-shovel", ON, (AT_15672, AT_15692)),
    ],
)
def test_off_is_said(tmp_path: Path, written: str, plugins: tuple[str, ...], listeners: tuple[Listener, ...]) -> None:
    config = load(tmp_path, f"plugins={written}")
    assert config.plugins == plugins
    assert tuple(each for each in config.listeners if each.protocol in ("http", "metrics")) == listeners


@pytest.mark.parametrize(
    ("listen", "plugins"),
    [
        ("amqp=127.0.0.1:0", ()),
        ("amqp=127.0.0.1:0,http=127.0.0.1:0", ("management",)),
        ("https=127.0.0.1:0", ("management",)),
        ("metrics=127.0.0.1:0", ("metrics",)),
        ("auto=127.0.0.1:0,metrics=127.0.0.1:0,http=127.0.0.1:0", ON),
    ],
)
def test_named_listeners_say_which_there_are(tmp_path: Path, listen: str, plugins: tuple[str, ...]) -> None:
    config = load(tmp_path, f"listen={listen}")
    assert config.plugins == plugins
    assert [str(each) for each in config.listeners] == listen.split(",")
    assert load(tmp_path, f"listen={listen}", "plugins=-management").plugins == tuple(
        name for name in plugins if name != "management"
    )


def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    assert "plugins = 'shovel,-shovel': must be names of plugins, not both shovel and -shovel" in refusal(
        tmp_path, "plugins=shovel,-shovel"
    )
    assert "'managment' is none; did you mean management?" in refusal(tmp_path, "plugins=-managment")


def test_their_keys_are_known_even_where_they_are_off(tmp_path: Path) -> None:
    """A file may hold them whatever the command line says."""
    for others in ("plugins=-management", "listen=amqp=127.0.0.1:0", "plugins=shovel"):
        config = load(tmp_path, others, "management.connections_max=7")
        assert config.management_connections_max == 7
        assert config.replace(heartbeat_s=1).management_connections_max == 7
    text = refusal(tmp_path, "management_conections_max=7")
    assert "unknown key --set management_conections_max; did you mean management_connections_max or" in text
    assert "must be" in refusal(tmp_path, "management.connections_max=often")
    assert options_of(load(tmp_path)).integer("management_connections_max") == 200


@pytest.fixture
def lack(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Have a package be missing."""
    find_spec = importlib.util.find_spec

    def missing(package: str) -> None:
        def found(name: str, within: str | None = None) -> ModuleSpec | None:
            return None if name == package else find_spec(name, within)

        monkeypatch.setattr(importlib.util, "find_spec", found)

    return missing


def test_without_a_package_the_others_are_on(tmp_path: Path, lack: Callable[[str], None]) -> None:
    lack("msgspec")
    config = load(tmp_path)
    assert config.plugins == ("metrics",)
    assert config.listeners[-1] == AT_15692
    assert AT_15672 not in config.listeners
    assert config.left_out == {"management": "msgspec"}


@pytest.mark.parametrize("settings", [("plugins=-management",), ("listen=amqp=127.0.0.1:0",)])
def test_who_does_not_want_it_hears_nothing_of_its_packages(
    tmp_path: Path, lack: Callable[[str], None], settings: tuple[str, ...]
) -> None:
    lack("msgspec")
    assert load(tmp_path, *settings).left_out == {}


async def test_who_asks_for_it_is_told(lack: Callable[[str], None]) -> None:
    lack("msgspec")
    config = Config(in_memory=True, listeners=(Listener("http", "127.0.0.1", 0),))
    assert (config.plugins, config.left_out) == (("management",), {})


def test_the_log_says_what_is_left_out(
    lack: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    lack("prometheus_client")
    monkeypatch.setattr(serve, "configure_logging", lambda level, *, log_format: logging.getLogger("warren"))
    monkeypatch.setattr(serve, "spare_what_no_line_has", lambda: None)
    monkeypatch.setattr(serve, "note_stop_signals", list)
    monkeypatch.setattr(trio, "run", lambda *arguments: None)
    monkeypatch.setattr(gc, "disable", lambda: None)
    with caplog.at_level(logging.INFO):
        serve.run(Config(in_memory=True))
    assert [(each.levelname, each.getMessage()) for each in caplog.records] == [
        (
            "INFO",
            "the plugin metrics is off: it needs the package prometheus_client, which is missing "
            "(pip install prometheus_client)",
        )
    ]


def test_the_table_names_what_there_is() -> None:
    assert set(registry.ON_BY_DEFAULT) <= set(registry.BUILT_IN)
    assert set(registry.ON_BY_DEFAULT) <= set(registry.LISTENERS)


@pytest.fixture
def somebody() -> Iterator[socket.socket]:
    """Listens on a port."""
    with socket.socket() as sock:
        (port,) = free_ports(1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", port))
        sock.listen()
        yield sock


@pytest.fixture
def taken(somebody: socket.socket) -> int:
    """A port that somebody else listens on."""
    port: int = somebody.getsockname()[1]
    return port


async def test_a_taken_port_is_gone_on_without_where_it_is_optional(
    taken: int, caplog: pytest.LogCaptureFixture
) -> None:
    listen = ("amqp=127.0.0.1:0", f"metrics=127.0.0.1:{taken}?optional=true")
    async with gateway.open_broker(listen=listen) as broker:
        assert list(broker.listening) == ["amqp"]
        with trio.fail_after(TIME_LIMIT_S):
            while [row["state"] for row in broker.inspect("plugins")] != ["running"]:
                await trio.lowlevel.checkpoint()
    (told,) = [each for each in caplog.messages if "going on without it" in each]
    assert told.startswith(f"can't listen on metrics=127.0.0.1:{taken}: Address already in use; going on without it.")
    assert ". Elsewhere it is with --listen metrics=127.0.0.1:" in told


async def test_and_is_tried_again_by_the_next_start_of_the_app(somebody: socket.socket, taken: int) -> None:
    listener = Listener("metrics", "127.0.0.1", taken, optional=True)
    async with open_server(Config(in_memory=True, listeners=(*AMQP_ALONE, listener))) as server:
        assert list(server.listening) == ["amqp"]
        await server.stop_app()
        somebody.close()
        await server.start_app()
        assert server.listening["metrics"] == [("127.0.0.1", taken)]


async def test_a_taken_port_that_was_asked_for_refuses_the_start(taken: int) -> None:
    with pytest.raises(StorageError, match=f"can't listen on metrics=127.0.0.1:{taken}: Address already in use "):
        async with gateway.open_broker(listen=(f"metrics=127.0.0.1:{taken}",)):
            pass


async def test_an_embedded_broker_has_what_it_names() -> None:
    async with gateway.open_broker() as broker:
        assert list(broker.listening) == ["amqp"]
        assert "plugins" not in broker._server.broker.listings.names()
