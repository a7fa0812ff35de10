"""What is there of a stream when the broker starts: its segments, and what has become of them.

What a crash cut off at the end of the last segment was never confirmed, and goes.  The last segment is read from its
last snapshot on (tracking.py), of which the index says where it is: what has a row in the index is on the device, so
only what stands behind the last row can be torn, and so large a segment costs a start no more than a small one.  Of the
others the index says how far they go, where it agrees with the file; else they are read like the last.  Where the index
can't be believed at all a segment is read through, and gets a new one.  What is found damaged is copied to a file
beside the segment, and readers go on behind it.  Damage at the very end looks like a write that was cut off, so that
is copied, too.
"""

from __future__ import annotations

import logging
from typing import Final

from warren.core.storage.disk.errors import DamagedRecordError
from warren.core.storage.files import Files
from warren.core.streams.chunk import Kind
from warren.core.streams.scanning import Damaged, Found, scan
from warren.core.streams.segment_file import (
    LEAD_MAX,
    LEAD_SIZE,
    REWRITTEN,
    ROW_SIZE,
    START_SIZE,
    Index,
    Lead,
    ReadAt,
    Row,
    base_of,
    decode_lead,
    drawn_key,
    encode_row,
    index_name,
    key_of_start,
    refuse_newer_format,
    segment_name,
)
from warren.core.streams.segments import Segment, Segments

_log = logging.getLogger("warren.streams")

_COPIED_AT_ONCE: Final = 1 << 20


def open_segments(files: Files, reports: list[str]) -> Segments:
    """All segments of a stream; one that isn't there yet where there is none.

    reports: sentences about damage are added to it.  Raises OSError, and NewerFormatError before anything is changed.
    """
    bases = sorted(base for base in map(base_of, files.names()) if base is not None)
    if bases:
        # What a newer version has written last is there.
        _refuse_newer_format(files, bases[-1])
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


def row_offset(files: Files, segment: Segment) -> int:
    """The first offset of a segment's last chunk with messages, by its index; that of the segment if it can't say."""
    try:
        return Index(reader_of(files, index_name(segment.base)), segment.rows).row(segment.user_rows - 1).first_offset
    except (DamagedRecordError, OSError):
        return segment.base


def reader_of(files: Files, name: str) -> ReadAt:
    """How a file is read."""
    return lambda size, at: files.read(name, size, at)


def row_agrees(files: Files, segment: Segment, row: Row, size: int) -> Lead | None:
    """The lead of the chunk that a row of the index points to, in a segment of so many bytes; None: there is none."""
    if not START_SIZE <= row.position <= size - LEAD_SIZE:
        return None
    try:
        lead = decode_lead(files.read(segment_name(segment.base), LEAD_MAX, row.position), 0, segment.key)
    except DamagedRecordError:
        return None
    return lead if lead.row(row.position) == row else None


def _read_on(files: Files, segment: Segment, reports: list[str], size: int) -> tuple[int, bool]:
    """Read a segment of so many bytes from where its index can be believed, and write the rest of that anew.

    Returns where its last chunk ends, and whether anything but unused space stands behind it.
    """
    name = segment_name(segment.base)
    end = segment.size = START_SIZE
    segment.end_offset = segment.base
    _begin_at_snapshot(files, segment, size)
    first_row = segment.rows
    is_torn = False
    rows: list[bytes] = []
    for step in scan(reader_of(files, name), segment.key, segment.end_offset, size, segment.size):
        if isinstance(step, Found):
            segment.size = step.row.position
            head = step.lead.head
            segment.add(step.row.kind, step.lead.size, head.first_offset, head.end_offset, step.row.time_ms)
            rows.append(encode_row(step.row))
        elif isinstance(step, Damaged):
            reports.append(_set_aside(files, name, step.start, step.end, step.reason))
        else:
            end, is_torn = step.start, step.is_torn
    segment.size = end
    _complete_index(files, segment, first_row, b"".join(rows))
    return end, is_torn


