"""A link to another node, for one virtual host: made when somebody wants a queue there, and made anew when it is lost.

Theory of operation
-------------------
`NodeLink` outlives its connections.  Whoever has sockets (gateway.cluster) is asked to `dial`, and gives a transport by
`carried`, or says that there is none (`failed`); both may happen at any time.  A connection is a client half of AMQP
0-9-1 (connection.py) that is fed by the hub as any session is, so what it is given in a turn is sent at the end of it.

A link that nobody wants is closed after a while.  One that is lost is dialled again, after pauses that grow; who has
a way over it is told at once, and once more when it is there again.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from warren.adapters.amqp091.client.handshake import Login
from warren.adapters.amqp091.codec import methods
from warren.adapters.amqp091.nodes.connection import LinkConnection
from warren.adapters.amqp091.nodes.far_channel import FarChannel, Way
from warren.adapters.peers.errors import PeerError
from warren.adapters.peers.node_proof import AskingNode
from warren.core.clients.outbox import HIGH_WATER_BYTES, Outbox

if TYPE_CHECKING:
    from collections.abc import Callable

    from warren.core.broker import Broker
    from warren.core.clients.transport import Transport
    from warren.core.cluster.far_queue import NearQueue
    from warren.core.deadlines import Deadline

_log = logging.getLogger("warren.cluster")

DIAL_LEAST_MS: Final = 100
DIAL_MOST_MS: Final = 5000
"""The pauses between attempts to reach a node: the first is short, since most losses are those of a restart."""

IDLE_MS: Final = 60_000
"""A link that nobody wants stays so long: who asks for one queue often asks for another."""

HEARTBEAT_S: Final = 5
"""A node that vanished without a word is noticed within 10 s."""

LOGIN_MS: Final = 10_000
"""So long a handshake may take."""


class NodeLink:
    """A session in the sense of core.clients.transport.Session, over all its connections; see the head of this file.

    node, vhost: where it leads.  connection: None while there is none.  opened_count: how often there was one that the
    other node let in.
    """

    def __init__(
        self, broker: Broker, node: str, vhost: str, own_name: str, secret: bytes, dial: Callable[[NodeLink], None]
    ) -> None:
        self.broker = broker
        self.node = node
        self.vhost = vhost
        self.connection: LinkConnection | None = None
        self.outbox: Outbox | None = None
        self._own_name = own_name
        self._secret = secret
        self._dial = dial
        self._transport: Transport | None = None
        self._ways: dict[Way, None] = {}
        self._dialling = False
        self._ended = False
        self._pause_ms = DIAL_LEAST_MS
        self._due: Deadline | None = None
        self._beat: Deadline | None = None
        self._idle: Deadline | None = None
        self._told = ""
        self.opened_count = 0

    @property
    def is_there(self) -> bool:
        """Whether there is a connection that can be used."""
        return self.connection is not None and self.connection.opened and self.connection.closed is None

    @property
    def is_wanted(self) -> bool:
        """Whether somebody wants a queue there."""
        return bool(self._ways)

    def way_to(self, queue_name: str, near: NearQueue) -> Way:
        """The way to a queue of that node."""
        return Way(self, queue_name, near)

    @property
    def unsent_bytes(self) -> int:
        """What was written and hasn't reached the socket."""
        return HIGH_WATER_BYTES - self.outbox.room if self.outbox is not None else 0

    # For ways

    def want(self, way: Way) -> None:
        """Somebody wants a queue there."""
        self._ways[way] = None
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
        if self.connection is None and not self._dialling and self._due is None and not self._ended:
            self._dial_now(self.broker.now_ms)

    def unwant(self, way: Way) -> None:
        """Nobody wants it any more."""
        if self._ways.pop(way, True) is None and not self._ways and self._idle is None:
            self._idle = self.broker.deadlines.schedule(self.broker.now_ms + IDLE_MS, self._idle_for_long)

    def open_channel(self, near: NearQueue) -> FarChannel:
        """A channel with a number of its own; channel.open is for who asks.  PeerError when there is none left."""
        connection = self.connection
        if connection is None or connection.closed is not None:
            raise PeerError("there is no connection")
        channels = connection.channels
        number = len(channels) + 1
        if number in channels or number > connection.channel_max:
            number = next((each for each in range(1, connection.channel_max + 1) if each not in channels), 0)
        if not number:
            raise PeerError(f"all {connection.channel_max} channels that the other node allows are open")
        channel = FarChannel(connection, number, near)
        channels[number] = connection.far_channels[number] = channel
        return channel

    # For who has sockets

    def carried(self, transport: Transport) -> Outbox:
        """There is a socket: the session is this link, and this is its outbox."""
        self._dialling = False
        self._transport = transport
        self.outbox = outbox = Outbox(self.broker.touched, transport)
        node = AskingNode(self._secret, self._own_name)
        login = Login(
            "Warren",
            "",
            f"node {self._own_name}",
            self.vhost,
            node=node,
            mechanism="WARREN-NODE-SHA-256",
            heartbeat_s=HEARTBEAT_S,
            frame_max=0,
        )
        self.connection = LinkConnection(login, self.broker, outbox)
        self._beat = self.broker.deadlines.schedule(self.broker.now_ms + LOGIN_MS, self._advance)
        if self._ended:
            transport.close()
        return outbox

    def failed(self, reason: str) -> None:
        """There is none."""
        self._dialling = False
        self._tell(reason)
        self._dial_later()

    def end(self) -> None:
        """The node leaves the cluster, or this one does: no more connections."""
        self._ended = True
        for deadline in (self._due, self._idle):
            if deadline is not None:
                deadline.cancel()
        self._due = self._idle = None
        if self.connection is not None:
            self._close("the link was ended here")

    # Session

    def receive(self, data: bytes) -> None:
        """Bytes from the other node."""
        connection = self.connection
        if connection is None:
            return
        was_open = connection.opened
        connection.receive(data, self.broker.now_ms)
        if connection.closed is not None:
            self._close(connection.closed.text)
        elif connection.opened and not was_open:
            self._opened(connection)

    def drained(self) -> None:
        """Everything was sent."""

    def connection_lost(self, reason: str) -> None:
        """The socket is gone."""
        connection, self.connection = self.connection, None
        self._transport = None
        self.outbox = None
        if self._beat is not None:
            self._beat.cancel()
            self._beat = None
        if connection is None:
            return
        connection.lost(reason)
        if not self._ended:
            self._tell(connection.closed.text if connection.closed is not None else reason)
            self._dial_later()

    def shut_down(self, reason: str) -> None:
        """The broker stops."""
        self.end()

    # Below

    def _opened(self, connection: LinkConnection) -> None:
        self.opened_count += 1
        self._pause_ms = DIAL_LEAST_MS
        self._told = ""
        _log.info("link to node '%s' for vhost '%s' is there", self.node, self.vhost)
        self._schedule_beat(connection)
        for way in list(self._ways):
            way.link_opened()

    def _advance(self, now_ms: int) -> None:
        self._beat = None
        connection = self.connection
        if connection is None:
            return
        if not connection.opened:
            self._close("the other node hasn't let it in within 10 s")
            return
        connection.advance(now_ms)
        if connection.closed is not None:
            self._close(connection.closed.text)
        else:
            self._schedule_beat(connection)

    def _schedule_beat(self, connection: LinkConnection) -> None:
        if self._beat is not None:
            self._beat.cancel()
        due_ms = connection.next_at_ms()
        self._beat = None if due_ms is None else self.broker.deadlines.schedule(due_ms, self._advance)

    def _close(self, reason: str) -> None:
        connection, transport = self.connection, self._transport
        if connection is not None:
            if connection.closed is None:
                connection.send(0, methods.ConnectionClose(200, "bye"))
            connection.end(PeerError(reason))
        if transport is not None:
            transport.close()

    def _idle_for_long(self, now_ms: int) -> None:
        self._idle = None
        if not self._ways and self.connection is not None:
            self._close("nobody has wanted it for a while")

    def _dial_later(self) -> None:
        if self._ended or not self._ways or self._due is not None:
            return
        self._due = self.broker.deadlines.schedule(self.broker.now_ms + self._pause_ms, self._dial_now)
        self._pause_ms = min(2 * self._pause_ms, DIAL_MOST_MS)

    def _dial_now(self, now_ms: int) -> None:
        self._due = None
        if not self._ended and self.connection is None and not self._dialling:
            self._dialling = True
            self._dial(self)

    def _tell(self, reason: str) -> None:
        """Once for each reason, not for each attempt."""
        if reason != self._told:
            self._told = reason
            _log.warning("no link to node '%s' for vhost '%s': %s", self.node, self.vhost, reason)


class NodeLinks:
    """All links of this node, by node and virtual host.

    dial: asked for a socket to a link's node; it calls the link's `carried` or `failed`.
    """

    __slots__ = ("_broker", "_dial", "_links", "_name", "_secret")

    def __init__(self, broker: Broker, name: str, secret: bytes, dial: Callable[[NodeLink], None]) -> None:
        self._broker = broker
        self._name = name
        self._secret = secret
        self._dial = dial
        self._links: dict[tuple[str, str], NodeLink] = {}

    def to(self, node: str, vhost: str) -> NodeLink:
        """The link to this node for this virtual host; there is one for as long as there are these links."""
        found = self._links.get((node, vhost))
        if found is None:
            found = NodeLink(self._broker, node, vhost, self._name, self._secret, self._dial)
            self._links[node, vhost] = found
        return found

    def all(self) -> list[NodeLink]:
        """Every link, connected or not."""
        return list(self._links.values())

    def end(self) -> None:
        """This node leaves."""
        for link in self._links.values():
            link.end()
