"""Reading the log back at start.

First every segment is scanned from front to back, which finds the entries its file holds and the settlements
recorded in it.  Then, segment by segment, entries are matched with the settlements that concern them;
settlements that match nothing (their message was compacted away) are forgotten.  What remains are the
unsettled entries, in order of position, and the same ledger that the engine would have had without the
restart.

The log goes on in the last segment, cut behind its last record, or in a new segment if that one is damaged,
compacted or full.
"""

from __future__ import annotations

import logging
import os
from array import array
from collections.abc import Iterable, Iterator
from itertools import compress
from pathlib import Path

from warren.core.errors import NewerFormatError, StorageError
from warren.core.storage.disk.compaction import TEMPORARY_SUFFIX
from warren.core.storage.disk.delivery_counts import DeliveryCounts
from warren.core.storage.disk.errors import DamagedRecordError
from warren.core.storage.disk.flush import segment_name
from warren.core.storage.disk.keys import NO_KEY, LogKey, drawn_key, key_in_segment, read_key, write_key
from warren.core.storage.disk.ledger import Ledger
from warren.core.storage.disk.message_run import Entries
from warren.core.storage.disk.quarantine import Quarantine
from warren.core.storage.disk.records import (
    FORMAT_VERSION,
    SEGMENT_HEADER_SIZE,
    decode_segment_header,
)
from warren.core.storage.disk.segment import Segment
from warren.core.storage.disk.segment_scan import SegmentScan

_log = logging.getLogger("warren.store")


def refuse_newer_format(directory: Path, bases: Iterable[int]) -> None:
    """Nothing is changed in a message directory that a newer broker has written to: raises NewerFormatError.

    bases: of its segments.
    """
    for base in bases:
        path = directory / segment_name(base)
        try:
            with open(path, "rb") as file:
                version, _, _ = decode_segment_header(file.read(SEGMENT_HEADER_SIZE))
        except (OSError, DamagedRecordError):
            continue
        if version > FORMAT_VERSION:
            raise NewerFormatError(
                f"{path} has message format {version}, this broker knows formats up to {FORMAT_VERSION}: the data "
                "directory belongs to a newer version of Warren; start that one, or name another data directory"
            )


