"""Adapters: Warren's own, and one of another package, installed for the test and used through a real process."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, cast

import pytest

from tests.support.child import ChildError
from tests.support.installing import install_by_hand, install_by_pip
from tests.support.simulated_websocket import frame
from tests.support.warren_process import PYTHON_PATH, REPOSITORY, start_warren
from warren.adapters.interface import Options
from warren.adapters.registry import OWN
from warren.adapters.websocket.frames import TEXT
from warren.core.errors import StorageError
from warren.gateway.configuration.config import Config, ConfigError
from warren.gateway.configuration.load import describe, load_config
from warren.gateway.configuration.options import accept_by_protocol, adapters_for, options_of
from warren.gateway.configuration.sources import assignments
from warren.gateway.protocols import PROTOCOLS

EXAMPLE = REPOSITORY / "examples" / "line_protocol"

TIME_LIMIT_S = 60.0

pytestmark = pytest.mark.limits(seconds=8 * TIME_LIMIT_S)

LINES_MAX = 130


def test_own_protocols_come_first() -> None:
    assert list(PROTOCOLS)[:3] == ["amqp", "amqp10", "stomp"]
    assert "amqp" in PROTOCOLS
    assert "gopher" not in PROTOCOLS
    assert len(PROTOCOLS) == len(list(PROTOCOLS))


@pytest.mark.parametrize("name", OWN)
def test_own_adapters_load_and_take_the_configuration(name: str) -> None:
    assert callable(accept_by_protocol(Config(in_memory=True), [name])[name])


def test_a_protocol_that_nobody_installed() -> None:
    with pytest.raises(StorageError, match="no adapter for the protocol 'gopher' is installed; there are amqp, amqp10"):
        accept_by_protocol(Config(in_memory=True), ["gopher"])


def test_options_are_typed() -> None:
    options = options_of(Config(in_memory=True, heartbeat_s=7))
    assert (options.integer("heartbeat_s"), options.text("product")) == (7, "RabbitMQ")
    assert options.number("handshake_timeout_s") == 10.0
    assert options.flag("in_memory")
    assert options.text("warren_version")
    with pytest.raises(KeyError):
        options.text("nothing")
    for read in (Options.text, Options.integer, Options.number):
        with pytest.raises(TypeError):
            read(options, "loopback_users")
    with pytest.raises(TypeError):
        options.text("heartbeat_s")


DECLARATIONS = (
    "warren.adapters.first_bytes",
    "warren.adapters.interface",
    "warren.adapters.registry",
    "warren.adapters.session",
    "warren.adapters.session.keys",
    "warren.adapters.amqp091",
    "warren.adapters.amqp091.adapter",
    "warren.adapters.amqp091.codec",
    "warren.adapters.amqp091.codec.constants",
    "warren.adapters.amqp091.other_versions",
    "warren.adapters.amqp091.settings",
    "warren.adapters.amqp10",
    "warren.adapters.amqp10.adapter",
    "warren.adapters.amqp10.codec",
    "warren.adapters.amqp10.codec.constants",
    "warren.adapters.amqp10.kept",
    "warren.adapters.amqp10.settings",
    "warren.adapters.mqtt",
    "warren.adapters.mqtt.adapter",
    "warren.adapters.mqtt.sessions",
    "warren.adapters.mqtt.sessions.settings",
    "warren.adapters.mqtt.settings",
    "warren.adapters.stomp",
    "warren.adapters.stomp.adapter",
    "warren.adapters.stomp.codec",
    "warren.adapters.stomp.codec.limits",
    "warren.adapters.stomp.settings",
    "warren.adapters.stream",
    "warren.adapters.stream.adapter",
    "warren.adapters.stream.settings",
    "warren.adapters.streams",
    "warren.adapters.streams.adapter",
    "warren.adapters.streams.settings",
    "warren.adapters.websocket",
    "warren.adapters.websocket.adapter",
    "warren.adapters.websocket.forwarded",
    "warren.adapters.websocket.settings",
    "warren.adapters.websocket.subprotocols",
)
"""What every start imports of protocols: their keys, how they begin, and nothing that speaks them."""


def test_an_adapter_is_imported_when_a_listener_names_it() -> None:
    program = (
        "import sys, warren.gateway.process.runner\n"
        "from warren.gateway.configuration.load import load_config\n"
        "load_config([], environment={'WARREN_LISTEN': 'stomp=127.0.0.1:0'})\n"
        "print(*sorted(name for name in sys.modules if name.startswith(('warren.adapters.', 'importlib.metadata'))))\n"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=TIME_LIMIT_S, check=True)
    assert done.stdout.split() == sorted(DECLARATIONS)


def test_a_start_imports_nothing_for_tls_websockets_and_commands_that_are_not_used_yet() -> None:
    program = (
        "import sys, warren.gateway.command_line.serve, warren.gateway.server\n"
        "from warren.gateway.configuration.config import Config\n"
        "from warren.gateway.network.pipeline import Pipelines\n"
        "Pipelines(Config(), Config().listeners, 0)\n"
        "print(*sorted(sys.modules))\n"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=TIME_LIMIT_S, check=True)
    imported = done.stdout.split()
    assert "warren.adapters.mqtt.connection" in imported
    # Trio imports ssl by itself, so that can't be seen here.
    unwanted = (
        *(
            "warren.gateway.tls.",
            "cryptography",
            "wsproto",
            "h11",
            "starlette",
            "msgspec",
            "warren.plugins.shovel",
            "warren.plugins.federation",
            "warren.plugins.management.application",
            "warren.plugins.management.endpoints",
            "warren.plugins.metrics.pages",
            "prometheus_client",
            "warren.adapters.websocket.stage",
            "warren.adapters.proxy_protocol",
        ),
        *(
            "warren.gateway.control.commands",
            "warren.gateway.control.words.definitions",
            "warren.core.administration.definitions_json",
        ),
    )
    assert [name for name in imported if name.startswith(unwanted) and name != "warren.gateway.tls.settings"] == []


def say(connection: socket.socket, line: str) -> list[str]:
    """Send a line, and read until the answer to it."""
    connection.sendall(f"{line}\n".encode())
    return read(connection, "OK", "ERROR")


def read(connection: socket.socket, *last: str) -> list[str]:
    """The lines up to one that begins with any of `last`."""
    lines: list[str] = []
    file = connection.makefile("rb", buffering=0)
    while not lines or not lines[-1].startswith(last):
        line = file.readline()
        assert line, lines
        lines.append(line.decode().rstrip("\n"))
    return lines


@pytest.mark.parametrize("install", [install_by_hand, install_by_pip])
def test_a_protocol_of_another_package(tmp_path: Path, install: Callable[[Path, Path], None]) -> None:
    packages = tmp_path / "packages"
    packages.mkdir()
    install(EXAMPLE, packages)
    broker = start_warren(
        tmp_path,
        data_directory=None,
        listen=["line=127.0.0.1:0", "stomp=127.0.0.1:0"],
        environment={"PYTHONPATH": f"{PYTHON_PATH}:{packages}"},
    )
    try:
        with (
            socket.create_connection(broker.addresses["line"], TIME_LIMIT_S) as subscriber,
            socket.create_connection(broker.addresses["line"], TIME_LIMIT_S) as publisher,
            socket.create_connection(broker.addresses["stomp"], TIME_LIMIT_S) as stomp,
        ):
            assert say(subscriber, "SUB weather.*")[0].startswith("ERROR say LOGIN")
            assert say(subscriber, "LOGIN guest wrong")[0].startswith("ERROR Login was refused")
            assert say(subscriber, "LOGIN guest guest") == ["OK"]
            assert say(publisher, "LOGIN guest guest") == ["OK"]
            assert say(subscriber, "SUB weather.*") == ["OK"]
            assert say(publisher, "PUB sport.football 1 to 0") == ["OK"]
            assert say(publisher, "PUB weather.rain it is wet") == ["OK"]
            assert read(subscriber, "weather") == ["weather.rain it is wet"]
            stomp.sendall(b"CONNECT\n\n\0SEND\ndestination:/topic/weather.snow\n\nit is white\0")
            assert read(subscriber, "weather") == ["weather.snow it is white"]
    finally:
        assert broker.stop() == 0
    assert "Traceback" not in broker.log.read_text()


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The example is installed for this process; the directory of the configuration."""
    packages = tmp_path / "packages"
    packages.mkdir()
    install_by_hand(EXAMPLE, packages)
    monkeypatch.syspath_prepend(packages)
    yield tmp_path
    sys.modules.pop("line_protocol", None)


