"""The brokers that are compared: each started afresh as a child process, and described in one way."""

from __future__ import annotations

import os
import platform
import shutil
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.support import child
from tests.support.ctl import ctl
from tests.support.rabbitmq import rabbitmq, rabbitmq_available, rabbitmq_version
from tests.support.warren_process import REPOSITORY, WarrenProcess, warren_process

RABBITMQ_PLUGINS: Mapping[str, tuple[str, ...]] = {
    "amqp": (),
    "stomp": ("rabbitmq_stomp",),
    "mqtt": ("rabbitmq_mqtt",),
    "web_mqtt": ("rabbitmq_mqtt", "rabbitmq_web_mqtt"),
    "shovel": ("rabbitmq_shovel",),
    "management": ("rabbitmq_management",),
}
"""What RabbitMQ needs for a protocol; nothing else is enabled."""

WARREN_LISTENERS: Mapping[str, tuple[str, ...]] = {
    "amqp": (),
    "shovel": (),
    "web_mqtt": ("mqtt", "ws"),
    "management": ("http",),
}
"""What Warren listens for beside AMQP; for a protocol that isn't here, for that."""


OTHER = "other-warren"
"""The name of Warren from another working tree (`--against`)."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running broker: its port on loopback for the protocol asked for, the root of its process tree, and how long its
    start took.

    start_s: from starting the process to its first answer to an AMQP protocol header.  mqtt_port: for the protocol
    `web_mqtt`, where the same broker speaks MQTT without WebSocket; else 0.  http_port: for the protocol `management`,
    where its API is; else 0.  upstream, set_shovel: for the protocol
    `shovel`, where messages are brought to (for RabbitMQ the broker itself), and declaring a shovel by its value.
    """

    port: int
    pid: int
    start_s: float
    mqtt_port: int = 0
    upstream: Server | None = None
    set_shovel: Callable[[str], object] | None = None
    http_port: int = 0


@dataclass(frozen=True, slots=True)
class Peer:
    """A kind of broker.  `start(parent, protocol)` runs one with its data below the directory `parent`."""

    name: str
    version: str
    available: bool
    start: Callable[[Path | None, str], AbstractContextManager[Server]]


@contextmanager
def _warren(parent: Path | None, protocol: str) -> Iterator[Server]:
    if protocol == "shovel":
        with _warren_with_upstream(parent, REPOSITORY) as server:
            yield server
        return
    with warren_process(parent=parent, listen=_listen(protocol), options=_options(protocol)) as broker:
        yield _server(broker, protocol)


@contextmanager
def _warren_with_upstream(parent: Path | None, checkout: Path) -> Iterator[Server]:
    with (
        warren_process(parent=parent, checkout=checkout) as upstream,
        warren_process(parent=parent, checkout=checkout, options=("--set", "plugins=shovel")) as broker,
    ):
        yield replace(
            _server(broker, "amqp"),
            upstream=_server(upstream, "amqp"),
            set_shovel=lambda value: ctl(broker.data_directory, "set_parameter", "shovel", "bench", value),
        )


def other_checkout(directory: Path) -> Peer:
    """Warren as it is in another working tree, an older commit for instance, run by the same interpreter."""

    @contextmanager
    def start(parent: Path | None, protocol: str) -> Iterator[Server]:
        if protocol == "shovel":
            with _warren_with_upstream(parent, directory) as server:
                yield server
            return
        options = _options(protocol)
        with warren_process(parent=parent, listen=_listen(protocol), checkout=directory, options=options) as broker:
            yield _server(broker, protocol)

    return Peer(OTHER, f"CPython {platform.python_version()}, {directory.name}", True, start)


@contextmanager
def _warren_in_memory(parent: Path | None, protocol: str) -> Iterator[Server]:
    listen, options = _listen(protocol), _options(protocol)
    with warren_process(in_memory=True, parent=parent, listen=listen, options=options) as broker:
        yield _server(broker, protocol)


@contextmanager
def _rabbitmq(parent: Path | None, protocol: str) -> Iterator[Server]:
    with rabbitmq(parent=parent, plugins=RABBITMQ_PLUGINS[protocol]) as node:
        if protocol == "shovel":
            server = Server(node.amqp_port, node.process.pid, node.start_s)
            yield replace(
                server,
                upstream=server,
                set_shovel=lambda value: node.ctl("set_parameter", "shovel", "bench", value),
            )
            return
        if protocol == "management":
            yield Server(node.amqp_port, node.process.pid, node.start_s, http_port=node.ports["management"])
            return
        mqtt_port = node.ports["mqtt"] if protocol == "web_mqtt" else 0
        yield Server(node.ports[protocol], node.process.pid, node.start_s, mqtt_port)


@contextmanager
def _mosquitto(parent: Path | None, protocol: str) -> Iterator[Server]:
    """Mosquitto as it comes, except that it may queue what its bounded queues would drop."""
    if protocol != "mqtt":
        raise child.ChildError("mosquitto speaks MQTT alone")
    program = _mosquitto_path()
    with TemporaryDirectory(prefix="mosquitto-", dir=parent) as name, socket.socket() as probe:
        probe.bind((child.LOOPBACK, 0))
        port = probe.getsockname()[1]
        probe.close()
        configuration = Path(name) / "mosquitto.conf"
        configuration.write_text(
            f"listener {port} {child.LOOPBACK}\nallow_anonymous true\n"
            "max_queued_messages 0\nmax_inflight_messages 256\n"
        )
        log = Path(name) / "log"
        started_at = time.perf_counter()
        process = child.start([program, "-c", str(configuration)], log, os.environ, Path(name))
        try:
            child.wait_until(lambda: _accepts(port), process, log, 20, "starting mosquitto")
            yield Server(port, process.pid, time.perf_counter() - started_at)
        finally:
            child.stop(process, grace_s=5)


def _mosquitto_path() -> str:
    return shutil.which("mosquitto") or shutil.which("/usr/sbin/mosquitto") or ""


def _accepts(port: int) -> bool:
    try:
        socket.create_connection((child.LOOPBACK, port), 1).close()
    except OSError:
        return False
    return True


def _listen(protocol: str) -> list[str]:
    return [f"{name}=127.0.0.1:0" for name in ("amqp", *WARREN_LISTENERS.get(protocol, (protocol,)))]


def _options(protocol: str) -> tuple[str, ...]:
    return ("--set", "plugins=management") if protocol == "management" else ()


def _server(broker: WarrenProcess, protocol: str) -> Server:
    addresses = broker.addresses
    if protocol == "web_mqtt":
        return Server(addresses["ws"][1], broker.process.pid, broker.start_s, addresses["mqtt"][1])
    if protocol == "management":
        return Server(broker.amqp_port, broker.process.pid, broker.start_s, http_port=addresses["http"][1])
    return Server(addresses[protocol][1], broker.process.pid, broker.start_s)


def peers() -> Mapping[str, Peer]:
    """All kinds of broker by name.  The first is the one that the others' ratios are given for."""
    python = f"CPython {platform.python_version()}"
    known = [
        Peer("warren", python, True, _warren),
        Peer("rabbitmq", rabbitmq_version(), rabbitmq_available(), _rabbitmq),
        Peer("warren-in-memory", python, True, _warren_in_memory),
        Peer("mosquitto", "as installed", bool(_mosquitto_path()), _mosquitto),
    ]
    return {peer.name: peer for peer in known}
