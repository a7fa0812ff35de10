"""One consumer's way through a stream: from chunk to chunk, and within one from row to row (rows.py)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from warren.core.messages.address import Address
from warren.core.messages.message import Message
from warren.core.queues.stream.arguments import FILTER_VALUE, OFFSET, Ago, At, Since, Start, Wanted
from warren.core.queues.stream.rows import Row
from warren.core.storage.disk.errors import DamagedRecordError
from warren.core.streams import cursor
from warren.core.streams.batches import can_unpack, unpacked
from warren.core.streams.chunk import Batch, Entries
from warren.core.streams.form import Record, form

if TYPE_CHECKING:
    from warren.core.messages.properties import Properties
    from warren.core.queues.consumer import Consumer
    from warren.core.queues.stream.queue import StreamQueue
    from warren.core.streams.cursor import Chunk, Cursor

LEFT_OUT_AT_ONCE: Final = 200
"""Messages that a filter leaves out before others have a turn, if each is looked into: two milliseconds' worth."""

WORK_PER_LOOK: Final = 100
"""What a selector does in the time in which a message is looked into (core.selectors.selector)."""

BYTES_PER_LOOK: Final = 1000
"""And so many bytes in front of a body are decoded in it."""

ALIKE_PER_LOOK: Final = 16
"""So many messages of a row are passed in the time in which one is looked into."""

AHEAD_BYTES_MAX: Final = 256 << 10
"""From this many bytes of bodies on nothing more is read ahead of a consumer."""


