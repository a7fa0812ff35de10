"""A consumer on an AMQP 0-9-1 channel: how a delivery is put on the wire.

A delivery is four chunks: a prefix (frame envelope, basic.deliver's ids, consumer tag) and a suffix (redelivered flag,
exchange, routing key) made once per address, the delivery tag between them, and the content, which is the publisher's
own frames when they fit this channel.
"""

from __future__ import annotations

from collections.abc import Mapping
from struct import Struct
from typing import TYPE_CHECKING, Final

from warren.adapters.amqp091.codec import methods
from warren.adapters.amqp091.codec.constants import FRAME_METHOD
from warren.adapters.amqp091.codec.framing import FRAMED_FOR_CHANNEL, content_frames
from warren.adapters.amqp091.fitting import does_not_fit, properties_bytes_max
from warren.core.messages.address import Address
from warren.core.messages.shown import shown_properties
from warren.core.queues.consumer import UNLIMITED_CREDIT, Consumer

if TYPE_CHECKING:
    from collections import deque

    from warren.adapters.amqp091.channel import Channel
    from warren.core.messages.field_table import FieldValue
    from warren.core.messages.message import Message
    from warren.core.queues.base import Queue

_pack_tag = Struct(">Q").pack
_pack_envelope = Struct(">BHI").pack

DELIVER_IDS: Final = b"\0\x3c\0\x3c"
DELIVER_FIXED_BYTES: Final = 13
"""Ids, delivery tag and the octet of flags: what basic.deliver has beside its three strings."""

DELIVERY_TAG_BYTES: Final = 8

ADDRESSES_MAX: Final = 1024
"""Addresses whose prefix and suffix are kept, per consumer."""


