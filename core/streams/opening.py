"""What is there of a stream when the broker starts: its segments, and what has become of them.

The last segment is read through: what a crash cut off at its end was never confirmed, and goes.  Of the others the
index says how far they go, where it agrees with the file; else they are read through, too, and get a new index.  What
is damaged is copied to a file beside the segment, and readers go on behind it.  Damage at the very end looks like a
write that was cut off, so that is copied, too.
"""

from __future__ import annotations

import logging
from typing import Final

from warren.core.storage.disk.errors import DamagedRecordError
from warren.core.storage.files import Files
from warren.core.streams.scanning import Damaged, Found, scan
from warren.core.streams.segment_file import (
    LEAD_MAX,
    ROW,
    ROW_SIZE,
    START_SIZE,
    Index,
    ReadAt,
    Row,
    base_of,
    decode_lead,
    drawn_key,
    index_name,
    key_of_start,
    segment_name,
)
from warren.core.streams.segments import Segment, Segments

_log = logging.getLogger("warren.streams")

_COPIED_AT_ONCE: Final = 1 << 20


def open_segments(files: Files, reports: list[str]) -> Segments:
    """All segments of a stream; one that isn't there yet where there is none.

    reports: sentences about damage are added to it.  Raises OSError.
    """
    bases = sorted(base for base in map(base_of, files.names()) if base is not None)
    _remove_leftovers(files, bases)
    opened: list[Segment] = []
    for base in bases:
        segment = _open_segment(files, base, reports, is_last=base == bases[-1])
        if segment is not None:
            opened.append(segment)
    if not opened:
        return Segments(Segment(_next_base(bases), drawn_key()))
    segments = Segments(opened[0])
    for segment in opened[1:]:
        segments.add(segment)
    if bases[-1] != segments.last.base:
        # What follows must not be mistaken for what was in the segment that is gone.
        segments.add(Segment(bases[-1] + 1, drawn_key()))
    return segments


def reader_of(files: Files, name: str) -> ReadAt:
    """How a file is read."""
    return lambda size, at: files.read(name, size, at)


def rebuild_index(files: Files, segment: Segment, reports: list[str], size: int) -> tuple[int, bool]:
    """Read a segment of so many bytes through and write its index anew.

    Returns where its last chunk ends, and whether anything but unused space stands behind it.
    """
    name = segment_name(segment.base)
    segment.size = START_SIZE
    segment.rows = 0
    segment.end_offset = segment.base
    end = START_SIZE
    is_torn = False
    rows: list[bytes] = []
    for step in scan(reader_of(files, name), segment.key, segment.base, size):
        if isinstance(step, Found):
            segment.add(step.lead.size, step.lead.head.end_offset, step.row.time_ms)
            rows.append(ROW.pack(*step.row))
        elif isinstance(step, Damaged):
            reports.append(_set_aside(files, name, step.start, step.end, step.reason))
        else:
            end, is_torn = step.start, step.is_torn
    segment.size = end
    data = b"".join(rows)
    files.write(index_name(segment.base), data, 0, sync=False)
    files.truncate(index_name(segment.base), len(data))
    return end, is_torn


def _remove_leftovers(files: Files, bases: list[int]) -> None:
    """Indexes of segments that are gone: a deletion was cut off."""
    wanted = {index_name(base) for base in bases}
    for name in list(files.names()):
        if name.endswith(".index") and name not in wanted:
            files.remove(name)


def _next_base(bases: list[int]) -> int:
    """The first offset of a stream of which no segment could be read."""
    return bases[-1] + 1 if bases else 0


def _open_segment(files: Files, base: int, reports: list[str], *, is_last: bool) -> Segment | None:
    """A segment that is there; None where it can't be read at all, and is left where it is."""
    name = segment_name(base)
    size = files.size(name)
    read = reader_of(files, name)
    start = read(START_SIZE, 0)
    if is_last and not start.strip(b"\0"):
        # It was being made when the broker ended.
        return Segment(base, drawn_key())
    try:
        key = key_of_start(start, base)
    except DamagedRecordError as error:
        reports.append(f"{name} can't be read ({error}); the messages in it are lost, it stays where it is")
        return None
    segment = Segment(base, key)
    if not is_last and _believe_index(files, segment, size):
        return segment
    end, is_torn = rebuild_index(files, segment, reports, size)
    if is_torn and is_last:
        _log.warning("%s", _set_aside(files, name, end, size, "a write that was cut off looks so, too"))
    elif is_torn:
        reports.append(_set_aside(files, name, end, size, "no chunk begins there"))
    if end < size:
        files.truncate(name, end)
    return segment


def _believe_index(files: Files, segment: Segment, size: int) -> bool:
    """Take from the index what is in a segment that was closed; False where they don't agree."""
    index_file = index_name(segment.base)
    try:
        rows = files.size(index_file) // ROW_SIZE
        if not rows:
            return False
        index = Index(reader_of(files, index_file), rows)
        first, last = index.row(0), index.row(rows - 1)
        lead = decode_lead(files.read(segment_name(segment.base), LEAD_MAX, last.position), 0, segment.key)
        if Row(lead.head.first_offset, lead.head.time_ms, last.position) != last:
            return False
    except (OSError, DamagedRecordError):
        return False
    if last.position + lead.size != size:
        return False
    segment.rows = rows
    segment.size = size
    segment.end_offset = lead.head.end_offset
    segment.first_ms = first.time_ms
    segment.last_ms = last.time_ms
    return True


def _set_aside(files: Files, name: str, start: int, end: int, reason: str) -> str:
    """Copy a damaged range to a file beside the segment; the sentence about it."""
    what = f"{name}: bytes {start} to {end} are damaged ({reason})"
    copy = f"{name}.{start}-{end}.damaged"
    try:
        for at in range(start, end, _COPIED_AT_ONCE):
            files.write(copy, files.read(name, min(_COPIED_AT_ONCE, end - at), at), at - start, sync=True)
        files.sync_names()
    except OSError as error:
        return f"{what} and could not be copied to {copy}: {error.strerror}; they stay where they are"
    return f"{what}; copied to {copy}. The messages there are lost, readers go on behind them. Check the disk."
