"""A channel to another broker: methods and their replies, publishes and their confirms, deliveries.

Whoever drives the connection looks, after each read, at what has come: `arrived`, `confirmed`, `returned`, `cancelled`,
`closed`.  Replies come in the order of the methods asked (AMQP 0-9-1 1.1, synchronous methods), so one queue of those
who wait is enough.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple

from warren.adapters.amqp091.client.incoming import Incoming
from warren.adapters.amqp091.codec import methods
from warren.adapters.amqp091.codec.constants import FRAME_OVERHEAD_BYTES
from warren.adapters.amqp091.codec.content import IncomingContent
from warren.adapters.amqp091.codec.framing import content_frames
from warren.adapters.peers.errors import PeerError
from warren.core.errors import BrokerError

if TYPE_CHECKING:
    from warren.adapters.amqp091.client.connection import ClientConnection
    from warren.core.messages.properties import Properties

ADDRESSES_MAX: Final = 256
"""Exchanges with routing keys whose bytes are remembered per channel and direction."""

CONTENT_BYTES_MAX: Final = 512 * 1024 * 1024
"""The largest body taken from a peer: RabbitMQ's own upper bound for max_message_size."""

HEADER_BYTES: Final = 12
"""What a content header holds before the property list."""

Replied = Callable[["methods.Method | PeerError"], None]
"""Takes the reply, or why none will come."""


class Confirm(NamedTuple):
    """The peer's word about a publish, or about all up to it.  taken: False for a nack."""

    number: int
    multiple: bool
    taken: bool


