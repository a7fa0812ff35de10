"""The brokers that are compared: each started afresh as a child process, and described in one way."""

from __future__ import annotations

import compileall
import os
import platform
import shutil
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.benchmarks.client import Client
from tests.benchmarks.job import QUEUE
from tests.support import child
from tests.support.certificates import Files, TestAuthority
from tests.support.cluster import linked_options
from tests.support.ctl import ctl
from tests.support.nats_servers import nats_cluster
from tests.support.ports import free_ports
from tests.support.rabbitmq import RabbitMQ, killed_and_started, rabbitmq, rabbitmq_available, rabbitmq_version
from tests.support.warren_process import REPOSITORY, WarrenProcess, start_warren, warren_process

RABBITMQ_PLUGINS: Mapping[str, tuple[str, ...]] = {
    "amqp": (),
    "amqps": (),
    "recovery": (),
    "amqp10": ("rabbitmq_amqp1_0",),
    "stomp": ("rabbitmq_stomp",),
    "stream": ("rabbitmq_stream",),
    "mqtt": ("rabbitmq_mqtt",),
    "web_mqtt": ("rabbitmq_mqtt", "rabbitmq_web_mqtt"),
    "shovel": ("rabbitmq_shovel",),
    "management": ("rabbitmq_management",),
    "cluster": (),
    "hop": (),
    "no_hop": (),
}
"""What RabbitMQ needs for a protocol; nothing else is enabled."""

WARREN_LISTENERS: Mapping[str, tuple[str, ...]] = {
    "amqp": (),
    "amqp10": (),
    "recovery": (),
    "shovel": (),
    "web_mqtt": ("mqtt", "ws"),
    "management": ("http", "metrics"),
    "cluster": (),
    "hop": (),
    "no_hop": (),
}
"""What Warren listens for beside AMQP; for a protocol that isn't here, for that."""


HOPS = ("hop", "no_hop")
"""Protocols: AMQP 0-9-1 to a node of two, whose queue is on the other one, or on that one."""

OTHER = "other-warren"
"""The name of Warren from another working tree (`--against`)."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running broker: its port on loopback for the protocol asked for, the root of its process tree, and how long its
    start took.

    start_s: from starting the process to its first answer to an AMQP protocol header.  mqtt_port: for the protocol
    `web_mqtt`, where the same broker speaks MQTT without WebSocket; else 0.  http_port: for the protocol `management`,
    where its API is, and metrics_port, where its metrics are; else 0.  upstream, set_shovel: for the protocol
    `shovel`, where messages are brought to (for RabbitMQ the broker itself), and declaring a shovel by its value.
    start_again: for the protocol `recovery`, kill -9 and another start with the same data.
    begin, end: called around a load that is measured, by scenarios that consist of one.
    """

    port: int
    pid: int
    start_s: float
    mqtt_port: int = 0
    upstream: Server | None = None
    set_shovel: Callable[[str], object] | None = None
    http_port: int = 0
    start_again: Callable[[], Server] | None = None
    begin: Callable[[], None] = lambda: None
    end: Callable[[], None] = lambda: None
    metrics_port: int = 0


@dataclass(frozen=True, slots=True)
class Peer:
    """A kind of broker.  `start(parent, protocol)` runs one with its data below the directory `parent`."""

    name: str
    version: str
    available: bool
    start: Callable[[Path | None, str], AbstractContextManager[Server]]


@contextmanager
def _warren(parent: Path | None, protocol: str) -> Iterator[Server]:
    with warren_of(REPOSITORY, parent, protocol) as server:
        yield server