def load(directory: Path, toml: str = "", environment: Mapping[str, str] | None = None, *settings: str) -> Config:
    (directory / "warren.toml").write_text(toml)
    given = {"WARREN_IN_MEMORY": "true", **(environment or {})}
    return load_config(assignments(settings), environment=given, directory=directory)


def exchange_of(config: Config) -> str:
    """What reaches the adapter's own settings."""
    (section,) = PROTOCOLS.others()["line"].settings
    return str(getattr(options_of(config).section(section), "exchange"))  # noqa: B009  # of a class that mypy can't see


def test_its_key_is_set_by_every_source(installed: Path) -> None:
    variable = {"WARREN_LINE_EXCHANGE": "by.variable"}
    assert exchange_of(load(installed)) == "amq.topic"
    for toml in ('line_exchange = "by.file"', '[line]\nexchange = "by.file"'):
        assert exchange_of(load(installed, toml)) == "by.file"
        assert exchange_of(load(installed, toml, variable)) == "by.variable"
        assert exchange_of(load(installed, toml, variable, "line_exchange=by.option")) == "by.option"
    assert exchange_of(load(installed, "", {}, "line.exchange=by.table")) == "by.table"
    config = Config(in_memory=True, line_exchange="by.program")
    assert (exchange_of(config), config.line_exchange) == ("by.program", "by.program")
    assert describe(config)["line_exchange"] == "by.program"


