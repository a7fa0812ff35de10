"""A consumer on an AMQP 0-9-1 channel: how a delivery is put on the wire.

A delivery is two chunks: the method frame, and the content, which is the publisher's own frames when they fit this
channel.  The method frame is packed in one step, from a beginning (frame envelope, basic.deliver's ids, consumer tag)
that depends on nothing but the size of the frame, the delivery tag, and the address as it is written on the wire.  So
it makes no difference how many addresses there are.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import repeat
from struct import Struct
from typing import TYPE_CHECKING, Final

from warren.adapters.amqp091.codec import methods
from warren.adapters.amqp091.codec.constants import FRAME_END, FRAME_METHOD
from warren.adapters.amqp091.codec.framing import FRAMED_FOR_CHANNEL, content_frames
from warren.adapters.amqp091.fitting import does_not_fit, properties_bytes_max
from warren.core.messages.internal_headers import without_internal
from warren.core.messages.message import Message
from warren.core.messages.shown import carried_properties, shown_properties
from warren.core.queues.consumer import UNLIMITED_CREDIT, Consumer
from warren.core.queues.framing import Framing

if TYPE_CHECKING:
    from collections import deque

    from warren.adapters.amqp091.channel import Channel
    from warren.core.messages.address import Address
    from warren.core.messages.field_table import FieldValue
    from warren.core.messages.properties import Properties
    from warren.core.queues.base import Queue

_pack_envelope: Final = Struct(">BHI").pack

DELIVER_IDS: Final = b"\0\x3c\0\x3c"
DELIVER_FIXED_BYTES: Final = 13
"""Ids, delivery tag and the octet of flags: what basic.deliver has beside its three strings."""

TAG_LAST_OCTET: Final = 7
"""Of a delivery tag."""

JOINED_BYTES_MAX: Final = 1200
"""Contents of one size are joined to packets at once up to this one; copying longer ones costs more than it saves."""

STRIDE_LEAST: Final = 4
"""Fewer messages are put on the wire one by one."""
NUMBER_BYTES: Final = 8

PROPERTIES_AT: Final = 19
"""Where the property list begins in a content header frame, envelope included."""

NOT_REDELIVERED: Final = 0
REDELIVERED: Final = 1


class AmqpConsumer(Consumer):
    """Writes what a queue gives it as basic.deliver; `credit` counts down from the prefetch limit."""

    __slots__ = (
        "_beginning",
        "_body_frame_max",
        "_deliveries",
        "_encoded_size",
        "_forms",
        "_framed_for",
        "_method_bytes",
        "_outbox",
        "_pack",
        "_shared",
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
        # By the size of an address: how its method frame is packed, and what it begins with; and those of the latest.
        self._forms: dict[int, tuple[Struct, bytes]] = {}
        self._encoded_size = -1
        self._beginning = b""
        self._method_bytes = 0
        self._pack = _pack_envelope

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
        encoded = message.address.encoded
        if len(encoded) != self._encoded_size:
            self._use(len(encoded))
        if (
            message.framed_for == self._framed_for
            and message.body_size <= self._body_frame_max
            and not (redelivered and self.queue.counts_deliveries)
        ):
            content = message.content
        else:
            shown = shown_properties if self.channel.node is None else carried_properties
            properties = shown(self.queue, message, redelivered=redelivered)
            if len(properties.raw) > properties_bytes_max(self._body_frame_max):
                # It is nobody's until the connection has ended, whatever the consumer's acknowledgements are.
                self.no_ack = False
                deliveries.unacked[tag] = (self.queue, message, self)
                does_not_fit(self.channel.connection, self.queue.name, len(properties.raw))
                return False
            content = content_frames(self.channel.number, properties.raw, message.body, self._body_frame_max)
        outbox = self._outbox
        flag = REDELIVERED if redelivered else NOT_REDELIVERED
        outbox.chunks += (self._pack(self._beginning, tag, flag, encoded, FRAME_END), content)
        if not outbox.touched:
            outbox.touch()
        outbox.room = room = outbox.room - len(content) - self._method_bytes
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
        sent_bytes = self._deliver_strides(ready)
        if not ready:
            return sent_bytes
        deliveries, outbox, queue = self._deliveries, self._outbox, self.queue
        framed_for, body_max = self._framed_for, self._body_frame_max
        encoded_size, beginning, pack = self._encoded_size, self._beginning, self._pack
        method_bytes = self._method_bytes
        chunks, room = outbox.chunks, outbox.room
        first = tag = deliveries.delivery_tag
        last = tag + self.credit - 1
        unacked = None if self.no_ack else deliveries.unacked
        for message in ready:
            if isinstance(message, int) or message.framed_for != framed_for or tag >= last:
                break
            size = message.body_size
            if size > body_max:
                break
            encoded = message.address.encoded
            if len(encoded) != encoded_size:
                self._use(len(encoded))
                encoded_size, beginning, pack = self._encoded_size, self._beginning, self._pack
                method_bytes = self._method_bytes
            content = message.content
            left = room - len(content) - method_bytes
            if left <= 0:
                break
            room = left
            tag += 1
            chunks.append(pack(beginning, tag, NOT_REDELIVERED, encoded, FRAME_END))
            chunks.append(content)
            if unacked is not None:
                unacked[tag] = (queue, message, self)
            sent_bytes += size
        count = tag - first
        if count == len(ready):
            ready.clear()
        else:
            take = ready.popleft
            for _ in range(count):
                take()
        deliveries.delivery_tag = tag
        outbox.room = room
        if unacked is not None:
            self.credit -= count
        return sent_bytes

    def _deliver_strides(self, ready: deque[Message | int]) -> int:
        """The same of what is alike in size as well, and small: made many at a time."""
        deliveries, outbox, queue = self._deliveries, self._outbox, self.queue
        stride = queue.vhost.broker.latest_stride
        sent_bytes = 0
        while len(ready) >= STRIDE_LEAST:
            first = ready[0]
            if not isinstance(first, Message) or first.framed_for != self._framed_for:
                break
            encoded, content_size = first.address.encoded, len(first.content)
            if content_size > JOINED_BYTES_MAX or first.body_size > self._body_frame_max:
                break
            if len(encoded) != self._encoded_size:
                self._use(len(encoded))
            size = self._method_bytes + content_size
            most = min((outbox.room - 1) // size, self.credit - 1)
            count = stride.find(ready, most) if most >= STRIDE_LEAST else 0
            if count < STRIDE_LEAST:
                break
            if count == len(ready):
                ready.clear()
            else:
                take = ready.popleft
                for _ in range(count):
                    take()
            tag = deliveries.delivery_tag + 1
            deliveries.delivery_tag += count
            if not self.no_ack:
                messages = stride.messages if count == len(stride.messages) else stride.messages[:count]
                deliveries.unacked.update(
                    zip(range(tag, tag + count), zip(repeat(queue), messages, repeat(self)))  # noqa: B905  # endless
                )
                self.credit -= count
            octet_at = len(self._beginning) + TAG_LAST_OCTET
            at = 0
            while at < count:
                octet = tag & 0xFF
                some = min(256 - octet, count - at)
                prefix = self._pack(self._beginning, tag - octet, NOT_REDELIVERED, encoded, FRAME_END)
                outbox.chunks.append(stride.packets(prefix, octet_at, octet, at, some))
                tag += some
                at += some
            outbox.room -= count * size
            sent_bytes += count * first.body_size
        return sent_bytes

    def framing(self, address: Address, properties: Properties, number_name: str, body_size: int) -> Framing | None:
        shown, number_at = without_internal(properties).with_number_last(number_name)
        if body_size > self._body_frame_max or len(shown.raw) > properties_bytes_max(self._body_frame_max):
            return None
        frames = content_frames(self.channel.number, shown.raw, bytes(body_size), self._body_frame_max)
        number_at += PROPERTIES_AT
        body_at = len(frames) - body_size - 1 if body_size else len(frames)
        between = frames[number_at + NUMBER_BYTES : body_at]
        return Framing(frames[:number_at], between, frames[body_at + body_size :], self._framed_for)

    def acknowledged(self) -> None:
        """One of its deliveries was settled: it has more credit."""
        self.credit += 1
        if self._shared.limit and self._shared.give_back():
            if self.parked and self.active:
                self._shared.wait(self)
        elif self.parked:
            self.resume()

    def all_acknowledged(self, count: int) -> None:
        if self._shared.limit:
            super().all_acknowledged(count)
        else:
            self.credit += count
            if self.parked:
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

    def _use(self, encoded_size: int) -> None:
        """Pack method frames for addresses of this size from now on."""
        form = self._forms.get(encoded_size)
        if form is None:
            tag = self.tag.encode("utf-8", "surrogateescape")
            size = DELIVER_FIXED_BYTES + 1 + len(tag) + encoded_size
            envelope = _pack_envelope(FRAME_METHOD, self.channel.number, size)
            beginning = b"%b%b%c%b" % (envelope, DELIVER_IDS, len(tag), tag)
            form = Struct(f">{len(beginning)}sQB{encoded_size}sB"), beginning
            self._forms[encoded_size] = form
        packing, self._beginning = form
        self._pack = packing.pack
        self._method_bytes = packing.size
        self._encoded_size = encoded_size


def cancel_notice(tag: str) -> methods.BasicCancel:
    """What tells a client that its consumer ended on the broker's side."""
    return methods.BasicCancel(tag, nowait=True)
