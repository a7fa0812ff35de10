r"""A subscription: how a message becomes a MESSAGE frame.

A MESSAGE is written in chunks: a prefix (command, subscription, destination, the beginning of the message id) made
once per address, the delivery tag, a suffix (redelivered, the headers of the message, content-length) which stays the
same as long as properties and size do, and the body as it came.

    MESSAGE\nsubscription:I\ndestination:D\nmessage-id:T_I@@SESSION@@ | 17 | \nredelivered:false\n... | body | NUL

A message id is unique in the broker's run, and says by itself what ACK has to look for (spec B.6).

Messages of a stream that are alike differ in their bodies and in the header `x-stream-offset`: their suffix is kept in
two parts (`framing`), between which that number comes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from warren.adapters.stomp.codec.escaping import V1_2
from warren.adapters.stomp.codec.frames import END, END_WITH_LINE_FEED, encode_headers
from warren.adapters.stomp.destinations import destination_of
from warren.adapters.stomp.message_headers import headers_of
from warren.core.messages.internal_headers import without_internal
from warren.core.messages.shown import shown_properties
from warren.core.queues.consumer import UNLIMITED_CREDIT, Consumer
from warren.core.queues.framing import Framing

if TYPE_CHECKING:
    from collections import deque

    from warren.adapters.stomp.session import StompSession
    from warren.core.errors import AccessRefused
    from warren.core.messages.address import Address
    from warren.core.messages.field_table import FieldValue
    from warren.core.messages.message import Message
    from warren.core.messages.properties import Properties
    from warren.core.queues.base import Queue

ADDRESSES_MAX: Final = 1024
"""Addresses whose prefix is kept, per subscription."""

TAG_AND_END_BYTES: Final = 24
"""The delivery tag, up to twice, and the end of the frame, roughly: charged to the outbox beside the large parts."""


FRAMED_FOR_ROW: Final = 0x40000
"""Added to a number from 0 on: `Message.framed_for` of messages of a stream whose suffix is kept."""

ROWS_MAX: Final = 256
"""Rows whose suffix is kept, per subscription: as many as may have been read ahead of it."""

_NUMBERS: Final = (1_111_111_111_111_111_111, 2_222_222_222_222_222_222)
"""Any two of as many digits without one in common in one place: where suffixes made with them differ it stands."""

_NUMBER_BYTES: Final = 19


class Subscription(Consumer):
    """Writes what a queue gives it as MESSAGE frames; `credit` counts down from the prefetch count.

    id: as the client gave it, None if it gave none (1.0).  key: `T_ID` or `Q_DESTINATION`, unique in the session.
    cumulative: an ACK settles everything before it, too.  durable_queue: it outlives the session.
    """

    __slots__ = (
        "_ack_prefix",
        "_address",
        "_body_size",
        "_deliveries",
        "_end",
        "_outbox",
        "_prefix",
        "_prefixes",
        "_properties",
        "_row",
        "_rows",
        "_rows_made",
        "_suffix",
        "credit",
        "cumulative",
        "destination",
        "durable_queue",
        "id",
        "session",
    )

    def __init__(
        self,
        session: StompSession,
        queue: Queue,
        key: str,
        *,
        id: str | None,
        destination: str,
        no_ack: bool,
        cumulative: bool,
        durable_queue: bool,
        exclusive: bool,
        prefetch: int,
        arguments: Mapping[str, FieldValue],
    ) -> None:
        super().__init__(
            queue,
            session.logged_in,
            key,
            no_ack=no_ack,
            exclusive=exclusive,
            prefetch=prefetch,
            arguments=arguments,
        )
        self.session = session
        self.id = id
        self.destination = destination
        self.cumulative = cumulative
        self.durable_queue = durable_queue
        self.credit = prefetch if prefetch and not no_ack else UNLIMITED_CREDIT
        self._deliveries = session.deliveries
        self._outbox = session.outbox
        self._end = END_WITH_LINE_FEED if session.settings.trailing_line_feed else END
        self._prefixes: dict[Address, bytes] = {}
        self._address: Address | None = None
        self._prefix = b""
        self._properties: Properties | None = None
        self._body_size = -1
        self._suffix = b""
        self._row = 0
        self._rows: dict[int, tuple[bytes, bytes]] = {}
        self._rows_made = 0
        self._ack_prefix = b""
        if session.version == V1_2 and not no_ack:
            self._ack_prefix = b"\n" + encode_headers([("ack", self._message_id())], V1_2)[:-1]

    def can_take(self) -> bool:
        """True when there is credit and the connection's outbox has room."""
        return self.credit > 0 and self._outbox.room > 0

    @property
    def spare_credit(self) -> int:
        return self.credit if self.can_take() else 0

    def deliver(self, message: Message, redelivered: bool) -> bool:
        """Send one message; True when another could follow."""
        deliveries = self._deliveries
        deliveries.delivery_tag = tag = deliveries.delivery_tag + 1
        if message.address is not self._address:
            self._use(message.address)
        self._row = 0
        if not redelivered and message.framed_for in self._rows:
            self._row = message.framed_for
            before, after = self._rows[self._row]
            suffix = b"%b%d%b" % (before, message.sequence, after)
        elif redelivered:
            suffix = self._suffix_of(
                shown_properties(self.queue, message, redelivered=True), message.body_size, b"true"
            )
        else:
            if message.properties is not self._properties or message.body_size != self._body_size:
                self._properties = message.properties
                self._body_size = message.body_size
                self._suffix = self._suffix_of(without_internal(message.properties), message.body_size, b"false")
            suffix = self._suffix
        content = message.content
        if len(content) != message.body_size:
            content = message.body
        number = b"%d" % tag
        outbox = self._outbox
        if self._ack_prefix:
            outbox.chunks += (self._prefix, number, self._ack_prefix, number, suffix, content, self._end)
        else:
            outbox.chunks += (self._prefix, number, suffix, content, self._end)
        if not outbox.touched:
            outbox.touch()
        outbox.room = room = outbox.room - len(self._prefix) - len(suffix) - len(content) - TAG_AND_END_BYTES
        if not self.no_ack:
            deliveries.unacked[tag] = (self.queue, message, self)
            self.credit -= 1
        if room <= 0:
            outbox.parked[self] = None
            return False
        return self.credit > 0

    def deliver_alike(self, ready: deque[Message | int]) -> int:
        if self._row:
            return self._deliver_row(ready)
        deliveries, outbox, queue = self._deliveries, self._outbox, self.queue
        address, properties, body_size = self._address, self._properties, self._body_size
        prefix, ack_prefix, suffix, end = self._prefix, self._ack_prefix, self._suffix, self._end
        chunks, room, credit = outbox.chunks, outbox.room, self.credit
        before = prefix
        between = end + prefix
        each_bytes = len(prefix) + len(suffix) + body_size + TAG_AND_END_BYTES
        tag = deliveries.delivery_tag
        unacked = None if self.no_ack else deliveries.unacked
        sent_bytes = 0
        while ready and credit > 1 and room > each_bytes:
            message = ready.popleft()
            if (
                isinstance(message, int)
                or message.address is not address
                or message.properties is not properties
                or message.body_size != body_size
            ):
                ready.appendleft(message)
                break
            tag += 1
            room -= each_bytes
            content = message.content
            if len(content) != body_size:
                content = message.body
            number = str(tag).encode()
            chunks.append(before)
            before = between
            chunks.append(number)
            if ack_prefix:
                chunks.append(ack_prefix)
                chunks.append(number)
            chunks.append(suffix)
            chunks.append(content)
            if unacked is not None:
                unacked[tag] = (queue, message, self)
                credit -= 1
            sent_bytes += body_size
        if before is between:
            chunks.append(end)
        deliveries.delivery_tag = tag
        outbox.room = room
        self.credit = credit
        return sent_bytes

    def _deliver_row(self, ready: deque[Message | int]) -> int:
        """The same of a row of a stream."""
        deliveries, outbox, queue, row = self._deliveries, self._outbox, self.queue, self._row
        prefix, ack_prefix, end = self._prefix, self._ack_prefix, self._end
        before, after = self._rows[row]
        chunks, room, credit = outbox.chunks, outbox.room, self.credit
        around = len(prefix) + len(before) + len(after) + _NUMBER_BYTES + TAG_AND_END_BYTES
        tag = deliveries.delivery_tag
        unacked = None if self.no_ack else deliveries.unacked
        sent_bytes = 0
        while ready and credit > 1:
            message = ready[0]
            if isinstance(message, int) or message.framed_for != row or message.address is not self._address:
                break
            if room <= around + message.body_size:
                break
            ready.popleft()
            tag += 1
            room -= around + message.body_size
            number = b"%d" % tag
            chunks += (prefix, number)
            if ack_prefix:
                chunks += (ack_prefix, number)
            chunks += (b"%b%d%b" % (before, message.sequence, after), message.body, end)
            if unacked is not None:
                unacked[tag] = (queue, message, self)
                credit -= 1
            sent_bytes += message.body_size
        deliveries.delivery_tag = tag
        outbox.room = room
        self.credit = credit
        return sent_bytes

    def framing(self, address: Address, properties: Properties, number_name: str, body_size: int) -> Framing | None:
        """What is kept here is the suffix; messages come with their number, which is their sequence, too."""
        shown = without_internal(properties)
        one, other = [
            self._suffix_of(shown.with_header_entries({number_name: number}, (number_name,)), body_size, b"false")
            for number in _NUMBERS
        ]
        at = next((place for place in range(min(len(one), len(other))) if one[place] != other[place]), len(one))
        after = at + _NUMBER_BYTES
        if after > len(one) or one[after:] != other[after:]:
            return None
        if len(self._rows) >= ROWS_MAX:
            self._rows.clear()
        self._rows_made = (self._rows_made + 1) % (2 * ROWS_MAX)
        row = FRAMED_FOR_ROW + self._rows_made
        self._rows[row] = (one[:at], one[after:])
        return Framing(b"", b"", b"", row)

    @property
    def keeps_persistence(self) -> bool:
        return True

    def acknowledged(self) -> None:
        """One of its deliveries was settled: it has more credit."""
        self.credit += 1
        if self.parked:
            self.resume()

    def resume(self) -> None:
        """Available again if there is credit; else it waits where the credit is missing."""
        if self.parked and self.active:
            if self._outbox.room <= 0:
                self._outbox.parked[self] = None
            elif self.credit > 0:
                self.queue.resume(self)

    def cancelled(self) -> None:
        """The queue is gone: the client is told (spec B.4)."""
        self.session.subscription_cancelled(
            self, f"the queue behind '{self.destination}' was deleted; subscribe again to get messages"
        )

    def withdrawn(self, error: AccessRefused) -> None:
        """The client is told in the same way, with another reason."""
        self.session.subscription_cancelled(self, error.reply_text)

    def session_name(self) -> str:
        return self.session.channel_name

    def _message_id(self) -> str:
        """The message id up to the delivery tag."""
        return f"{self.tag}@@{self.session.id}@@"

    def _use(self, address: Address) -> None:
        prefix = self._prefixes.get(address)
        if prefix is None:
            headers = [("subscription", self.id)] if self.id is not None else []
            headers.append(("destination", destination_of(address, self.session.settings.topic_exchange)))
            headers.append(("message-id", self._message_id()))
            prefix = b"MESSAGE\n" + encode_headers(headers, self.session.version)[:-1]
            if len(self._prefixes) >= ADDRESSES_MAX:
                self._prefixes.clear()
            self._prefixes[address] = prefix
        self._address = address
        self._prefix = prefix

    def _suffix_of(self, properties: Properties, body_size: int, redelivered: bytes) -> bytes:
        """What stands between the delivery tag and the body."""
        headers = encode_headers(headers_of(properties), self.session.version)
        length = b"content-length:%d\n" % body_size if body_size else b""
        return b"\nredelivered:%b\n%b%b\n" % (redelivered, headers, length)
