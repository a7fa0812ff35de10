"""What is noted of publishers and readers (tracking.py) when a stream is opened: the last snapshot and what follows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.core.storage.disk.errors import DamagedRecordError
from warren.core.streams.chunk import Kind
from warren.core.streams.opening import reader_of, row_agrees
from warren.core.streams.segment_file import (
    LEAD_MAX,
    START_SIZE,
    Index,
    Lead,
    check_data,
    decode_lead,
    index_name,
    segment_name,
)
from warren.core.streams.tracking import Tracking, entries_in

if TYPE_CHECKING:
    from warren.core.storage.files import Files
    from warren.core.streams.segments import Segment, Segments


def noted_in(files: Files, segments: Segments, reports: list[str]) -> Tracking:
    """What is noted in these segments.

    reports: sentences about what is damaged are added to it.  Raises OSError.
    """
    tracking = Tracking()
    rows = list(segments)
    first = len(rows) - 1
    while first >= 0:
        position = _load_snapshot(files, rows[first], tracking)
        if position:
            for segment in rows[first:]:
                _read_on(files, segment, position, tracking, reports)
                position = START_SIZE
            break
        first -= 1
    return tracking


def _load_snapshot(files: Files, segment: Segment, tracking: Tracking) -> int:
    """Load the last snapshot of a segment that can be read; returns where it goes on behind that.

    The first chunk of a stream has none before it.  0: there is nothing to begin with.
    """
    if segment.size <= START_SIZE:
        return 0
    index = Index(reader_of(files, index_name(segment.base)), segment.rows)
    for _, row in index.backwards():
        if row.kind != Kind.TRACKING_SNAPSHOT:
            continue
        lead = row_agrees(files, segment, row, segment.size)
        if lead is None:
            continue
        try:
            tracking.load(_data(files, segment, lead, row.position))
        except DamagedRecordError:
            tracking.load(b"")
            continue
        return row.position + lead.size
    try:
        lead = decode_lead(files.read(segment_name(segment.base), LEAD_MAX, START_SIZE), 0, segment.key)
    except DamagedRecordError:
        return 0
    return 0 if lead.head.kind == Kind.TRACKING_SNAPSHOT else START_SIZE


def _read_on(files: Files, segment: Segment, position: int, tracking: Tracking, reports: list[str]) -> None:
    """Note what the chunks of a segment say from here on; what is damaged is left out."""
    name = segment_name(segment.base)
    while position < segment.size:
        try:
            lead = decode_lead(files.read(name, LEAD_MAX, position), 0, segment.key)
            _note(files, segment, lead, position, tracking)
        except DamagedRecordError as error:
            reports.append(f"{name}: what byte {position} says of publishers and readers can't be read ({error})")
            row = Index(reader_of(files, index_name(segment.base)), segment.rows).behind(position)
            if row is None:
                return
            position = row.position
        else:
            position += lead.size


def _note(files: Files, segment: Segment, lead: Lead, position: int, tracking: Tracking) -> None:
    head = lead.head
    if head.kind == Kind.TRACKING_SNAPSHOT:
        tracking.load(_data(files, segment, lead, position))
    elif head.kind == Kind.TRACKING:
        tracking.apply(_data(files, segment, lead, position), head.first_offset)
    elif head.trailer_size:
        trailer = files.read(segment_name(segment.base), head.trailer_size, position + lead.trailer_at)
        tracking.apply(entries_in(trailer), head.first_offset)


def _data(files: Files, segment: Segment, lead: Lead, position: int) -> bytes:
    data = files.read(segment_name(segment.base), lead.head.data_size, position + lead.data_at)
    check_data(lead.head, data)
    return data
