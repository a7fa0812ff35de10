"""Two brokers joined by links without sockets, in one process: what one has, the other reaches by remote queues."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tests.support import core_clients
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_transport import SimulatedTransport
from warren.adapters.amqp091.connection import Connection
from warren.adapters.amqp091.nodes.link import NodeLink, NodeLinks
from warren.adapters.amqp091.nodes.owning_end import NodeAccess
from warren.core.cluster.remote_queue import RemoteQueue
from warren.core.cluster.remote_types import remote_queue
from warren.core.messages.field_table import Encodable
from warren.core.messages.message import Message
from warren.core.messages.properties import encode_properties
from warren.core.queues.base import Queue
from warren.core.routing.receipt import Receipt

SECRET = b"the secret of this cluster"
PERSISTENT = encode_properties(delivery_mode=2)
ROUNDS_MAX = 10_000


class Socket:
    """One connection between two nodes: both ends, and what is on its way.

    cut: how many bytes an end is given at once, None for all.  silent: nothing arrives any more, and nobody is told.
    """

    def __init__(self, link: NodeLink, asking: SimulatedTransport, asked: SimulatedTransport) -> None:
        self.link = link
        self.asking = asking
        self.asked = asked
        self.cut: int | None = None
        self.silent = False

    def move(self) -> bool:
        """Let both ends have what the other has sent; whether there was anything."""
        if self.silent:
            return False
        there, back = self.asking.take(), self.asked.take()
        for data, end in ((there, self.asked), (back, self.asking)):
            step = self.cut or max(len(data), 1)
            for start in range(0, len(data), step):
                end.receive(data[start : start + step])
        for one, other in ((self.asking, self.asked), (self.asked, self.asking)):
            if one.closed and not other.closed:
                other.lose()
                return True
        return bool(there or back)


class PairedBroker(SimulatedBroker):
    """A near node that settles with the far one: for tests that know of one broker."""

    pair: NodePair | None = None

    def settle(self) -> None:
        pair, self.pair = self.pair, None
        if pair is None:
            super().settle()
            return
        try:
            pair.settle()
        finally:
            self.pair = pair

    def advance(self, milliseconds: int) -> None:
        super().advance(milliseconds)
        if self.pair is not None:
            self.pair.far.advance(milliseconds)
            self.settle()


class NodePair:
    """near: where clients are.  far: whose queues they use.  cut: no connection is made any more.

    secret: what the near node proves itself with.
    """

    def __init__(self, near: SimulatedBroker, far: SimulatedBroker, secret: bytes = SECRET) -> None:
        self.near = near
        self.far = far
        self.cut = False
        self.sockets: list[Socket] = []
        self.links = NodeLinks(near.broker, "near", secret, self._dial)
        self._access = replace(far.settings, nodes=NodeAccess(SECRET, "far"), channel_max=0)

    def _dial(self, link: NodeLink) -> None:
        if self.cut:
            link.failed("the network is cut")
            return
        asking, asked = SimulatedTransport(), SimulatedTransport()
        connection = Connection(self.far.broker, asked, self._access)
        asked.start(connection, connection.outbox)
        asked.unkept = self.far.broker.unkept
        outbox = link.carried(asking)
        asking.start(link, outbox)
        self.sockets.append(Socket(link, asking, asked))

    def settle(self) -> None:
        """Until neither node nor any link has anything to do."""
        for _ in range(ROUNDS_MAX):
            self.near.settle()
            self.far.settle()
            moved = [socket.move() for socket in self.sockets]
            self.sockets = [each for each in self.sockets if not (each.asking.closed and each.asked.closed)]
            if not any(moved):
                return
        raise AssertionError("the two never come to rest")

    def advance(self, milliseconds: int) -> None:
        """Time passes on both."""
        self.near.advance(milliseconds)
        self.far.advance(milliseconds)
        self.settle()

    def lose_links(self) -> None:
        """All connections between the two break; new ones may be made."""
        for socket in self.sockets:
            socket.asking.lose()
            socket.asked.lose()
        self.settle()

    def remote(self, name: str = "q", arguments: Mapping[str, Encodable] | None = None) -> RemoteQueue:
        """What stands at the near node for a queue that the far one has already."""
        made = self.remote_beside(name, arguments)
        self.near.vhost.queues[name] = made
        self.near.vhost.changed()
        return made

    def remote_beside(self, name: str = "q", arguments: Mapping[str, Encodable] | None = None) -> RemoteQueue:
        """The same, where it isn't among the queues yet."""
        vhost = self.near.vhost
        decoded, raw = core_clients.table(arguments or {})
        return remote_queue(
            vhost,
            name,
            lambda queue: self.links.to("far", vhost.name).way_to(name, queue),
            arguments=decoded,
            arguments_raw=raw,
        )

    def declare(self, name: str = "q", arguments: Mapping[str, Encodable] | None = None) -> tuple[Queue, RemoteQueue]:
        """A durable queue of the far node, and what stands for it at the near one."""
        own = core_clients.queue(self.far, name, arguments, durable=True)
        return own, self.remote(name, arguments)


def publish_near(pair: NodePair, *bodies: bytes, exchange: str = "", key: str = "q") -> list[bool | None]:
    """Publish at the near node; what each receipt says afterwards, None for nothing yet."""
    vhost = pair.near.vhost
    answers: list[bool | None] = []
    for body in bodies:
        route = vhost.route(exchange, key)
        receipt = route.receipt or Receipt()
        message = Message(
            vhost.broker.next_sequence(), route.address, PERSISTENT, body, 0, len(body), 0, vhost.broker.now_ms
        )
        vhost.publish(route, message, None, 0, receipt)
        index = len(answers)
        answers.append(None)
        receipt.then(lambda taken, index=index: answers.__setitem__(index, taken))  # type: ignore[misc]
    pair.settle()
    return answers