class Recovery:
    """Recovery of one message directory: `run` fills `ledger`, `queues` yields the unsettled entries.

    key: of the log.  delivery_counts: failed deliveries of unsettled entries.
    """

    def __init__(self, directory: Path, segment_bytes_max: int, quarantine: Quarantine) -> None:
        self.ledger = Ledger()
        self.delivery_counts = DeliveryCounts()
        self.torn_bytes = 0
        self.key = LogKey(NO_KEY, 0)
        self._directory = directory
        self._segment_bytes_max = segment_bytes_max
        self._quarantine = quarantine
        self._next_base = 0
        self._key_is_new = False
        self._unsettled: dict[int, Entries] = {}

    def run(self) -> None:
        """Scan all segments. Raises StorageError when the directory can't be read or is too new."""
        try:
            names = sorted(os.listdir(self._directory))
            bases = [int(name[:16], 16) for name in names if _is_segment_name(name)]
            refuse_newer_format(self._directory, bases)
            for name in names:
                if name.endswith(TEMPORARY_SUFFIX):
                    os.unlink(self._directory / name)
            self.key = self._find_key(bases)
        except OSError as error:
            raise StorageError(
                f"cannot read the messages in {self._directory}: {error.strerror}; make the directory and its"
                " files readable and writable for the user that runs the broker"
            ) from error
        scans = [scan for base in bases if (scan := self._scan(base, base == bases[-1])) is not None]
        self._choose_last(scans)
        for scan in scans:
            self.delivery_counts.restore(scan.failed)
            scan.failed.clear()
        self._match(scans)
        self.delivery_counts.recovered({queue_id: entries[0] for queue_id, entries in self._unsettled.items()})

    def queues(self) -> Iterator[tuple[int, array[int], array[int]]]:
        """(queue id, positions, body sizes) of the unsettled entries of every queue that has any."""
        unsettled, self._unsettled = self._unsettled, {}
        while unsettled:
            queue_id, (positions, sizes) = unsettled.popitem()
            yield queue_id, positions, sizes

    def _find_key(self, bases: list[int]) -> LogKey:
        """The key of the log; a new one for what comes from now on, where there has been none."""
        key = read_key(self._directory)
        if key is not None:
            return key
        for base in bases:
            try:
                value = key_in_segment(self._directory / segment_name(base), base)
            except OSError:
                continue
            if value is not None:
                key = LogKey(value, base)
                break
        self._key_is_new = key is None
        key = key or drawn_key(bases)
        try:
            write_key(self._directory, key)
        except OSError as error:
            _log.warning("the key of the message log can't be kept (%s); the next start tries again", error.strerror)
            return LogKey(NO_KEY, 0) if self._key_is_new else key
        return key

    def _scan(self, base: int, is_last: bool) -> SegmentScan | None:
        """Scan one segment and see to its damage; None when nothing of it can be used."""
        name = segment_name(base)
        path = self._directory / name
        scan = SegmentScan(base, path, self.key)
        self._next_base = max(self._next_base, base + _file_size(path))
        try:
            scan.run(is_last)
        except (OSError, DamagedRecordError) as error:
            self._quarantine.move_segment(name, str(error.args[-1]))
            return None
        if scan.is_in_doubt:
            self._renounce(scan)
        self._next_base = max(self._next_base, scan.segment.end)
        if not scan.header_is_valid and not scan.record_count:
            self._drop_headless(scan, is_last)
            return None
        if not scan.header_is_valid:
            scan.damaged.insert(0, (0, SEGMENT_HEADER_SIZE))
        if scan.tail is not None and (not is_last or scan.damaged or scan.segment.sparse):
            scan.damaged.append(scan.tail)
        copied = [self._quarantine.copy_range(name, *damage, "no valid record") for damage in scan.damaged]
        scan.segment.damaged = bool(copied) and all(copied)
        return scan

    def _renounce(self, scan: SegmentScan) -> None:
        """Have what doesn't count at this start not count at the next."""
        try:
            scan.renounce()
        except OSError as error:
            self._quarantine.report(
                f"{scan.path}: acknowledgements that don't count can't be written over: {error.strerror}; they may"
                " count at the next start. Check the disk."
            )

    def _drop_headless(self, scan: SegmentScan, is_last: bool) -> None:
        """A file without a header or any record: the trace of a crash while it was made, or else damage."""
        if scan.tail is None or (is_last and not self._key_is_new):
            scan.path.unlink()
        else:
            self._quarantine.move_segment(scan.path.name, "it holds no valid header and no valid record")

    def _choose_last(self, scans: list[SegmentScan]) -> None:
        """Go on writing in the last segment if that is possible, or else in a new one."""
        for scan in scans:
            self.ledger.add(scan.segment)
        if scans and self._is_whole(scans[-1]):
            self._cut_tail(scans[-1])
            if self._can_go_on(scans[-1]):
                return
        self.ledger.add(Segment(self._next_base, self.key.value))

    def _is_whole(self, scan: SegmentScan) -> bool:
        """True for a segment as the writer left it: at most its end is torn."""
        return scan.header_is_valid and not scan.damaged and not scan.segment.sparse

    def _can_go_on(self, scan: SegmentScan) -> bool:
        """True when the segment has room and nothing came behind it."""
        segment = scan.segment
        if segment.key != self.key.value:
            return False
        return segment.size < self._segment_bytes_max and segment.base + scan.file_size >= self._next_base

    def _cut_tail(self, scan: SegmentScan) -> None:
        """Cut the file behind its last record, so that nothing old can appear behind what is written next."""
        if scan.tail is not None:
            self.torn_bytes = scan.tail[1] - scan.tail[0]
        if scan.file_size != scan.segment.size:
            descriptor = os.open(scan.path, os.O_RDWR | os.O_CLOEXEC)
            try:
                os.ftruncate(descriptor, scan.segment.size)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def _match(self, scans: list[SegmentScan]) -> None:
        """Match entries with settlements, one segment's entries at a time, and collect what is unsettled."""
        parts: dict[int, dict[int, list[tuple[Segment, array[int]]]]] = {}
        for scan in scans:
            for queue_id, unsorted in scan.settlements.items():
                for target, part in self.ledger.split(array("Q", sorted(unsorted))):
                    parts.setdefault(target.base, {}).setdefault(queue_id, []).append((scan.segment, part))
            scan.settlements.clear()
        for scan in scans:
            self._match_segment(scan, parts.pop(scan.segment.base, {}))

    def _match_segment(self, scan: SegmentScan, parts: dict[int, list[tuple[Segment, array[int]]]]) -> None:
        """Settle this segment's entries as `parts` says, by queue; add the rest to the unsettled ones."""
        while scan.entries:
            queue_id, (positions, sizes) = scan.entries.popitem()
            if queue_id in parts:
                live = set(positions)
                for source, part in parts.pop(queue_id):
                    hits = live.intersection(part)
                    if hits:
                        self.ledger.book_settled(source, queue_id, array("Q", sorted(hits)))
                        live -= hits
                is_live = [position in live for position in positions]
                sizes = array("I", compress(sizes, is_live))
                positions = array("Q", compress(positions, is_live))
            if positions:
                entries = self._unsettled.setdefault(queue_id, (array("Q"), array("I")))
                entries[0].extend(positions)
                entries[1].extend(sizes)


def _is_segment_name(name: str) -> bool:
    """True for `<16 lower case hex digits>.log`."""
    return len(name) == 20 and name.endswith(".log") and not name[:16].strip("0123456789abcdef")


def _file_size(path: Path) -> int:
    """Size in bytes, 0 when even that can't be told."""
    try:
        return path.stat().st_size
    except OSError:
        return 0
