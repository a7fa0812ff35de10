"""Reading a segment from front to back when nobody can say any more what is in it: at a start, or behind damage.

Each chunk is taken only with its prefix, all checksums, and an offset that isn't less than where the last one ended.
Where none begins, the next marker that begins one is looked for: what lies between is damaged.  If there is none, the
rest is the tail: space that was never used, or a write that was cut off.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from warren.core.storage.disk.errors import DamagedRecordError
from warren.core.streams.segment_file import LEAD_MAX, MARKER, START_SIZE, Lead, ReadAt, Row, check_data, decode_lead
from warren.core.streams.tracking import entries_in

_WINDOW: Final = 1 << 20
"""Bytes looked through for a marker at a time."""


class Found(NamedTuple):
    """A chunk: its row of the index, and what stands in front of its data."""

    row: Row
    lead: Lead


class Damaged(NamedTuple):
    """Bytes of the file, `end` excluded, in which chunks were; they can't be read any more."""

    start: int
    end: int
    reason: str


class Tail(NamedTuple):
    """Where the last chunk ends, and whether anything but zeros stands behind it."""

    start: int
    is_torn: bool


def scan(read: ReadAt, key: int, base: int, size: int, position: int = START_SIZE) -> Iterator[Found | Damaged | Tail]:
    """Everything in a segment of so many bytes, a step at a time; the tail comes last.  Raises OSError.

    base: the first offset from this position on.
    """
    offset = base
    while position < size:
        reason = ""
        try:
            lead = _chunk_at(read, key, position, size, offset)
        except DamagedRecordError as error:
            reason = str(error)
        else:
            yield Found(lead.row(position), lead)
            position += lead.size
            offset = lead.head.end_offset
            continue
        found = _next_chunk(read, key, position + 1, size, offset)
        if found is None:
            break
        yield Damaged(position, found, reason)
        position = found
    yield Tail(position, _is_torn(read, position, size))


def _chunk_at(read: ReadAt, key: int, position: int, size: int, offset: int) -> Lead:
    lead = decode_lead(read(LEAD_MAX, position), 0, key)
    if lead.head.first_offset < offset:
        raise DamagedRecordError("a chunk has offsets of an earlier one")
    if position + lead.size > size:
        raise DamagedRecordError("a chunk is cut off")
    head = lead.head
    check_data(head, read(head.data_size, position + lead.data_at))
    entries_in(read(head.trailer_size, position + lead.trailer_at))
    return lead


def _next_chunk(read: ReadAt, key: int, position: int, size: int, offset: int) -> int | None:
    """Where the next chunk begins that can be read; None: there is none."""
    while position < size:
        window = read(_WINDOW, position)
        at = window.find(MARKER)
        while at >= 0:
            try:
                _chunk_at(read, key, position + at, size, offset)
            except DamagedRecordError:
                at = window.find(MARKER, at + 1)
            else:
                return position + at
        if len(window) < len(MARKER):
            break
        position += len(window) - len(MARKER) + 1
    return None


def _is_torn(read: ReadAt, position: int, size: int) -> bool:
    while position < size:
        window = read(_WINDOW, position)
        if not window:
            break
        if window.strip(b"\0"):
            return True
        position += len(window)
    return False