class ClientChannel:
    """number: on the wire.  published: how many messages so far; the number of the last one in confirm mode.

    arrived: deliveries, oldest first, for whoever consumes to take out.  confirmed: likewise.  returned: what was
    unroutable, before its confirm, with the peer's reason.  cancelled: the peer has ended the consumer.
    closed: why it is over, by whichever side.
    """

    __slots__ = (
        "_asked",
        "_content",
        "_heads",
        "addresses",
        "arrived",
        "cancelled",
        "closed",
        "confirmed",
        "connection",
        "number",
        "published",
        "returned",
    )

    def __init__(self, connection: ClientConnection, number: int) -> None:
        self.connection = connection
        self.number = number
        self.published = 0
        self.arrived: deque[Incoming] = deque()
        self.confirmed: list[Confirm] = []
        self.returned: list[tuple[methods.BasicReturn, Incoming]] = []
        self.cancelled = False
        self.closed: PeerError | None = None
        self.addresses: dict[bytes, tuple[str, str]] = {}
        self._heads: dict[tuple[str, str, bool], bytes] = {}
        self._asked: deque[tuple[type[methods.Method], Replied]] = deque()
        self._content: IncomingContent[methods.BasicDeliver | methods.BasicReturn] | None = None

    # Outwards

    def ask(self, method: methods.Method, reply: type[methods.Method], replied: Replied) -> None:
        """Send a method that the peer answers with `reply`."""
        if self.closed is not None:
            replied(self.closed)
            return
        self._asked.append((reply, replied))
        self.connection.send(self.number, method)

    def tell(self, method: methods.Method) -> None:
        """Send a method that has no answer; nothing happens on a closed channel."""
        if self.closed is None:
            self.connection.send(self.number, method)

    def publish(
        self, exchange: str, routing_key: str, properties: Properties, body: bytes, *, mandatory: bool = False
    ) -> int:
        """Send a message; its number, which a confirm will name.

        Raises ValueError for an address or headers that don't fit the peer's frames, and PeerError on a closed channel.
        """
        if self.closed is not None:
            raise self.closed
        connection = self.connection
        frame_max = connection.frame_max
        if len(properties.raw) + HEADER_BYTES + FRAME_OVERHEAD_BYTES > frame_max:
            raise ValueError(
                f"properties of {len(properties.raw)} bytes don't fit a frame of the peer's ({frame_max} bytes)"
            )
        head = self._heads.get((exchange, routing_key, mandatory))
        if head is None:
            head = self._remember(exchange, routing_key, mandatory)
        connection.write(head)
        connection.write(content_frames(self.number, properties.raw, body, frame_max - FRAME_OVERHEAD_BYTES))
        self.published += 1
        return self.published

    def ack(self, tag: int, *, multiple: bool = False) -> None:
        """A delivery, or all up to it, is done with."""
        self.tell(methods.BasicAck(tag, multiple))

    def reject(self, tag: int) -> None:
        """A delivery can't be used: the peer dead-letters it, or drops it."""
        self.tell(methods.BasicReject(tag, requeue=False))

    def close(self) -> None:
        """End it without a reason to tell."""
        if self.closed is None:
            self.tell(methods.ChannelClose(200, "bye"))
            self.end(PeerError("the channel was closed here"))

    # Inwards

    def method(self, method: methods.Method) -> None:
        """What the peer says on this channel, off the fast path; PeerError if it mustn't."""
        if self._content is not None:
            raise PeerError(f"the peer sent {method.NAME} within a message")
        if isinstance(method, (methods.BasicDeliver, methods.BasicReturn)):
            self._content = IncomingContent(method, b"")
        elif isinstance(method, methods.BasicAck):
            self.confirmed.append(Confirm(method.delivery_tag, method.multiple, True))
        elif isinstance(method, methods.BasicNack):
            self.confirmed.append(Confirm(method.delivery_tag, method.multiple, False))
        elif isinstance(method, methods.BasicCancel):
            self._cancel(method)
        elif isinstance(method, methods.ChannelClose):
            self.connection.send(self.number, methods.ChannelCloseOk())
            self.end(PeerError(method.reply_text or f"closed with code {method.reply_code}", method.reply_code))
        elif isinstance(method, methods.ChannelFlow):
            self.connection.send(self.number, methods.ChannelFlowOk(method.active))
        else:
            self._replied(method)

    def content(self, kind: int, payload: bytes) -> None:
        """A content header or body frame; PeerError without a message that it belongs to."""
        content = self._content
        if content is None:
            raise PeerError("the peer sent content without a message that it belongs to")
        try:
            content.add(kind, payload, CONTENT_BYTES_MAX)
        except BrokerError as error:
            raise PeerError(f"the peer sent a message that can't be read: {error.text}") from error
        if content.complete:
            self._content = None
            self._arrived(content)

    def end(self, why: PeerError) -> None:
        """It is over: who waits for a reply is told."""
        if self.closed is not None:
            return
        self.closed = why
        asked, self._asked = self._asked, deque()
        for _, replied in asked:
            replied(why)

    # Below

    def _remember(self, exchange: str, routing_key: str, mandatory: bool) -> bytes:
        method = methods.BasicPublish(exchange=exchange, routing_key=routing_key, mandatory=mandatory)
        head = methods.encode_frame(self.number, method)
        if len(self._heads) >= ADDRESSES_MAX:
            self._heads.clear()
        self._heads[exchange, routing_key, mandatory] = head
        return head

    def _cancel(self, method: methods.BasicCancel) -> None:
        self.cancelled = True
        if not method.nowait:
            self.connection.send(self.number, methods.BasicCancelOk(method.consumer_tag))

    def _replied(self, method: methods.Method) -> None:
        if not self._asked:
            raise PeerError(f"the peer sent {method.NAME}, which nobody had asked for")
        expected, replied = self._asked.popleft()
        if not isinstance(method, expected):
            raise PeerError(f"the peer sent {method.NAME} where {expected.NAME} was due")
        replied(method)

    def _arrived(self, content: IncomingContent[methods.BasicDeliver | methods.BasicReturn]) -> None:
        method = content.method
        if isinstance(method, methods.BasicReturn):
            back = Incoming(0, False, method.exchange, method.routing_key, content.properties, content.body())
            self.returned.append((method, back))
            return
        self.arrived.append(
            Incoming(
                method.delivery_tag,
                method.redelivered,
                method.exchange,
                method.routing_key,
                content.properties,
                content.body(),
            )
        )
