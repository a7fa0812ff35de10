"""The messages of a Publish frame, taken apart into what is stored of each.

    u64  publishing id
    string  value for filters; in version 2 alone
    entry   as it stands in a chunk (core.streams.chunk): a record behind its size, or a batch that the publisher packed

An entry is stored as it came.  Most frames are full of messages of one size, and those are told by their size fields:
they are taken apart by `struct`, many at a time, which costs a tenth of looking at each.

A frame may hold some eighty thousand tiny messages, which is too much for one turn: `parts_of` gives it in parts, after
`pass_over` has seen that it is whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from struct import Struct
from typing import Final

from warren.adapters.stream.codec.kinds import malformed
from warren.core.streams.chunk import COMPRESSION_MASK, COMPRESSION_SHIFT, PACKED_BIT, records_of

ID_BYTES: Final = 8
_SIZE_BYTES: Final = 4
_BATCH_BYTES: Final = 11
"""Of the head of a batch: what it is, how many records, bytes unpacked, bytes."""

ALIKE_PER_PART: Final = 8192
"""Messages of one size in a part: some three milliseconds until they are stored."""

OTHERS_PER_PART: Final = 1024
"""Others: eight milliseconds at most, where each has another value for filters."""

ALIKE_PER_COMMAND: Final = 64
"""Messages of one size that count as one command of a ration: they cost a third of a microsecond each."""

OTHERS_PER_COMMAND: Final = 8
"""Others, which cost one or two."""

VALUED_PER_COMMAND: Final = 2
"""Those with values for filters, which cost up to eight."""

PASSED_PER_PART: Final = 8192
"""Messages that are passed over at a time: four milliseconds at most."""

PASSED_PER_COMMAND: Final = 32
"""As one command: they cost a third of a microsecond each, or half of one with a value for filters."""

_STEPS: Final = (64, 16, 4, 1)
"""Messages of a size that one call of struct takes apart: a frame of a hundred takes four."""

_SIZES_MAX: Final = 256
"""Sizes whose structs are kept: some kilobytes for each."""

_STRUCTS: Final[dict[int, list[tuple[int, Struct]]]] = {}
"""By the bytes of an entry, for each of the steps."""


class Messages:
    """Of one frame.

    ids: their publishing ids, of 8 bytes each.  entries: what is stored of each.  records: how many messages those are,
    which is more where there are batches.  size_bytes: of all records and batches.  largest: of these, the largest.
    values: for filters, None where no message has one.  batches: indexes of entries that are batches.  alike: they were
    taken apart by the size that they have in common.
    """

    __slots__ = ("alike", "batches", "entries", "ids", "largest", "records", "size_bytes", "values")

    def __init__(self, ids: bytes, entries: list[bytes], records: int, size_bytes: int, largest: int) -> None:
        self.ids = ids
        self.entries = entries
        self.records = records
        self.size_bytes = size_bytes
        self.largest = largest
        self.values: list[bytes | None] | None = None
        self.batches: list[int] = []
        self.alike = False

    @property
    def commands(self) -> int:
        """As how many commands of a ration they count."""
        if self.values is not None:
            return len(self.entries) // VALUED_PER_COMMAND
        return len(self.entries) // (ALIKE_PER_COMMAND if self.alike else OTHERS_PER_COMMAND)

    def first(self, count: int) -> Messages:
        """The first so many of them."""
        return self.some(range(min(count, len(self.entries))))

    def some(self, numbers: Sequence[int]) -> Messages:
        """Those of these numbers, from 0 on."""
        entries = [self.entries[number] for number in numbers]
        ids = b"".join([self.ids[number * ID_BYTES : (number + 1) * ID_BYTES] for number in numbers])
        size_bytes = sum(map(len, entries)) - len(entries) * _SIZE_BYTES
        made = Messages(ids, entries, sum(map(records_of, entries)), size_bytes, self.largest)
        made.batches = [at for at, entry in enumerate(entries) if entry[0] & PACKED_BIT]
        if self.values is not None:
            made.values = [self.values[number] for number in numbers]
        return made


def take_apart(data: bytes, at: int, end: int, count: int, *, filtered: bool) -> Messages:
    """The messages from `at` to `end`, which are so many.  filtered: they have values for filters (version 2).

    Raises FrameError where they aren't as many, or don't end there.
    """
    stride = _stride(data, at, end, count, filtered=filtered)
    if stride:
        return _alike(data, at, count, stride)
    return _one_by_one(data, at, end, count, filtered=filtered)


def pass_over(data: bytes, at: int, end: int, count: int, *, filtered: bool) -> Iterator[int]:
    """See that there are so many messages, which end there; after each step, as how many commands it counts.

    Raises FrameError where it isn't so.
    """
    if _stride(data, at, end, count, filtered=filtered):
        return
    number = int.from_bytes
    while count:
        some = min(count, PASSED_PER_PART)
        for _ in range(some):
            at += ID_BYTES
            if filtered:
                length = number(data[at : at + 2], "big", signed=True)
                at += 2 if length < 0 else 2 + length
            if at + _SIZE_BYTES > end:
                raise malformed("a message of Publish is cut off")
            if data[at] & PACKED_BIT:
                at += _BATCH_BYTES + number(data[at + 7 : at + _BATCH_BYTES], "big")
            else:
                at += _SIZE_BYTES + number(data[at : at + _SIZE_BYTES], "big")
        if at > end:
            raise malformed("a message of Publish is cut off")
        count -= some
        yield some // PASSED_PER_COMMAND
    if at != end:
        raise malformed(f"{end - at} bytes behind the messages of Publish")


def parts_of(data: bytes, at: int, end: int, count: int, *, filtered: bool) -> Iterator[Messages]:
    """The same as `take_apart`, part by part."""
    stride = _stride(data, at, end, count, filtered=filtered)
    while stride and count:
        some = min(count, ALIKE_PER_PART)
        yield _alike(data, at, some, stride)
        at += some * stride
        count -= some
    while count > OTHERS_PER_PART:
        messages, at = _some(data, at, end, OTHERS_PER_PART, filtered=filtered)
        count -= OTHERS_PER_PART
        yield messages
    if not stride:
        yield _one_by_one(data, at, end, count, filtered=filtered)


def compression_of(entry: bytes) -> int:
    """How a batch is compressed (core.streams.chunk.Batch)."""
    return entry[0] >> COMPRESSION_SHIFT & COMPRESSION_MASK


def _stride(data: bytes, at: int, end: int, count: int, *, filtered: bool) -> int:
    """How many bytes each of the messages has, where all are of one size and none is a batch; else 0."""
    if count and not filtered:
        stride, rest = divmod(end - at, count)
        if not rest and stride >= ID_BYTES + _SIZE_BYTES and _are_alike(data, at, end, count, stride):
            return stride
    return 0


def _are_alike(data: bytes, at: int, end: int, count: int, stride: int) -> bool:
    """Whether so many messages are of this many bytes each, and none is a batch."""
    size = (stride - ID_BYTES - _SIZE_BYTES).to_bytes(_SIZE_BYTES, "big")
    at += ID_BYTES
    return all(data[at + place : end : stride] == size[place : place + 1] * count for place in range(_SIZE_BYTES))


def _alike(data: bytes, at: int, count: int, stride: int) -> Messages:
    entry_bytes = stride - ID_BYTES
    structs = _STRUCTS.get(entry_bytes)
    if structs is None:
        if len(_STRUCTS) >= _SIZES_MAX:
            _STRUCTS.clear()
        layout = f"{ID_BYTES}s{entry_bytes}s"
        structs = _STRUCTS[entry_bytes] = [(step, Struct(">" + layout * step)) for step in _STEPS]
    parts: list[bytes] = []
    left = count
    for step, struct in structs:
        while left >= step:
            parts.extend(struct.unpack_from(data, at))
            at += struct.size
            left -= step
    size = entry_bytes - _SIZE_BYTES
    made = Messages(b"".join(parts[::2]), parts[1::2], count, size * count, size)
    made.alike = True
    return made


def _one_by_one(data: bytes, at: int, end: int, count: int, *, filtered: bool) -> Messages:
    made, at = _some(data, at, end, count, filtered=filtered)
    if at != end:
        raise malformed(f"{end - at} bytes behind the {count} messages of Publish")
    return made


def _some(data: bytes, at: int, end: int, count: int, *, filtered: bool) -> tuple[Messages, int]:
    """So many messages from here on, of those that go to `end`, and where the next one begins."""
    ids: list[bytes] = []
    entries: list[bytes] = []
    values: list[bytes | None] = []
    batches: list[int] = []
    records = size_bytes = largest = 0
    has_values = False
    for _ in range(count):
        ids.append(data[at : at + ID_BYTES])
        at += ID_BYTES
        if filtered:
            length = int.from_bytes(data[at : at + 2], "big", signed=True)
            at += 2
            if length >= 0:
                values.append(data[at : at + length])
                at += length
                has_values = True
            else:
                values.append(None)
        if at + _SIZE_BYTES > end:
            raise malformed("a message of Publish is cut off")
        start = at
        if data[at] & PACKED_BIT:
            size = int.from_bytes(data[at + 7 : at + _BATCH_BYTES], "big")
            batches.append(len(entries))
            records += int.from_bytes(data[at + 1 : at + 3], "big")
            at += _BATCH_BYTES + size
        else:
            size = int.from_bytes(data[at : at + _SIZE_BYTES], "big")
            records += 1
            at += _SIZE_BYTES + size
        if at > end:
            raise malformed("a message of Publish is cut off")
        size_bytes += size
        if size > largest:
            largest = size
        entries.append(data[start:at])
    made = Messages(b"".join(ids), entries, records, size_bytes, largest)
    made.batches = batches
    if has_values:
        made.values = values
    return made, at