class Reader:
    """Gives the messages that a consumer asked for, in order.

    ahead: those that were read and that nobody has taken yet.  consumer: for whom they are; None for who looks at them.
    is_behind: False when it has read all that there is.  looked: so many messages had to be looked into so far.
    """

    __slots__ = (
        "_batch",
        "_batch_at",
        "_batch_end",
        "_begins_at",
        "_consumer",
        "_cursor",
        "_entries",
        "_first",
        "_queue",
        "_row",
        "_selector",
        "_time_ms",
        "_values",
        "_wanted",
        "ahead",
        "is_behind",
        "looked",
    )

    def __init__(self, queue: StreamQueue, wanted: Wanted, now_ms: int, consumer: Consumer | None = None) -> None:
        self._queue = queue
        self._wanted = wanted
        self._consumer = consumer
        self._selector = consumer.selector if consumer is not None else None
        self._values = [value.encode("utf-8", "surrogateescape") for value in wanted.values]
        self._cursor = place(queue, wanted, now_ms)
        self._first = wanted.offset.offset if isinstance(wanted.offset, At) else 0
        self._begins_at: int | None = None
        if isinstance(wanted.offset, At):
            self._begins_at = wanted.offset.offset
        elif wanted.offset is Start.NEXT:
            self._begins_at = queue.log.end_offset
        self._entries: Entries | None = None
        self._row: Row | None = None
        self._batch: Iterator[bytes | None] | None = None
        self._batch_at = 0
        self._batch_end = 0
        self._time_ms = 0
        self.ahead: deque[Message | int] = deque()
        self.is_behind = True
        self.looked = 0

    @property
    def place(self) -> int | None:
        """The offset of what it gives next, or of what it looks at next; None before anything says that."""
        if self.ahead:
            message = self.ahead[0]
            return message.sequence if isinstance(message, Message) else None
        if self._batch is not None:
            return self._batch_at
        if self._entries is not None:
            return self._entries.offset
        return self._begins_at

    def next(self) -> Message | None:
        """The next message; None where there is none now, or it has looked at many: `is_behind` says which."""
        if not self.ahead:
            self.read_ahead(1)
        message = self.ahead.popleft() if self.ahead else None
        return message if isinstance(message, Message) else None

    def read_ahead(self, most: int) -> None:
        """Have up to so many messages ahead; fewer, or none, at the end of a chunk, or after looking at many."""
        ahead = self.ahead
        if self._selector is not None and self._selector.depends_on_time:
            self._row = None
        steps = LEFT_OUT_AT_ONCE * ALIKE_PER_LOOK
        while steps > 0:
            entries = self._entries
            looked = self.looked
            try:
                if self._batch is not None:
                    if not self._look_into_batch(self._batch):
                        # It takes long to unpack.
                        return
                    steps -= ALIKE_PER_LOOK * max(self.looked - looked, 1)
                elif entries is None or not entries.left:
                    if ahead or not self._begin_chunk():
                        return
                elif count := self._take_row(entries, min(steps, most - len(ahead))):
                    steps -= count
                else:
                    self._look(entries)
                    steps -= ALIKE_PER_LOOK * max(self.looked - looked, 1)
            except DamagedRecordError as error:
                before = entries.offset if entries is not None else 0
                self._queue.damaged(f"a chunk holds no messages from offset {before} on: {error}")
                self._entries = None
                steps -= ALIKE_PER_LOOK
            if len(ahead) >= most or (self._row is not None and len(ahead) * self._row.body_size >= AHEAD_BYTES_MAX):
                return

    def _begin_chunk(self) -> bool:
        chunk = self.next_chunk()
        if chunk is None:
            return False
        self._time_ms = chunk.head.time_ms
        self._entries = Entries(chunk.head, chunk.data)
        return True

    def next_chunk(self) -> Chunk | None:
        """The next chunk, for who goes by chunks; None where there is none now, or many are left out: `is_behind`."""
        chunk = self._cursor.read(self._values, unfiltered=self._wanted.unfiltered)
        self.is_behind = chunk is not None or not self._cursor.is_at_end
        return chunk

    def _take_row(self, entries: Entries, most: int) -> int:
        row = self._row
        if row is None or entries.offset < self._first:
            return 0
        return row.take(entries, self.ahead, most, self._time_ms)

    def _look(self, entries: Entries) -> None:
        """Take the next entry, whatever it is; what is behind it may be of its row."""
        offset, at, left = entries.offset, entries.at, entries.left
        record = entries.next()
        if isinstance(record, Batch):
            self._begin_batch(offset, record)
        elif record is not None and offset >= self._first:
            row = self._read(offset, record)
            if row is not None:
                entries.at, entries.offset, entries.left = at, offset, left
                row.take(entries, self.ahead, 1, self._time_ms)
                if self._consumer is not None and row.is_wanted:
                    row.use(self._consumer)

    def _read(self, offset: int, record: bytes, *, is_alone: bool = False) -> Row | None:
        """Look into a record; the row that it begins, from which it is to be taken, or None where it is dealt with.

        is_alone: it begins none.
        """
        self.looked += 1 + (len(record) // BYTES_PER_LOOK if self._selector is not None else 0)
        found = form().decode(record)
        address = Address(found.exchange or "", self._queue.name if found.routing_key is None else found.routing_key)
        is_wanted = self._wants(found, record)
        if found.body_at and not is_alone:
            self._row = row = Row(record, found.body_at, address, found.properties)
            row.is_wanted = is_wanted
            return row
        if is_wanted:
            properties = found.properties.with_header_entries({OFFSET: offset}, (OFFSET,))
            body = found.body
            self.ahead.append(Message(offset, address, properties, body, 0, len(body), 0, self._time_ms))
        return None

    def _begin_batch(self, offset: int, batch: Batch) -> None:
        """Go into a batch, or pass it where all of it is before what is asked for, or nobody here can unpack it."""
        end = offset + batch.records
        if end <= self._first:
            return
        if can_unpack(batch):
            self._batch = unpacked(batch)
            self._batch_at = offset
            self._batch_end = end
        else:
            self._queue.left_out(batch.records, batch.compression)

    def _look_into_batch(self, batch: Iterator[bytes | None]) -> bool:
        """Take the next record of the batch; False where others should have a turn first."""
        try:
            record = next(batch)
        except StopIteration:
            self._batch = None
            return True
        except DamagedRecordError as error:
            self._batch = None
            self._queue.damaged(f"a batch that ends before offset {self._batch_end} can't be read on: {error}")
            return True
        if record is None:
            return False
        offset = self._batch_at
        self._batch_at = offset + 1
        if offset >= self._first:
            self._read(offset, record, is_alone=True)
        return True

    def _wants(self, found: Record, record: bytes) -> bool:
        """False for one that the filter, or the selector, leaves out."""
        if self._values:
            properties: Properties = found.properties
            value = (properties.headers or {}).get(FILTER_VALUE) if properties.has_headers else None
            if not (self._wanted.unfiltered if value is None else value in self._wanted.values):
                return False
        selector = self._selector
        if selector is None:
            return True
        is_wanted = selector.matches(form().fields(record, self._queue.vhost.broker.now_ms))
        self.looked += selector.work // WORK_PER_LOOK
        return is_wanted


def place(queue: StreamQueue, wanted: Wanted, now_ms: int) -> Cursor:
    """Where a reader begins."""
    log = queue.log
    on_damage: Callable[[str], None] = queue.damaged
    offset = wanted.offset
    if isinstance(offset, At):
        return cursor.at_offset(log, offset.offset, on_damage)
    if isinstance(offset, Since):
        return cursor.at_time(log, offset.time_ms, on_damage)
    if isinstance(offset, Ago):
        return cursor.at_time(log, now_ms - offset.ms, on_damage)
    if offset is Start.FIRST:
        return cursor.at_first(log, on_damage)
    if offset is Start.LAST:
        return cursor.at_last(log, on_damage)
    return cursor.at_next(log, on_damage)
