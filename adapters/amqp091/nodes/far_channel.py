"""A channel of a link, for one queue: the way to it as core knows it (core.cluster.far_queue.FarQueue) on the wire.

`FarChannel` is one opening of it; `Way` is what core holds, over all openings.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from warren.adapters.amqp091.client.channel import CONTENT_BYTES_MAX, ClientChannel
from warren.adapters.amqp091.codec import methods
from warren.adapters.amqp091.codec.constants import FRAME_OVERHEAD_BYTES
from warren.adapters.amqp091.codec.content import IncomingContent
from warren.adapters.amqp091.codec.framing import content_frames
from warren.adapters.amqp091.codec.methods_between_nodes import (
    NodeBrowse,
    NodeBrowseFound,
    NodeBrowseOk,
    NodeEnded,
    NodeGrant,
    NodeLook,
    NodeLookOk,
    NodeRelease,
)
from warren.adapters.peers.errors import PeerError
from warren.core.cluster.far_queue import Arrival
from warren.core.errors import AccessRefused, BrokerError, InternalError, NotFound, ResourceLocked
from warren.core.messages.field_table import encode_table
from warren.core.messages.message import Message

if TYPE_CHECKING:
    from warren.adapters.amqp091.nodes.arrivals import Row
    from warren.adapters.amqp091.nodes.connection import LinkConnection
    from warren.adapters.amqp091.nodes.link import NodeLink
    from warren.core.cluster.far_queue import NearQueue
    from warren.core.deadlines import Deadline
    from warren.core.messages.address import Address
    from warren.core.messages.properties import Properties
    from warren.core.queues.answer import Answer
    from warren.core.queues.consumer import Consumer
    from warren.core.storage.definitions.store import JSON

ROWS_MAX: Final = 256
"""Kinds of deliveries that are remembered, for each channel."""

AGAIN_LEAST_MS: Final = 50
AGAIN_MOST_MS: Final = 1000
"""Between attempts to open a channel that the other node has closed, as it doesn't have the queue just now: the first
comes soon, since a queue that was just declared is there within milliseconds."""

_ERRORS: Final[Mapping[int, type[BrokerError]]] = {403: AccessRefused, 404: NotFound, 405: ResourceLocked}
"""What the other node's refusals are here."""

Key = tuple[bytes, bytes]


