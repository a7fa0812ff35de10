"""What `warren serve` has imported when it says that it is ready, and who connects at that moment."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.gateway.network.test_connection_log import HANDSHAKES
from tests.support.warren_process import REPOSITORY, warren_process

TIME_LIMIT_S = 60

WARREN_MODULES_MAX = 405
"""Warren's own when the ready line is written: half a millisecond each, with what is in them."""

MODULES_MAX = 665
"""The same with Python's and those of Trio and what that brings, which differ a little between versions."""

UNWANTED = (
    "warren.adapters.amqp091.connection",
    "warren.adapters.amqp091.codec.methods",
    "warren.adapters.amqp10.connection",
    "warren.adapters.mqtt.connection",
    "warren.adapters.mqtt.codec.packets",
    "warren.adapters.stomp.session",
    "warren.adapters.stream.session",
    "warren.adapters.websocket.stage",
    "warren.adapters.stage",
    "warren.core.administration.definitions_json",
    "warren.core.administration.diagnosing",
    "warren.core.administration.explaining",
    "warren.core.administration.listing.built_in",
    "warren.core.administration.listing.selecting",
    "warren.core.administration.operations",
    "warren.core.storage.definitions.salvage",
    "warren.gateway.client",
    "warren.gateway.command_line.commands",
    "warren.gateway.control.commands",
    "warren.gateway.control.words",
    "warren.gateway.loading.waiting",
    "warren.gateway.nats",
    "warren.gateway.peers",
    "warren.gateway.process.afar",
    "warren.gateway.process.reloading",
    "warren.plugins.",
    "cryptography",
    "encodings.idna",
    "h11",
    "importlib.metadata",
    "msgspec",
    "opentelemetry",
    "pydantic",
    "re2",
    "rich",
    "starlette",
    "tomllib",
    "typer",
    "wsproto",
)
"""Begins the name of what no start may wait for."""

PLUGINS_BY_NAME = "warren.plugins.registry"

PROGRAM = """
import os, sys

from warren.gateway import server
from warren.gateway.command_line.main import run

def write_ready_file(path, listening):
    print("ready", *sorted(sys.modules), flush=True)
    os._exit(0)

server.write_ready_file = write_ready_file
run(["serve", "--ready-file", sys.argv[1], "--data-dir", sys.argv[2], *sys.argv[3:]])
"""

LISTENERS = ("amqp", "amqp10", "stomp", "mqtt", "stream", "ws")


def modules_when_ready(directory: Path, options: Sequence[str]) -> list[str]:
    """What is imported when a broker of these options is ready."""
    command = [sys.executable, "-c", PROGRAM, str(directory / "ready.json"), str(directory / "data"), *options]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=TIME_LIMIT_S, check=True)
    line = next(line for line in done.stdout.splitlines() if line.startswith("ready "))
    return line.split()[1:]


@pytest.mark.parametrize("protocols", [("amqp",), LISTENERS])
def test_a_start_imports_what_it_needs(tmp_path: Path, protocols: Sequence[str]) -> None:
    options = [part for name in protocols for part in ("--listen-only", f"{name}=127.0.0.1:0")]
    imported = modules_when_ready(tmp_path, [*options, "--set", "plugins="])
    assert [name for name in imported if name.startswith(UNWANTED) and name != PLUGINS_BY_NAME] == []
    own = [name for name in imported if name.startswith("warren.")]
    rooms = Counter(".".join(name.split(".")[:3]) for name in own)
    assert len(own) <= WARREN_MODULES_MAX, f"a start has grown: {rooms.most_common()}"
    assert len(imported) <= MODULES_MAX, f"a start has grown: {[name for name in imported if name not in own]}"


MQTT_CONNECT, STOMP_CONNECT = HANDSHAKES["mqtt"][0], HANDSHAKES["stomp"][0]

FIRST_WORDS = (
    ("mqtt", MQTT_CONNECT, b"\x20"),
    ("stomp", STOMP_CONNECT, b"CONNECTED"),
    ("auto", MQTT_CONNECT, b"\x20"),
    ("auto", STOMP_CONNECT, b"CONNECTED"),
    ("amqp", b"AMQP\x00\x01\x00\x00", b"AMQP"),
    ("amqp", b"AMQP\x00\x00\x09\x01", b"\x01"),
    ("ws", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", b"HTTP/1.1 200"),
)
"""A listener, what somebody says there, and how the answer begins."""


def test_who_connects_as_soon_as_it_is_ready_is_served_on_every_port(tmp_path: Path) -> None:
    # Without AMQP, so that nobody has been served before (see start_warren).
    listen = [f"{name}=127.0.0.1:0" for name in ("stomp", "mqtt", "ws", "auto", "amqp10")]
    with (
        warren_process(listen=listen, parent=tmp_path, options=["--set", "plugins="]) as broker,
        ExitStack() as stack,
    ):
        waiting = []
        for name, words, answer in FIRST_WORDS:
            port = broker.addresses["auto" if name == "amqp" else name]
            connection = stack.enter_context(socket.create_connection(port, TIME_LIMIT_S))
            connection.sendall(words)
            waiting.append((name, connection, answer))
        for name, connection, answer in waiting:
            assert connection.recv(len(answer), socket.MSG_WAITALL) == answer, name
