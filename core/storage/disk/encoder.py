"""Turning what piled up since the last flush into records: the hot loop of durable publishing.

Positions are given out here, in the order of appending.  A message whose entries were all settled meanwhile
is not written at all, and neither are those settlements.  All appends go before all settlements, but what a
group holds stays together in one GROUP record, at the place of the group's appends.

About 1 microsecond per small message: messages published alike (same address, properties and queues: the same
objects) share the encoded middle of the record, and a body is copied only once.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from zlib import crc32

from warren.core.messages.message import UNSTORED, Message
from warren.core.storage.disk.delivery_counts import Noted
from warren.core.storage.disk.records import (
    FAILED,
    GROUP,
    INNER,
    MARKER,
    MESSAGE,
    RECORD_HEAD_SIZE,
    SETTLED,
    STARTS_FLUSH,
    encode_failed,
    encode_record,
    encode_routing,
    encode_settled,
    pack_checksum,
    pack_message_head,
)
from warren.core.storage.disk.segment import LARGE_RECORD_SIZE, Segment

_PUBLISHED_SIZE = 8


class Batch:
    """Appends and settlements in the order they came, in parallel lists.

    messages, queue_ids: the appends.  settled_queue_ids, settled_messages: settlements by message.
    settled_positions: settlements by position.  groups: where in the three each group begins and ends.
    """

    __slots__ = (
        "groups",
        "messages",
        "queue_ids",
        "settled_messages",
        "settled_positions",
        "settled_queue_ids",
    )

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.queue_ids: list[tuple[int, ...]] = []
        self.settled_queue_ids: list[int] = []
        self.settled_messages: list[Message] = []
        self.settled_positions: list[tuple[int, Sequence[int]]] = []
        self.groups: list[tuple[Mark, Mark]] = []

    def mark(self) -> Mark:
        """How far the lists have got."""
        return len(self.messages), len(self.settled_messages), len(self.settled_positions)


Mark = tuple[int, int, int]


class Encoder:
    """Encodes one batch into `segment` from `position` on; `chunks` joined are the bytes.

    `settled` lists (queue id, ascending positions) of every settlement written, for booking once the flush is
    done.
    """

    def __init__(self, segment: Segment, position: int) -> None:
        self.chunks: list[bytes | memoryview] = []
        self.settled: list[tuple[int, array[int]]] = []
        self.position = position
        self._segment = segment
        self._flags = STARTS_FLUSH

    def encode(self, batch: Batch) -> None:
        """Encode everything; the messages written have their position from now."""
        done = rest = (0, 0, 0)
        settled: dict[int, list[int]] = {}
        for start, stop in batch.groups:
            self._add_messages(batch, done[0], start[0])
            self._collect_settled(batch, rest, start, settled)
            self._add_group(batch, start, stop)
            done = rest = stop
        stop = batch.mark()
        self._add_messages(batch, done[0], stop[0])
        self._collect_settled(batch, rest, stop, settled)
        self._add_settled(settled)

    def add_failed(self, noted: Iterable[Noted]) -> None:
        """One FAILED record per queue."""
        for queue_id, ready_from, failures in noted:
            record = encode_record(FAILED | self._flags, self.position, encode_failed(queue_id, ready_from, failures))
            self.chunks.append(record)
            self.position += len(record)
            self._flags &= INNER

    def _add_group(self, batch: Batch, start: Mark, stop: Mark) -> None:
        """One GROUP record for what lies between the marks, if anything of it needs writing."""
        outer_flags, outer_chunks, outer_position = self._flags, self.chunks, self.position
        settled: dict[int, list[int]] = {}
        self._flags, self.chunks, self.position = INNER, [], outer_position + RECORD_HEAD_SIZE
        self._add_messages(batch, start[0], stop[0])
        self._collect_settled(batch, start, stop, settled)
        self._add_settled(settled)
        payload = b"".join(self.chunks)
        self._flags, self.chunks = outer_flags, outer_chunks
        if payload:
            self.chunks.append(encode_record(GROUP | self._flags, outer_position, payload))
            self._flags = 0
        else:
            self.position = outer_position

    def _add_messages(self, batch: Batch, start: int, stop: int) -> None:
        """MESSAGE records for batch.messages[start:stop]; one long loop: the time goes here."""
        if start == stop:
            return
        add = self.chunks.append
        flags = self._flags
        position = first_position = self.position
        segment = self._segment
        entry_count = large_bytes = 0
        address = properties = queue_ids = None
        routing = b""
        fixed_size = queue_count = 0
        for index in range(start, stop):
            message = batch.messages[index]
            if message.references <= 0:
                continue
            if (
                message.address is not address
                or message.properties is not properties
                or batch.queue_ids[index] is not queue_ids
            ):
                address, properties, queue_ids = message.address, message.properties, batch.queue_ids[index]
                routing = encode_routing(queue_ids, address.encoded, properties.raw)
                fixed_size = _PUBLISHED_SIZE + len(routing)
                queue_count = len(queue_ids)
            size = message.body_size
            length = fixed_size + size
            content: bytes | memoryview = message.content
            if size != len(content):
                if size > LARGE_RECORD_SIZE:
                    content = memoryview(content)
                content = content[message.body_at : message.body_at + size]
            head = pack_message_head(MARKER, MESSAGE | flags, length, position, message.published_at_ms) + routing
            add(pack_checksum(crc32(content, crc32(head))))
            add(head)
            add(content)
            message.position = position
            if length >= LARGE_RECORD_SIZE:
                segment.add_large(position, queue_count, RECORD_HEAD_SIZE + length)
                large_bytes += RECORD_HEAD_SIZE + length
            else:
                entry_count += queue_count
            position += RECORD_HEAD_SIZE + length
            flags &= INNER
        self._flags = flags
        self.position = position
        segment.add_small(entry_count, position - first_position - large_bytes)

    def _collect_settled(self, batch: Batch, start: Mark, stop: Mark, settled: dict[int, list[int]]) -> None:
        """Add the positions settled between the marks to `settled`, by queue."""
        for index in range(start[1], stop[1]):
            position = batch.settled_messages[index].position  # none if settled before it was written
            if position != UNSTORED:
                queue_id = batch.settled_queue_ids[index]
                if queue_id in settled:
                    settled[queue_id].append(position)
                else:
                    settled[queue_id] = [position]
        for queue_id, positions in batch.settled_positions[start[2] : stop[2]]:
            settled.setdefault(queue_id, []).extend(positions)

    def _add_settled(self, settled: dict[int, list[int]]) -> None:
        """One SETTLED record per queue."""
        for queue_id, unsorted in settled.items():
            unsorted.sort()
            positions = array("Q", unsorted)
            record = encode_record(SETTLED | self._flags, self.position, encode_settled(queue_id, positions))
            self.chunks.append(record)
            self.settled.append((queue_id, positions))
            self._segment.add_settlements(len(positions), len(record))
            self.position += len(record)
            self._flags &= INNER