class FarChannel(ClientChannel):
    """See the head of this file.

    near: who is told.  consumer_channels: the channels of consumers' own connections, by their tags here, where there
    are such.  rows: kinds of deliveries, see arrivals.py.  when_ended: who wants to know of its end.
    """

    __slots__ = (
        "_found",
        "_publish_head",
        "_publish_of",
        "consumer_channels",
        "link_connection",
        "near",
        "rows",
        "when_ended",
    )

    def __init__(self, connection: LinkConnection, number: int, near: NearQueue) -> None:
        super().__init__(connection, number)
        self.link_connection = connection
        self.near = near
        self.consumer_channels: dict[str, int] = {}
        self.rows: dict[Key, Row] = {}
        self.when_ended: Callable[[PeerError], None] | None = None
        self._found: list[Arrival] = []
        self._publish_of: tuple[Address, Properties, int] | None = None
        self._publish_head = b""

    def remember(self, key: Key, row: Row) -> None:
        """Keep a kind of delivery."""
        if len(self.rows) >= ROWS_MAX:
            self.rows.clear()
        self.rows[key] = row

    # Outwards

    def publish_all(self, messages: list[Message]) -> int:
        """Send messages with all their headers; the number of the last.

        Those that are alike but for their bodies are put on the wire by one beginning.
        """
        connection = self.link_connection
        frame_max = connection.frame_max - FRAME_OVERHEAD_BYTES
        chunks: list[bytes] = []
        of, head = self._publish_of, self._publish_head
        for message in messages:
            address, properties, size = message.address, message.properties, message.body_size
            if of is None or of[0] is not address or of[1] is not properties or of[2] != size:
                if len(properties.raw) > frame_max or size > frame_max or not size:
                    chunks.append(self._method_of(address))
                    chunks.append(content_frames(self.number, properties.raw, message.body, frame_max))
                    continue
                frames = content_frames(self.number, properties.raw, bytes(size), frame_max)
                self._publish_of = of = (address, properties, size)
                self._publish_head = head = self._method_of(address) + frames[: len(frames) - size - 1]
            at = message.body_at
            chunks.append(head)
            chunks.append(message.content[at : at + size])
            chunks.append(b"\xce")
        connection.write(b"".join(chunks))
        self.published += len(messages)
        return self.published

    def _method_of(self, address: Address) -> bytes:
        head = self._heads.get((address.exchange, address.routing_key, False))
        return self._remember(address.exchange, address.routing_key, False) if head is None else head

    # Inwards

    def method(self, method: methods.Method) -> None:
        """See ClientChannel: what nodes say beside AMQP's own, and polls."""
        if self._content is not None:
            raise PeerError(f"the peer sent {method.NAME} within a message")
        if isinstance(method, (methods.BasicGetOk, NodeBrowseFound)):
            self._content = IncomingContent(method, b"")  # type: ignore[arg-type]
        elif isinstance(method, methods.BasicAck):
            self.near.confirmed(method.delivery_tag, multiple=method.multiple, taken=True)
        elif isinstance(method, methods.BasicNack):
            self.near.confirmed(method.delivery_tag, multiple=method.multiple, taken=False)
        elif isinstance(method, NodeEnded):
            self.consumer_channels.pop(method.consumer_tag, None)
            self.near.ended(method.consumer_tag, _error(method.reply_code, method.reply_text))
        elif isinstance(method, methods.BasicCancel):
            self.near.ended(method.consumer_tag, None)
        else:
            super().method(method)

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
            self._complete(content.method, content.properties, content.body())

    def _complete(self, method: methods.Method, properties: Properties, body: bytes) -> None:
        connection = self.link_connection
        if isinstance(method, methods.BasicDeliver):
            arrival = self._arrival(method.delivery_tag, method, properties, body)
            self.near.arrived(method.consumer_tag, [arrival.tag], [arrival.message], redelivered=arrival.redelivered)
        elif isinstance(method, methods.BasicGetOk):
            arrival = self._arrival(method.delivery_tag, method, properties, body)
            self._found = [arrival._replace(left=method.message_count)]
            self._replied(method)
        elif isinstance(method, NodeBrowseFound):
            self._found.append(self._arrival(method.position, method, properties, body))
        else:
            raise PeerError(f"the peer sent {method.NAME} to who only publishes to a queue")
        connection.now_ms = connection.broker.now_ms

    def _arrival(
        self,
        tag: int,
        method: methods.BasicDeliver | methods.BasicGetOk | NodeBrowseFound,
        properties: Properties,
        body: bytes,
    ) -> Arrival:
        broker = self.link_connection.broker
        exchange, key = (each.encode("utf-8", "surrogateescape") for each in (method.exchange, method.routing_key))
        address = self.link_connection.address(b"%c%b%c%b" % (len(exchange), exchange, len(key), key))
        message = Message(broker.next_sequence(), address, properties, body, 0, len(body), 0, broker.now_ms)
        return Arrival(tag, message, method.redelivered)

    def take_found(self) -> list[Arrival]:
        """The messages that answer the question which has just been replied to."""
        found, self._found = self._found, []
        return found

    def end(self, why: PeerError) -> None:
        """See ClientChannel; `near` is told by the way."""
        if self.closed is None:
            super().end(why)
            self.link_connection.far_channels.pop(self.number, None)
            if self.when_ended is not None:
                self.when_ended(why)


