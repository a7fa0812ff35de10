"""Messages that lie one behind the other in a dense segment, taken in one loop: what most of a log consists of.

Whatever isn't an ordinary message of one queue, with its marker, position and checksum as they should be, ends the run,
and is looked at by the scanner record by record (scanner.py), which knows what to make of it.  So nothing is decided
here: a run only takes what would be taken anyway, in about a third of the time.

Most messages are as long as those before them and in the same queue.  Of these marker, kind, lengths and queue are
compared as bytes, and nothing is looked at one by one but position and checksum.
"""

from __future__ import annotations

from array import array
from struct import Struct
from typing import Final, TypeAlias
from zlib import crc32

from warren.core.storage.disk.records import (
    CHECKSUM_SIZE,
    MARKER,
    MESSAGE,
    MESSAGE_FIELDS_SIZE,
    QUEUE_ID_SIZE,
    RECORD_HEAD_SIZE,
    STARTS_FLUSH,
)
from warren.core.storage.disk.segment import LARGE_RECORD_SIZE

Entries: TypeAlias = "tuple[array[int], array[int]]"
"""Positions and body sizes, in step."""

_HEAD: Final = Struct("<IHBIQqIHIQ")
"""A record's head, the fields of a MESSAGE, and its first queue id."""

_ALIKE_HEAD: Final = Struct("<I7sQq18s")
"""The same: checksum; marker, kind and length; position; time; the fields from the number of queues on."""

_ALIKE_AT: Final = 4
_ALIKE_FIELDS_AT: Final = 27
"""Where the second and the last of these begin."""

_FIXED_SIZE: Final = MESSAGE_FIELDS_SIZE + QUEUE_ID_SIZE
"""What a MESSAGE of one queue has before its address."""

_PAYLOAD_SIZE_MAX: Final = LARGE_RECORD_SIZE - RECORD_HEAD_SIZE - 1
"""Larger records are accounted for one by one."""


def take_run(
    buffer: bytes, view: memoryview, at: int, position: int, key: int, entries: dict[int, Entries]
) -> tuple[int, int]:
    """Add the messages from buffer[at] on to `entries`, by queue; how many they were, and where they end.

    view: of the buffer.  position: of the first.  key: what checksums begin with.
    """
    unpack = _HEAD.unpack_from
    size = len(buffer)
    last_at = size - _HEAD.size
    queue_id = last_length = -1
    positions, sizes = array("Q"), array("I")
    count = 0
    while at <= last_at:
        checksum, marker, kind, length, own, _, queues, address_size, properties_size, queue = unpack(buffer, at)
        end = at + RECORD_HEAD_SIZE + length
        if own != position or marker != MARKER or queues != 1 or end > size or length > _PAYLOAD_SIZE_MAX:
            break
        body_size = length - _FIXED_SIZE - address_size - properties_size
        if body_size < 0 or kind | STARTS_FLUSH != MESSAGE | STARTS_FLUSH:
            break
        if crc32(view[at + CHECKSUM_SIZE : end], key) != checksum:
            break
        if queue != queue_id:
            queue_id = queue
            found = entries.get(queue_id)
            if found is None:
                found = entries[queue_id] = (array("Q"), array("I"))
            positions, sizes = found
        positions.append(position)
        sizes.append(body_size)
        count += 1
        step = end - at
        position += step
        if length == last_length:
            alike = buffer[at + _ALIKE_AT : at + _ALIKE_AT + 7]
            fields = buffer[at + _ALIKE_FIELDS_AT : at + _HEAD.size]
            more = _count_alike(buffer, view, end, position, key, alike, fields, step)
            if more:
                positions.extend(range(position, position + more * step, step))
                sizes.extend(array("I", (body_size,)) * more)
                count += more
                position += more * step
                end += more * step
        last_length = length
        at = end
    return count, at


def _count_alike(
    buffer: bytes, view: memoryview, at: int, position: int, key: int, alike: bytes, fields: bytes, step: int
) -> int:
    """How many messages from buffer[at] on differ from the one before in position, time and what follows the fields."""
    unpack = _ALIKE_HEAD.unpack_from
    last_at = len(buffer) - step
    count = 0
    while at <= last_at:
        checksum, head, own, _, rest = unpack(buffer, at)
        if own != position or head != alike or rest != fields:
            break
        if crc32(view[at + CHECKSUM_SIZE : at + step], key) != checksum:
            break
        count += 1
        position += step
        at += step
    return count