class AmqpConsumer(Consumer):
    """Writes what a queue gives it as basic.deliver; `credit` counts down from the prefetch limit."""

    __slots__ = (
        "_address",
        "_around",
        "_body_frame_max",
        "_deliveries",
        "_framed_for",
        "_outbox",
        "_parts",
        "_prefix",
        "_shared",
        "_suffix",
        "_suffix_redelivered",
        "channel",
        "credit",
    )

    def __init__(
        self,
        channel: Channel,
        queue: Queue,
        tag: str,
        *,
        no_ack: bool,
        exclusive: bool,
        prefetch: int,
        arguments: Mapping[str, FieldValue],
    ) -> None:
        super().__init__(
            queue,
            channel.client,
            tag,
            no_ack=no_ack,
            exclusive=exclusive,
            prefetch=prefetch,
            arguments=arguments,
            counts=channel.counts,
        )
        self.channel = channel
        self.credit = prefetch if prefetch and not no_ack else UNLIMITED_CREDIT
        self._deliveries = channel.deliveries
        self._shared = channel.shared_credit
        self._outbox = channel.connection.outbox
        self._framed_for = FRAMED_FOR_CHANNEL + channel.number
        self._body_frame_max = channel.connection.body_frame_max
        self._address: Address | None = None
        self._prefix = self._suffix = self._suffix_redelivered = b""
        self._around = 0
        self._parts: dict[Address, tuple[bytes, bytes, bytes]] = {}

    def can_take(self) -> bool:
        """True when the consumer has credit, its channel has, and its connection's outbox has room."""
        return self.credit > 0 and self._outbox.room > 0 and self._shared.is_left

    @property
    def spare_credit(self) -> int:
        if not self.can_take():
            return 0
        shared = self._shared
        return min(self.credit, shared.limit - shared.outstanding) if shared.limit else self.credit

    def deliver(self, message: Message, redelivered: bool) -> bool:
        """Send one message; True when another could follow."""
        deliveries = self._deliveries
        deliveries.delivery_tag = tag = deliveries.delivery_tag + 1
        if message.address is not self._address:
            self._use(message.address)
        if (
            message.framed_for == self._framed_for
            and message.body_size <= self._body_frame_max
            and not (redelivered and self.queue.counts_deliveries)
        ):
            content = message.content
        else:
            properties = shown_properties(self.queue, message, redelivered=redelivered)
            if len(properties.raw) > properties_bytes_max(self._body_frame_max):
                # It is nobody's until the connection has ended, whatever the consumer's acknowledgements are.
                self.no_ack = False
                deliveries.unacked[tag] = (self.queue, message, self)
                does_not_fit(self.channel.connection, self.queue.name, len(properties.raw))
                return False
            content = content_frames(self.channel.number, properties.raw, message.body, self._body_frame_max)
        outbox = self._outbox
        outbox.chunks += (
            self._prefix,
            _pack_tag(tag),
            self._suffix_redelivered if redelivered else self._suffix,
            content,
        )
        if not outbox.touched:
            outbox.touch()
        outbox.room = room = outbox.room - len(content) - self._around
        if self.no_ack:
            if room > 0:
                return True
            outbox.parked[self] = None
            return False
        deliveries.unacked[tag] = (self.queue, message, self)
        self.credit = credit = self.credit - 1
        if self._shared.limit and not self._shared.use(self):
            return False
        if room <= 0:
            outbox.parked[self] = None
            return False
        return credit > 0

    def deliver_alike(self, ready: deque[Message | int]) -> int:
        if self._shared.limit:
            return 0
        deliveries, outbox, queue = self._deliveries, self._outbox, self.queue
        address, framed_for, body_max = self._address, self._framed_for, self._body_frame_max
        prefix, suffix, around = self._prefix, self._suffix, self._around
        chunks, room, credit = outbox.chunks, outbox.room, self.credit
        tag = deliveries.delivery_tag
        unacked = None if self.no_ack else deliveries.unacked
        sent_bytes = 0
        while ready and credit > 1:
            message = ready[0]
            if (
                isinstance(message, int)
                or message.address is not address
                or message.framed_for != framed_for
                or message.body_size > body_max
            ):
                break
            content = message.content
            left = room - len(content) - around
            if left <= 0:
                break
            room = left
            ready.popleft()
            tag += 1
            chunks += (prefix, _pack_tag(tag), suffix, content)
            if unacked is not None:
                unacked[tag] = (queue, message, self)
                credit -= 1
            sent_bytes += message.body_size
        deliveries.delivery_tag = tag
        outbox.room = room
        self.credit = credit
        return sent_bytes

    def acknowledged(self) -> None:
        """One of its deliveries was settled: it has more credit."""
        self.credit += 1
        if self._shared.limit and self._shared.give_back():
            if self.parked and self.active:
                self._shared.wait(self)
        elif self.parked:
            self.resume()

    def resume(self) -> None:
        """Available again if there is credit; else it waits where the credit is missing."""
        if self.parked and self.active:
            if self._outbox.room <= 0:
                self._outbox.parked[self] = None
            elif not self._shared.is_left:
                self._shared.wait(self)
            elif self.credit > 0 and self._shared.may_go(self):
                self.queue.resume(self)

    def cancelled(self) -> None:
        """The queue is gone: consumer cancel notification, for clients that know it."""
        self.channel.consumer_cancelled(self)

    def session_name(self) -> str:
        return self.channel.name

    @property
    def channel_number(self) -> int:
        return self.channel.number

    def _use(self, address: Address) -> None:
        parts = self._parts.get(address)
        if parts is None:
            tag = self.tag.encode("utf-8", "surrogateescape")
            size = DELIVER_FIXED_BYTES + 1 + len(tag) + len(address.encoded)
            parts = (
                b"%b%b%c%b" % (_pack_envelope(FRAME_METHOD, self.channel.number, size), DELIVER_IDS, len(tag), tag),
                b"\0%b\xce" % address.encoded,
                b"\1%b\xce" % address.encoded,
            )
            if len(self._parts) >= ADDRESSES_MAX:
                self._parts.clear()
            self._parts[address] = parts
        self._address = address
        self._prefix, self._suffix, self._suffix_redelivered = parts
        self._around = len(self._prefix) + len(self._suffix) + DELIVERY_TAG_BYTES


def cancel_notice(tag: str) -> methods.BasicCancel:
    """What tells a client that its consumer ended on the broker's side."""
    return methods.BasicCancel(tag, nowait=True)