class Way:
    """The way to one queue, over all openings; a FarQueue.

    wanted: it is opened again whenever it has closed.
    """

    __slots__ = ("_again", "_channel", "_link", "_name", "_pause_ms", "_ready", "near", "wanted")

    def __init__(self, link: NodeLink, name: str, near: NearQueue) -> None:
        self._link = link
        self._name = name
        self.near = near
        self.wanted = False
        self._channel: FarChannel | None = None
        self._ready = False
        self._again: Deadline | None = None
        self._pause_ms = AGAIN_LEAST_MS

    @property
    def is_open(self) -> bool:
        return self._ready

    @property
    def unsent_bytes(self) -> int:
        return self._link.unsent_bytes

    @property
    def node(self) -> str:
        return self._link.node

    def open(self) -> None:
        if not self.wanted:
            self.wanted = True
            self._link.want(self)
        if self._channel is None and self._again is None:
            self.link_opened()

    def link_opened(self) -> None:
        """The link is there, or was all the time: open the channel."""
        connection = self._link.connection
        if connection is None or not connection.opened or self._channel is not None or not self.wanted:
            return
        try:
            channel = self._link.open_channel(self.near)
        except PeerError:
            self._try_again()
            return
        self._channel = channel
        channel.ask(methods.ChannelOpen(self._name), methods.ChannelOpenOk, self._opened)

    def _opened(self, reply: methods.Method | PeerError) -> None:
        channel = self._channel
        if isinstance(reply, PeerError):
            self._lost(reply)
        elif channel is not None:
            channel.tell(methods.ConfirmSelect(nowait=True))
            channel.when_ended = self._lost
            self._ready = True
            self._pause_ms = AGAIN_LEAST_MS
            self.near.opened()

    def _lost(self, why: PeerError) -> None:
        was_ready, self._ready = self._ready, False
        self._channel = None
        if self.wanted:
            self._try_again()
        if was_ready:
            self.near.lost(NotFound(f"the way to the queue on node '{self.node}' was lost: {why}"))

    def _try_again(self) -> None:
        if self._again is None:
            broker = self._link.broker
            self._again = broker.deadlines.schedule(broker.now_ms + self._pause_ms, self._once_more)
            self._pause_ms = min(2 * self._pause_ms, AGAIN_MOST_MS)

    def _once_more(self, now_ms: int) -> None:
        self._again = None
        self.link_opened()

    # FarQueue

    def publish(self, messages: list[Message]) -> int:
        return self._open_channel.publish_all(messages)

    def consume(self, tag: str, consumer: Consumer) -> None:
        channel = self._open_channel
        if consumer.channel_number:
            channel.consumer_channels[tag] = consumer.channel_number
        channel.tell(
            methods.BasicConsume(
                consumer_tag=tag,
                exclusive=consumer.exclusive,
                nowait=True,
                arguments_raw=encode_table(dict(consumer.arguments)),
            )
        )

    def cancel(self, tag: str) -> None:
        channel = self._channel
        if channel is not None:
            channel.consumer_channels.pop(tag, None)
            channel.tell(methods.BasicCancel(tag, nowait=True))

    def grant(self, tag: str, credit: int) -> None:
        self._tell(NodeGrant(tag, credit))

    def revoke(self, tag: str) -> None:
        self._tell(NodeGrant(tag, 0))

    def acknowledge(self, tag: int, *, multiple: bool) -> None:
        self._tell(methods.BasicAck(tag, multiple))

    def discard(self, tag: int) -> None:
        self._tell(methods.BasicReject(tag, requeue=False))

    def requeue(self, tag: int, *, failed: bool) -> None:
        self._tell(methods.BasicReject(tag, requeue=True) if failed else NodeRelease(tag))

    def get(self, answer: Answer[Arrival | None]) -> None:
        def replied(channel: FarChannel, reply: methods.Method) -> None:
            found = channel.take_found()
            answer(found[0] if found else None)

        self._ask(methods.BasicGet(), methods.Method, replied, answer)

    def used(self) -> None:
        # The queue is the one that the channel was opened for.
        self._tell(methods.QueueDeclare(passive=True, nowait=True))

    def purge(self, answer: Answer[int]) -> None:
        def replied(channel: FarChannel, reply: methods.Method) -> None:
            answer(reply.message_count if isinstance(reply, methods.QueuePurgeOk) else 0)

        self._ask(methods.QueuePurge(), methods.QueuePurgeOk, replied, answer)

    def delete(self, answer: Answer[int]) -> None:
        def replied(channel: FarChannel, reply: methods.Method) -> None:
            answer(reply.message_count if isinstance(reply, methods.QueueDeleteOk) else 0)

        self._ask(methods.QueueDelete(), methods.QueueDeleteOk, replied, answer)

    def look(self, answer: Answer[Mapping[str, JSON]]) -> None:
        def replied(channel: FarChannel, reply: methods.Method) -> None:
            columns: dict[str, JSON] = {}
            if isinstance(reply, NodeLookOk):
                columns = {name: value for name, value in reply.columns.items() if isinstance(value, (int, str))}
            answer(columns)

        self._ask(NodeLook(), NodeLookOk, replied, answer)

    def browse(self, start: int, count: int, answer: Answer[list[Arrival]]) -> None:
        def replied(channel: FarChannel, reply: methods.Method) -> None:
            answer(channel.take_found())

        self._ask(NodeBrowse(start, count), NodeBrowseOk, replied, answer)

    def close(self) -> None:
        self.wanted = False
        self._link.unwant(self)
        if self._again is not None:
            self._again.cancel()
            self._again = None
        channel, self._channel, self._ready = self._channel, None, False
        if channel is not None:
            channel.when_ended = None
            channel.close()

    # Below

    @property
    def _open_channel(self) -> FarChannel:
        if self._channel is None:
            raise InternalError(f"there is no way to node '{self.node}'")
        return self._channel

    def _tell(self, method: methods.Method) -> None:
        if self._channel is not None:
            self._channel.tell(method)

    def _ask(
        self,
        method: methods.Method,
        reply: type[methods.Method],
        then: Callable[[FarChannel, methods.Method], None],
        failed: Callable[[BrokerError], None],
    ) -> None:
        channel = self._open_channel

        def replied(said: methods.Method | PeerError) -> None:
            if isinstance(said, PeerError):
                failed(_error(said.code or 404, f"node '{self.node}': {said}") or NotFound(str(said)))
            else:
                then(channel, said)

        channel.ask(method, reply, replied)


def _error(code: int, text: str) -> BrokerError | None:
    return _ERRORS.get(code, NotFound)(text) if code else None
