"""Turning what piled up since the last flush into records: the hot loop of durable publishing.

Positions are given out here, in the order of appending.  A message whose entries were all settled meanwhile
is not written at all, and neither are those settlements.  All appends go before all settlements, but what a
group holds stays together in one GROUP record, at the place of the group's appends.

About 1 microsecond per small message: messages published alike (same address, properties and queues: the same
objects) share the encoded middle of the record, and a body is copied only once.  What takes longer than a turn may is
encoded in slices; a message that is settled in between is written or not, as it comes, and either is right.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import Final
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
    pack_record_head,
)
from warren.core.storage.disk.segment import LARGE_RECORD_SIZE, Segment

_PUBLISHED_SIZE = 8

ENCODED_PER_SLICE: Final = 5_000
"""Messages and settlements that are encoded in one turn, one or two microseconds each."""


class Batch:
    """Appends and settlements in the order they came, in parallel lists.

    messages, queue_ids: the appends.  settled_queue_ids, settled_messages: settlements by message.
    settled_positions: settlements by position.  groups: where in the three each group begins and ends.  whole_groups:
    groups that were collected by themselves, and where each belongs; behind all of `groups` that begin there.
    """

    __slots__ = (
        "groups",
        "messages",
        "queue_ids",
        "settled_messages",
        "settled_positions",
        "settled_queue_ids",
        "whole_groups",
    )

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.queue_ids: list[tuple[int, ...]] = []
        self.settled_queue_ids: list[int] = []
        self.settled_messages: list[Message] = []
        self.settled_positions: list[tuple[int, Sequence[int]]] = []
        self.groups: list[tuple[Mark, Mark]] = []
        self.whole_groups: list[tuple[Mark, Batch]] = []

    @property
    def work(self) -> int:
        """How much there is to encode, a message or a settlement being 1."""
        positions = sum(len(positions) for _, positions in self.settled_positions)
        groups = sum(group.work for _, group in self.whole_groups)
        return len(self.messages) + len(self.settled_messages) + positions + groups

    def add(self, other: Batch) -> None:
        """What the other holds, too; it has no groups."""
        self.messages += other.messages
        self.queue_ids += other.queue_ids
        self.settled_queue_ids += other.settled_queue_ids
        self.settled_messages += other.settled_messages
        self.settled_positions += other.settled_positions

    def mark(self) -> Mark:
        """How far the lists have got."""
        return len(self.messages), len(self.settled_messages), len(self.settled_positions)

    def add_group(self, start: Mark) -> None:
        """What came since `start` is a group.

        One that settles a message which is still to be written goes with the groups before it, of which one has that
        message: should a power failure tear this flush apart, it must not be there without what it rests on.  Else a
        message that has gone on would be there, and be published again by who doesn't know that.
        """
        groups, stop = self.groups, self.mark()
        if groups and any(self.settled_messages[index].position == UNSTORED for index in range(start[1], stop[1])):
            # Never across a group that was collected by itself: that has a record of its own.
            first = self.whole_groups[-1][0] if self.whole_groups else (0, 0, 0)
            while groups and groups[-1][0] >= first:
                start = groups.pop()[0]
        groups.append((start, stop))


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
        self._key = segment.key
        self._flags = STARTS_FLUSH

    def encode(self, batch: Batch) -> Iterator[None]:
        """Encode everything, slice by slice; the messages written have their position from then."""
        done: Mark = (0, 0, 0)
        settled: dict[int, list[int]] = {}
        for start, group, begin, stop in _groups_of(batch):
            yield from self._encode_part(batch, done, start, settled)
            yield from self._add_group(group, begin, stop)
            done = stop if group is batch else start
        yield from self._encode_part(batch, done, batch.mark(), settled)
        yield from self._add_settled(settled)

    def _encode_part(self, batch: Batch, start: Mark, stop: Mark, settled: dict[int, list[int]]) -> Iterator[None]:
        """The messages between two marks; what is settled there is added to `settled`."""
        for at in range(start[0], stop[0], ENCODED_PER_SLICE):
            self._add_messages(batch, at, min(at + ENCODED_PER_SLICE, stop[0]))
            if stop[0] - at > ENCODED_PER_SLICE:
                yield
        for at in range(start[1], stop[1], ENCODED_PER_SLICE):
            self._collect_settled(batch, at, min(at + ENCODED_PER_SLICE, stop[1]), settled)
            if stop[1] - at > ENCODED_PER_SLICE:
                yield
        for queue_id, positions in batch.settled_positions[start[2] : stop[2]]:
            settled.setdefault(queue_id, []).extend(positions)

    def add_failed(self, noted: Iterable[Noted]) -> None:
        """One FAILED record per queue."""
        for queue_id, ready_from, failures in noted:
            payload = encode_failed(queue_id, ready_from, failures)
            record = encode_record(FAILED | self._flags, self.position, payload, self._key)
            self.chunks.append(record)
            self.position += len(record)
            self._flags &= INNER

    def _add_group(self, batch: Batch, start: Mark, stop: Mark) -> Iterator[None]:
        """One GROUP record for what lies between the marks, if anything of it needs writing."""
        outer_flags, outer_chunks, outer_position = self._flags, self.chunks, self.position
        settled: dict[int, list[int]] = {}
        self._flags, self.chunks, self.position = INNER, [], outer_position + RECORD_HEAD_SIZE
        yield from self._encode_part(batch, start, stop, settled)
        yield from self._add_settled(settled)
        inner, self._flags, self.chunks = self.chunks, outer_flags, outer_chunks
        if not inner:
            self.position = outer_position
            return
        size = self.position - outer_position - RECORD_HEAD_SIZE
        head = pack_record_head(MARKER, GROUP | self._flags, size, outer_position)
        checksum = crc32(head, self._key)
        for at in range(0, len(inner), ENCODED_PER_SLICE):
            for chunk in inner[at : at + ENCODED_PER_SLICE]:
                checksum = crc32(chunk, checksum)
            if len(inner) - at > ENCODED_PER_SLICE:
                yield
        self.chunks += (pack_checksum(checksum), head)
        self.chunks += inner
        self._flags = 0

    def _add_messages(self, batch: Batch, start: int, stop: int) -> None:
        """MESSAGE records for batch.messages[start:stop]; one long loop: the time goes here."""
        if start == stop:
            return
        add = self.chunks.append
        flags = self._flags
        position = first_position = self.position
        segment = self._segment
        key = self._key
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
            add(pack_checksum(crc32(content, crc32(head, key))))
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

    def _collect_settled(self, batch: Batch, start: int, stop: int, settled: dict[int, list[int]]) -> None:
        """Add the positions of batch.settled_messages[start:stop] to `settled`, by queue."""
        for index in range(start, stop):
            position = batch.settled_messages[index].position  # none if settled before it was written
            if position != UNSTORED:
                queue_id = batch.settled_queue_ids[index]
                if queue_id in settled:
                    settled[queue_id].append(position)
                else:
                    settled[queue_id] = [position]

    def _add_settled(self, settled: dict[int, list[int]]) -> Iterator[None]:
        """One SETTLED record per queue, or more for a queue with very many."""
        for queue_id, unsorted in settled.items():
            unsorted.sort()
            for at in range(0, len(unsorted), ENCODED_PER_SLICE):
                positions = array("Q", unsorted[at : at + ENCODED_PER_SLICE])
                payload = encode_settled(queue_id, positions)
                record = encode_record(SETTLED | self._flags, self.position, payload, self._key)
                self.chunks.append(record)
                self.settled.append((queue_id, positions))
                self._segment.add_settlements(len(positions), len(record))
                self.position += len(record)
                self._flags &= INNER
                if len(unsorted) - at > ENCODED_PER_SLICE:
                    yield


def _groups_of(batch: Batch) -> Iterator[tuple[Mark, Batch, Mark, Mark]]:
    """All groups of a batch in order: where in it each belongs, what it is part of, and its marks there."""
    whole = iter(batch.whole_groups)
    following = next(whole, None)
    for start, stop in batch.groups:
        while following is not None and following[0] <= start:
            yield following[0], following[1], (0, 0, 0), following[1].mark()
            following = next(whole, None)
        yield start, batch, start, stop
    while following is not None:
        yield following[0], following[1], (0, 0, 0), following[1].mark()
        following = next(whole, None)