def _begin_at_snapshot(files: Files, segment: Segment, size: int) -> None:
    """Take from the index what stands before the last snapshot of a segment; nothing where it can't be believed."""
    try:
        index = Index(reader_of(files, index_name(segment.base)), _rows_of(files, segment.base))
        is_believed = False
        for number, row in index.backwards():
            if is_believed and row.kind != Kind.TRACKING_SNAPSHOT:
                continue
            if row_agrees(files, segment, row, size) is not None:
                is_believed = True
                if row.kind == Kind.TRACKING_SNAPSHOT:
                    _take_rows(files, segment, number)
                    segment.size = row.position
                    segment.end_offset = row.first_offset
                    return
            elif is_believed:
                return
    except (OSError, DamagedRecordError):
        return


def _take_rows(files: Files, segment: Segment, rows: int) -> None:
    """Take so many rows of the index of a segment for what is in it."""
    segment.rows = rows
    for number, row in Index(reader_of(files, index_name(segment.base)), rows).backwards():
        if row.kind == Kind.USER:
            segment.user_rows = number + 1
            segment.chunk_offset = row.first_offset
            segment.last_ms = row.time_ms
            return


def _complete_index(files: Files, segment: Segment, first_row: int, data: bytes) -> None:
    """Have these rows, from a number on, as the last of the index; it isn't touched where it has them."""
    name = index_name(segment.base)
    at = first_row * ROW_SIZE
    try:
        if files.size(name) == at + len(data) and files.read(name, len(data), at) == data:
            return
    except OSError:
        pass
    files.write(name, data, at, sync=False)
    files.truncate(name, at + len(data))


def _refuse_newer_format(files: Files, base: int) -> None:
    name = segment_name(base)
    refuse_newer_format(files.read(name, START_SIZE, 0), f"{files.place}/{name}")


def _remove_leftovers(files: Files, bases: list[int]) -> None:
    """Indexes of segments that are gone, and what was to take the place of one: a deletion, or that, was cut off."""
    wanted = {index_name(base) for base in bases}
    for name in list(files.names()):
        if name.endswith(REWRITTEN) or (name.endswith(".index") and name not in wanted):
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
    refuse_newer_format(start, f"{files.place}/{name}")
    if is_last and not start.strip(b"\0"):
        # It was being made when the broker ended.
        return Segment(base, drawn_key())
    try:
        key = key_of_start(start, base)
    except DamagedRecordError as error:
        if is_last and not _rows_of(files, base):
            _log.warning("%s", _set_aside(files, name, 0, size, f"{error}; a file that was being made looks so, too"))
            files.truncate(name, 0)
            return Segment(base, drawn_key())
        reports.append(f"{name} can't be read ({error}); the messages in it are lost, it stays where it is")
        return None
    segment = Segment(base, key)
    if not is_last and _believe_index(files, segment, size):
        return segment
    end, is_torn = _read_on(files, segment, reports, size)
    if is_torn and is_last:
        _log.warning("%s", _set_aside(files, name, end, size, "a write that was cut off looks so, too"))
    elif is_torn:
        reports.append(_set_aside(files, name, end, size, "no chunk begins there"))
    if end < size:
        files.truncate(name, end)
    return segment


def _rows_of(files: Files, base: int) -> int:
    """Rows in the index of a segment; 0 where there is none."""
    try:
        return files.size(index_name(base)) // ROW_SIZE
    except OSError:
        return 0


def _believe_index(files: Files, segment: Segment, size: int) -> bool:
    """Take from the index what is in a segment that was closed; False where they don't agree."""
    index_file = index_name(segment.base)
    try:
        rows = _rows_of(files, segment.base)
        if not rows:
            return False
        last = Index(reader_of(files, index_file), rows).row(rows - 1)
        lead = row_agrees(files, segment, last, size)
        if lead is None or last.position + lead.size != size:
            return False
        _take_rows(files, segment, rows)
    except (OSError, DamagedRecordError):
        return False
    segment.size = size
    segment.end_offset = lead.head.end_offset
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
