"""The brokers that are compared: each started afresh as a child process, and described in one way."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.rabbitmq import rabbitmq, rabbitmq_available, rabbitmq_version
from tests.support.warren_process import warren_process

RABBITMQ_PLUGINS: Mapping[str, tuple[str, ...]] = {
    "amqp": (),
    "stomp": ("rabbitmq_stomp",),
}
"""What RabbitMQ needs for a protocol; nothing else is enabled."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running broker: its port on loopback for the protocol asked for, the root of its process tree, and how long its
    start took.

    start_s: from starting the process to its first answer to an AMQP protocol header.
    """

    port: int
    pid: int
    start_s: float


@dataclass(frozen=True, slots=True)
class Peer:
    """A kind of broker.  `start(parent, protocol)` runs one with its data below the directory `parent`."""

    name: str
    version: str
    available: bool
    start: Callable[[Path | None, str], AbstractContextManager[Server]]


@contextmanager
def _warren(parent: Path | None, protocol: str) -> Iterator[Server]:
    with warren_process(parent=parent, listen=_listen(protocol)) as broker:
        yield Server(broker.addresses[protocol][1], broker.process.pid, broker.start_s)


@contextmanager
def _warren_in_memory(parent: Path | None, protocol: str) -> Iterator[Server]:
    with warren_process(in_memory=True, parent=parent, listen=_listen(protocol)) as broker:
        yield Server(broker.addresses[protocol][1], broker.process.pid, broker.start_s)


@contextmanager
def _rabbitmq(parent: Path | None, protocol: str) -> Iterator[Server]:
    with rabbitmq(parent=parent, plugins=RABBITMQ_PLUGINS[protocol]) as node:
        yield Server(node.ports[protocol], node.process.pid, node.start_s)


def _listen(protocol: str) -> list[str]:
    return [f"{name}=127.0.0.1:0" for name in dict.fromkeys(["amqp", protocol])]


def peers() -> Mapping[str, Peer]:
    """All kinds of broker by name.  The first is the one that the others' ratios are given for."""
    python = f"CPython {platform.python_version()}"
    known = [
        Peer("warren", python, True, _warren),
        Peer("rabbitmq", rabbitmq_version(), rabbitmq_available(), _rabbitmq),
        Peer("warren-in-memory", python, True, _warren_in_memory),
    ]
    return {peer.name: peer for peer in known}