@contextmanager
def warren_of(
    checkout: Path, parent: Path | None, protocol: str, *, in_memory: bool = False, launcher: Sequence[str] = ()
) -> Iterator[Server]:
    """Warren of a checkout, as a protocol wants it.  launcher: of most protocols, see `start_warren`."""
    _compile(checkout)
    if protocol == "shovel":
        with _warren_with_upstream(parent, checkout) as server:
            yield server
        return
    if protocol == "recovery":
        with _warren_to_kill(parent, checkout) as server:
            yield server
        return
    if protocol == "cluster":
        with _warren_in_cluster(parent, checkout, launcher) as server:
            yield server
        return
    if protocol in HOPS:
        with _warren_nodes(parent, checkout, protocol) as server:
            yield server
        return
    with (
        _options(protocol) as options,
        warren_process(
            in_memory=in_memory,
            parent=parent,
            listen=_listen(protocol),
            options=options,
            checkout=checkout,
            launcher=launcher,
        ) as broker,
    ):
        yield _server(broker, protocol)


@cache
def _compile(checkout: Path) -> None:
    """Write bytecode, as pip does when it installs, so that a start isn't a compilation."""
    for folder in (checkout / "src" / "warren").glob("*/"):
        compileall.compile_dir(folder, quiet=2)


@contextmanager
def _warren_to_kill(parent: Path | None, checkout: Path) -> Iterator[Server]:
    with TemporaryDirectory(prefix="warren-", dir=parent) as name, ExitStack() as stack:
        directory = Path(name)

        def start() -> Server:
            broker = start_warren(directory, data_directory=directory / "data", checkout=checkout)
            stack.callback(broker.kill)

            def start_again() -> Server:
                broker.kill()
                return start()

            return replace(_server(broker, "amqp"), start_again=start_again)

        yield start()


@contextmanager
def _warren_in_cluster(parent: Path | None, checkout: Path, launcher: Sequence[str]) -> Iterator[Server]:
    """One node on three NATS servers, whose processor time isn't the broker's."""
    with TemporaryDirectory(prefix="nats-", dir=parent) as name, nats_cluster(Path(name)) as servers:
        addresses = ",".join(server.address for server in servers)
        options = ("--cluster", addresses)
        with warren_process(parent=parent, checkout=checkout, options=options, launcher=launcher) as broker:
            yield _server(broker, "amqp")


@contextmanager
def _warren_nodes(parent: Path | None, checkout: Path, protocol: str) -> Iterator[Server]:
    """Two nodes on three NATS servers, of which the first has the queue; the other one for a hop."""
    with TemporaryDirectory(prefix="nats-", dir=parent) as name, nats_cluster(Path(name)) as servers:
        addresses = ",".join(server.address for server in servers)
        options = ("--cluster", addresses, *linked_options(Path(name)))
        with (
            warren_process(parent=parent, checkout=checkout, options=(*options, "--node-name", "n1")) as first,
            warren_process(parent=parent, checkout=checkout, options=(*options, "--node-name", "n2")) as second,
        ):
            with closing(Client(first.amqp_port)) as client:
                client.declare_queue(QUEUE, durable=True)
            yield _server(second if protocol == "hop" else first, "amqp")


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
    return Peer(
        OTHER,
        f"CPython {platform.python_version()}, {directory.name}",
        True,
        lambda parent, protocol: warren_of(directory, parent, protocol),
    )


@contextmanager
def _warren_in_memory(parent: Path | None, protocol: str) -> Iterator[Server]:
    with warren_of(REPOSITORY, parent, protocol, in_memory=True) as server:
        yield server


@contextmanager
def _rabbitmq(parent: Path | None, protocol: str) -> Iterator[Server]:
    if protocol in ("cluster", *HOPS):
        with _rabbitmq_nodes(parent, protocol) as server:
            yield server
        return
    if protocol == "amqps":
        with _rabbitmq_with_tls(parent) as server:
            yield server
        return
    with rabbitmq(parent=parent, plugins=RABBITMQ_PLUGINS[protocol]) as node, ExitStack() as stack:
        if protocol == "recovery":
            yield _rabbitmq_to_kill(node, stack)
            return
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
        port = node.amqp_port if protocol == "amqp10" else node.ports[protocol]
        yield Server(port, node.process.pid, node.start_s, mqtt_port)