@pytest.mark.parametrize(
    ("toml", "environment", "settings", "expected"),
    [
        ("line_exchnge = 'x'", {}, (), "unknown key line_exchnge; did you mean line_exchange"),
        ("[line]\nexchnge = 'x'", {}, (), "unknown key line.exchnge; did you mean line_exchange"),
        ("", {"WARREN_LINE_EXCHNGE": "x"}, (), "unknown key WARREN_LINE_EXCHNGE; did you mean WARREN_LINE_EXCHANGE"),
        ("", {}, ("line_exchnge=x",), "unknown key --set line_exchnge; did you mean line_exchange"),
        ("zzz = 1", {}, (), "unknown key zzz; docs/configuration.md has all keys"),
        ("line_exchange = 7", {}, (), "line_exchange = 7: must be a string that isn't empty"),
    ],
)
def test_what_its_keys_are_refused_for(
    installed: Path, toml: str, environment: Mapping[str, str], settings: Sequence[str], expected: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        load(installed, toml, environment, *settings)
    assert expected in str(raised.value)


def test_its_keys_are_unknown_without_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="unknown key line_exchange"):
        load(tmp_path, "line_exchange = 'x'")


def test_a_broken_package_is_no_trouble_until_it_is_named(installed: Path, caplog: pytest.LogCaptureFixture) -> None:
    (installed / "packages" / "line_protocol.py").write_text("import nothing_like_that\n")
    assert list(adapters_for(["auto"])) == ["amqp", "amqp10", "stomp", "mqtt", "stream", "ws"]
    assert "the adapter for the protocol 'line' (line_protocol:ADAPTER) can't be loaded" in caplog.text
    with pytest.raises(StorageError, match="can't be loaded"):
        adapters_for(["line"])


def upgraded(connection: socket.socket, subprotocol: str) -> BinaryIO:
    """Send the opening handshake of a WebSocket, which has to be accepted; what comes afterwards."""
    connection.sendall(
        b"GET /ws HTTP/1.1\r\nHost: broker\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
        b"Sec-WebSocket-Protocol: %b\r\n\r\n" % subprotocol.encode()
    )
    answers = connection.makefile("rb", buffering=0)
    lines = list(iter(answers.readline, b"\r\n"))
    assert lines[0].startswith(b"HTTP/1.1 101"), lines
    assert b"Sec-WebSocket-Protocol: %b\r\n" % subprotocol.encode() in lines
    return cast("BinaryIO", answers)


def message(answers: BinaryIO) -> tuple[int, bytes]:
    """(first byte, payload) of a short frame from the server."""
    first, length = answers.read(2)
    return first, answers.read(length)


def test_auto_and_websocket_find_it_and_it_obeys_its_key(tmp_path: Path) -> None:
    packages = tmp_path / "packages"
    packages.mkdir()
    install_by_hand(EXAMPLE, packages)
    broker = start_warren(
        tmp_path,
        data_directory=None,
        listen=["auto=127.0.0.1:0", "ws=127.0.0.1:0"],
        options=["--set", "line_exchange=amq.fanout"],
        environment={"PYTHONPATH": f"{PYTHON_PATH}:{packages}"},
    )
    try:
        with (
            socket.create_connection(broker.addresses["auto"], TIME_LIMIT_S) as plain,
            socket.create_connection(broker.addresses["auto"], TIME_LIMIT_S) as stomp,
            socket.create_connection(broker.addresses["ws"], TIME_LIMIT_S) as browser,
        ):
            assert say(plain, "LOGIN guest guest") == ["OK"]
            assert say(plain, "SUB weather.*") == ["OK"]
            stomp.sendall(b"CONNECT\n\n\0")
            assert stomp.recv(9) == b"CONNECTED"
            answers = upgraded(browser, "line")
            browser.sendall(frame(TEXT, b"LOGIN guest guest\n"))
            assert message(answers) == (TEXT, b"OK\n")
            browser.sendall(frame(TEXT, b"PUB sport.football 1 to 0\n"))
            assert message(answers) == (TEXT, b"OK\n")
            assert read(plain, "sport") == ["sport.football 1 to 0"], "amq.fanout looks at no pattern"
    finally:
        assert broker.stop() == 0
    assert "Traceback" not in broker.log.read_text()


def test_an_adapter_that_cannot_be_loaded_ends_the_start(tmp_path: Path) -> None:
    install_by_hand(EXAMPLE, tmp_path)
    (tmp_path / "line_protocol.py").write_text("import nothing_like_that\n")
    with pytest.raises(ChildError, match=r"the adapter for the protocol 'line' .* can't be loaded") as raised:
        start_warren(
            tmp_path,
            data_directory=None,
            listen=["line=127.0.0.1:0"],
            environment={"PYTHONPATH": f"{PYTHON_PATH}:{tmp_path}"},
        )
    assert "Traceback" not in str(raised.value)


def test_the_example_is_short() -> None:
    assert len((EXAMPLE / "line_protocol.py").read_text().splitlines()) < LINES_MAX
