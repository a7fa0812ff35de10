"""One consumer's way through a stream: from chunk to chunk, a message at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from warren.core.messages.address import Address
from warren.core.messages.message import Message
from warren.core.queues.stream.arguments import FILTER_VALUE, OFFSET, Ago, At, Since, Start, Wanted
from warren.core.storage.disk.errors import DamagedRecordError
from warren.core.streams import cursor
from warren.core.streams.batches import can_unpack, unpacked
from warren.core.streams.chunk import Batch, entries_of
from warren.core.streams.form import form

if TYPE_CHECKING:
    from warren.core.queues.stream.queue import StreamQueue
    from warren.core.streams.cursor import Chunk, Cursor

LEFT_OUT_AT_ONCE: Final = 200
"""Messages that a filter leaves out before others have a turn: two milliseconds' worth."""


class Reader:
    """Gives the messages that a consumer asked for, in order.

    offset: of the next message that it looks at.
    """

    __slots__ = (
        "_batch",
        "_batch_end",
        "_cursor",
        "_entries",
        "_first",
        "_queue",
        "_time_ms",
        "_values",
        "_wanted",
        "is_behind",
        "offset",
    )

    def __init__(self, queue: StreamQueue, wanted: Wanted, now_ms: int) -> None:
        self._queue = queue
        self._wanted = wanted
        self._values = [value.encode("utf-8", "surrogateescape") for value in wanted.values]
        self._cursor = place(queue, wanted, now_ms)
        self._first = wanted.offset.offset if isinstance(wanted.offset, At) else 0
        self._entries: Iterator[tuple[int, bytes | Batch]] = iter(())
        self._batch: Iterator[bytes | None] | None = None
        self._batch_end = 0
        self.offset = queue.log.end_offset if wanted.offset is Start.NEXT else queue.log.first_offset
        self._time_ms = 0
        self.is_behind = True

    def next(self) -> Message | None:
        """The next message; None where there is none now, or it has looked at many: `is_behind` says which."""
        for _ in range(LEFT_OUT_AT_ONCE):
            if self._batch is not None:
                record = self._next_in_batch(self._batch)
                if record is None:
                    if self._batch is not None:
                        # It takes long to unpack.
                        return None
                    continue
                offset = self.offset
            else:
                entry = self._next_entry()
                if entry is None:
                    return None
                offset, packed = entry
                if isinstance(packed, Batch):
                    self._begin_batch(offset, packed)
                    continue
                record = packed
            self.offset = offset + 1
            if offset < self._first:
                continue
            message = self._message(offset, record)
            if message is not None:
                return message
        return None

    def _begin_batch(self, offset: int, batch: Batch) -> None:
        """Go into a batch, or behind it where all of it is before what is asked for, or nobody here can unpack it."""
        self.offset = offset
        self._batch_end = offset + batch.records
        if self._batch_end <= self._first:
            self.offset = self._batch_end
        elif can_unpack(batch):
            self._batch = unpacked(batch)
        else:
            self.offset = self._batch_end
            self._queue.left_out(batch.records, batch.compression)

    def _next_in_batch(self, batch: Iterator[bytes | None]) -> bytes | None:
        """The next record of the batch; None at its end, and where others should have a turn."""
        try:
            return next(batch)
        except StopIteration:
            pass
        except DamagedRecordError as error:
            self._queue.damaged(f"a batch that ends before offset {self._batch_end} can't be read on: {error}")
        self._batch = None
        self.offset = self._batch_end
        return None

    def _next_entry(self) -> tuple[int, bytes | Batch] | None:
        while True:
            try:
                entry = next(self._entries, None)
            except DamagedRecordError as error:
                self._queue.damaged(f"a chunk before offset {self.offset} holds no messages: {error}")
                self._entries = iter(())
                continue
            if entry is not None:
                return entry
            chunk = self._next_chunk()
            if chunk is None:
                return None
            self._time_ms = chunk.head.time_ms
            self._entries = entries_of(chunk.head, chunk.data)

    def _next_chunk(self) -> Chunk | None:
        chunk = self._cursor.read(self._values, unfiltered=self._wanted.unfiltered)
        self.is_behind = chunk is not None or not self._cursor.is_at_end
        return chunk

    def _message(self, offset: int, record: bytes) -> Message | None:
        """The message of a record; None for one that the filter leaves out."""
        found = form().decode(record)
        properties = found.properties
        if self._values:
            value = (properties.headers or {}).get(FILTER_VALUE) if properties.has_headers else None
            if value is None and not self._wanted.unfiltered:
                return None
            if value is not None and value not in self._wanted.values:
                return None
        queue = self._queue
        address = Address(found.exchange or "", queue.name if found.routing_key is None else found.routing_key)
        with_offset = properties.with_header_entries({OFFSET: offset}, ())
        body = found.body
        return Message(offset, address, with_offset, body, 0, len(body), 0, self._time_ms)


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