@contextmanager
def _rabbitmq_nodes(parent: Path | None, protocol: str) -> Iterator[Server]:
    """Three nodes, or two of which the first has the queue.  The one that is spoken to is what is looked at."""
    with rabbitmq(parent=parent) as first, rabbitmq(parent=parent, beside=first) as second, ExitStack() as stack:
        if protocol == "cluster":
            stack.enter_context(rabbitmq(parent=parent, beside=first))
        else:
            with closing(Client(first.amqp_port)) as client:
                client.declare_queue(QUEUE, durable=True)
        node = second if protocol == "hop" else first
        yield Server(node.amqp_port, node.process.pid, node.start_s)


def _rabbitmq_to_kill(node: RabbitMQ, stack: ExitStack) -> Server:
    def start_again() -> Server:
        again = killed_and_started(node)
        stack.callback(child.stop, again.process, 0)
        return _rabbitmq_to_kill(again, stack)

    return Server(node.amqp_port, node.process.pid, node.start_s, start_again=start_again)


@contextmanager
def _rabbitmq_with_tls(parent: Path | None) -> Iterator[Server]:
    with _certificate() as (authority, files):
        (port,) = free_ports(1)
        lines = [
            f"listeners.ssl.1 = {child.LOOPBACK}:{port}",
            f"ssl_options.cacertfile = {authority.ca}",
            f"ssl_options.certfile = {files.certificate}",
            f"ssl_options.keyfile = {files.key}",
            "ssl_options.verify = verify_none",
        ]
        with rabbitmq(parent=parent, configuration=lines) as node:
            yield Server(port, node.process.pid, node.start_s)


@contextmanager
def _certificate() -> Iterator[tuple[TestAuthority, Files]]:
    with TemporaryDirectory(prefix="certificates-") as name:
        authority = TestAuthority(Path(name))
        yield authority, authority.issue("server", "localhost", child.LOOPBACK)


@contextmanager
def _mosquitto(parent: Path | None, protocol: str) -> Iterator[Server]:
    """Mosquitto as it comes, except that it may queue what its bounded queues would drop."""
    if protocol != "mqtt":
        raise child.ChildError("mosquitto speaks MQTT alone")
    program = _mosquitto_path()
    with TemporaryDirectory(prefix="mosquitto-", dir=parent) as name:
        (port,) = free_ports(1)
        configuration = Path(name) / "mosquitto.conf"
        configuration.write_text(f"listener {port} {child.LOOPBACK}\nallow_anonymous true\nmax_queued_messages 0\n")
        log = Path(name) / "log"
        started_at = time.perf_counter()
        process = child.start([program, "-c", str(configuration)], log, os.environ, Path(name))
        try:
            child.wait_until(lambda: _accepts(port), process, log, 60, "starting mosquitto")
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


@contextmanager
def _options(protocol: str) -> Iterator[tuple[str, ...]]:
    """What Warren is started with; files that this names are there meanwhile."""
    if protocol != "amqps":
        # An older checkout has them off unless they are named.
        yield ("--set", "plugins=management,metrics") if protocol == "management" else ()
        return
    with _certificate() as (_, files):
        yield "--set", f"tls_certificate_file={files.certificate}", "--set", f"tls_key_file={files.key}"


def _server(broker: WarrenProcess, protocol: str) -> Server:
    addresses = broker.addresses
    if protocol == "web_mqtt":
        return Server(addresses["ws"][1], broker.process.pid, broker.start_s, addresses["mqtt"][1])
    if protocol == "management":
        return Server(
            broker.amqp_port,
            broker.process.pid,
            broker.start_s,
            http_port=addresses["http"][1],
            metrics_port=addresses["metrics"][1],
        )
    if protocol == "amqp10":
        protocol = "amqp"
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
