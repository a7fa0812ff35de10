"""Warren processes as nodes of a cluster, on real NATS servers, and what a client says to them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pika
from pika.adapters.blocking_connection import BlockingChannel

from tests.support.nats_servers import NatsServer
from tests.support.warren_process import WarrenProcess, start_warren

QUORUM = {"x-queue-type": "quorum"}

AMQP = ("amqp=127.0.0.1:0",)


def start_node(
    parent: Path,
    name: str,
    servers: Sequence[NatsServer],
    options: Sequence[str] = (),
    *,
    listen: Sequence[str] = AMQP,
    addresses: Sequence[str] = (),
    launcher: Sequence[str] = (),
) -> WarrenProcess:
    """A node with a data directory of its own below `parent`, which is there again at its next start.

    listen: all its addresses for clients.  addresses: where it reaches the servers, if not where they are.
    launcher: as in start_warren.
    """
    directory = parent / name
    directory.mkdir(exist_ok=True)
    reached = ",".join(addresses or [server.address for server in servers])
    return start_warren(
        directory,
        data_directory=directory / "data",
        listen=listen,
        options=["--cluster", reached, "--node-name", name, *options],
        launcher=launcher,
    )


@contextmanager
def channel_of(node: WarrenProcess) -> Iterator[BlockingChannel]:
    """A channel with confirms."""
    connection = pika.BlockingConnection(
        pika.ConnectionParameters("127.0.0.1", node.amqp_port, blocked_connection_timeout=60, heartbeat=0)
    )
    try:
        channel = connection.channel()
        channel.confirm_delivery()
        yield channel
    finally:
        if connection.is_open:
            connection.close()


def publish(channel: BlockingChannel, queue: str, bodies: Sequence[str]) -> None:
    """Each confirmed; raises where one isn't."""
    for body in bodies:
        channel.basic_publish("", queue, body.encode())


def drained(channel: BlockingChannel, queue: str, *, ack: bool = True) -> list[str]:
    """All that is in it, in order, by basic.get."""
    found: list[str] = []
    while True:
        method, _, body = channel.basic_get(queue)
        if method is None or body is None:
            return found
        found.append(body.decode())
        if ack:
            channel.basic_ack(method.delivery_tag)


def linked_options(directory: Path) -> list[str]:
    """Options of nodes that reach each other over links.  directory: where the secret that they share is kept."""
    secret = directory / "secret"
    secret.write_text("the secret of this cluster")
    return ["--set", f"cluster_secret_file={secret}", "--set", "cluster_link=127.0.0.1:0"]


class Nodes:
    """Nodes of a test, each ended at the end of the block.

    parent: where their directories are.  listen: all their addresses for clients.
    """

    def __init__(self, parent: Path, servers: Sequence[NatsServer], listen: Sequence[str] = AMQP) -> None:
        self._parent = parent
        self._servers = servers
        self._listen = listen
        self._started: list[WarrenProcess] = []

    def __enter__(self) -> Nodes:
        return self

    def __exit__(self, *error: object) -> None:
        for node in self._started:
            node.kill()

    def start(
        self,
        name: str,
        *options: str,
        shards: int = 4,
        addresses: Sequence[str] = (),
        launcher: Sequence[str] = (),
    ) -> WarrenProcess:
        """A node, or one that has ended before; as start_node has it."""
        node = start_node(
            self._parent,
            name,
            self._servers,
            ["--set", f"cluster_shards={shards}", *options],
            listen=self._listen,
            addresses=addresses,
            launcher=launcher,
        )
        self._started.append(node)
        return node
