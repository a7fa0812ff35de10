"""What a connection costs in memory that does nothing: many MQTT clients are logged in, and stay."""

from __future__ import annotations

from contextlib import ExitStack

from tests.benchmarks.backlog import settled_resident_bytes
from tests.benchmarks.figures import MEBIBYTE, Figures
from tests.benchmarks.mqtt import MqttClient
from tests.benchmarks.servers import Server

WARM_UP_CONNECTIONS = 200
"""Enough to have every code path in use before memory is looked at."""


def measure_idle_connections(server: Server, connections: int) -> Figures:
    """Resident memory with so many connections, less what it was with a few."""
    with ExitStack() as stack:
        _connect(stack, server, 0, WARM_UP_CONNECTIONS)
        before_bytes = settled_resident_bytes(server)
        _connect(stack, server, WARM_UP_CONNECTIONS, connections)
        after_bytes = settled_resident_bytes(server)
    return {
        "resident bytes/connection": (after_bytes - before_bytes) / connections,
        "resident MiB before": before_bytes / MEBIBYTE,
        "resident MiB after": after_bytes / MEBIBYTE,
    }


def _connect(stack: ExitStack, server: Server, first: int, count: int) -> None:
    for number in range(first, first + count):
        client = MqttClient(server.port, f"idle-{number:06}")
        stack.callback(client.socket.close)
