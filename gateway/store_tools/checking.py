"""What is wrong in a data directory, found without changing anything in it.

Everything is read that has a checksum: each record of the message log, each chunk of the streams, each row of the
definitions (on a copy of the database, since SQLite writes to what it opens).  What a start would do about it is in
docs/storage.md; `repairing` makes a directory without it.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from warren.core.errors import NewerFormatError, StorageError
from warren.core.storage.definitions.salvage import SALVAGED_BEFORE
from warren.core.storage.definitions.sqlite import SqliteDefinitionStore
from warren.core.storage.disk.errors import DamagedRecordError
from warren.core.storage.disk.flush import segment_name
from warren.core.storage.disk.keys import NO_KEY, LogKey, key_in_segment, read_key
from warren.core.storage.disk.recovery import refuse_newer_format as refuse_newer_log
from warren.core.storage.disk.segment_scan import SegmentScan
from warren.core.storage.disk.stream_files import NAME as STREAMS_NAME
from warren.core.streams.scanning import Damaged, Tail, scan
from warren.core.streams.segment_file import START_SIZE, base_of, key_of_start, refuse_newer_format
from warren.core.streams.segment_file import segment_name as stream_segment_name
from warren.gateway.process.data_directory import is_in_use
from warren.gateway.process.stores import DEFINITIONS_NAME, MESSAGES_NAME

DATABASE_FILES: Final = (DEFINITIONS_NAME, f"{DEFINITIONS_NAME}-wal")


@dataclass(slots=True)
class Checked:
    """damage: sentences about what can't be read.  notes: what is no damage, and good to know.

    definitions, segments, messages, streams, chunks: how much was read.  messages: entries of queues in the log, those
    that are settled included.
    """

    damage: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    definitions: int = 0
    segments: int = 0
    messages: int = 0
    streams: int = 0
    chunks: int = 0

    @property
    def is_sound(self) -> bool:
        """True when nothing is damaged."""
        return not self.damage


def refuse_newer(directory: Path) -> None:
    """Raise NewerFormatError where a newer version of Warren has written any of it: that is no damage."""
    _check_definitions(directory, Checked())
    refuse_newer_log(directory / MESSAGES_NAME, segment_bases(directory / MESSAGES_NAME))
    for path in (directory / STREAMS_NAME).glob("*/*.segment"):
        with open(path, "rb") as file:
            refuse_newer_format(file.read(START_SIZE), str(path))


def check_store(directory: Path) -> Checked:
    """Look at all of it.

    Raises StorageError where there is no store, a broker uses it, it can't be read at all, or is a newer version's.
    """
    check_free(directory)
    checked = Checked()
    _check_definitions(directory, checked)
    _check_messages(directory / MESSAGES_NAME, checked)
    _check_streams(directory / STREAMS_NAME, checked)
    return checked


def check_free(directory: Path) -> None:
    """Raise StorageError unless this is a data directory, and no broker uses it."""
    if not (directory / DEFINITIONS_NAME).exists() and not (directory / MESSAGES_NAME).is_dir():
        raise StorageError(f"{directory} is no data directory: it has neither {DEFINITIONS_NAME} nor {MESSAGES_NAME}")
    if is_in_use(directory):
        raise StorageError(
            f"{directory} is in use by a broker: stop it first, or make a copy with "
            f"warren store backup NEWDIR --data-dir {directory}, which can be looked at"
        )


def _check_definitions(directory: Path, checked: Checked) -> None:
    if not (directory / DEFINITIONS_NAME).exists():
        checked.damage.append(f"{DEFINITIONS_NAME} is missing: whatever the message log holds would be set aside")
        return
    with tempfile.TemporaryDirectory(prefix="warren-check-") as name:
        for file in DATABASE_FILES:
            if (directory / file).exists():
                shutil.copyfile(directory / file, Path(name) / file)
        try:
            store = SqliteDefinitionStore(Path(name) / DEFINITIONS_NAME)
        except NewerFormatError as error:
            raise NewerFormatError(str(error).replace(name, str(directory))) from None
        except StorageError as error:
            checked.damage.append(str(error).replace(name, str(directory)))
            return
        try:
            for each in store.damage():
                told = checked.notes if SALVAGED_BEFORE in each else checked.damage
                told.append(each.replace(name, str(directory)))
            checked.definitions = sum(1 for _ in store.load())
        finally:
            store.close()


def segment_bases(directory: Path) -> list[int]:
    """Of the segments of a message log, in order; none where there is no log.  Raises StorageError."""
    try:
        names = sorted(os.listdir(directory))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StorageError(f"{directory} can't be read: {error.strerror}") from None
    found = []
    for name in names:
        digits, dot, suffix = name.partition(".")
        if dot and suffix == "log" and len(digits) == 16 and not digits.strip("0123456789abcdef"):
            found.append(int(digits, 16))
    return found


def _key_of(directory: Path, bases: list[int]) -> LogKey:
    key = read_key(directory)
    if key is not None:
        return key
    for base in bases:
        value = key_in_segment(directory / segment_name(base), base)
        if value is not None:
            return LogKey(value, base)
    return LogKey(NO_KEY, 0)


def _check_messages(directory: Path, checked: Checked) -> None:
    bases = segment_bases(directory)
    refuse_newer_log(directory, bases)
    try:
        key = _key_of(directory, bases)
    except OSError as error:
        checked.damage.append(f"{directory} can't be read: {error.strerror}")
        return
    end = bases[0] if bases else 0
    for base in bases:
        if base > end:
            checked.notes.append(
                f"{directory} has no segments from {segment_name(end)} to {segment_name(base)}: all that was in them "
                "was settled, or somebody has removed them"
            )
        scan = SegmentScan(base, directory / segment_name(base), key)
        end = max(end, _check_segment(scan, base == bases[-1], checked))


def _check_segment(scan: SegmentScan, is_last: bool, checked: Checked) -> int:
    """Where its positions end."""
    checked.segments += 1
    try:
        scan.run(is_last)
    except (OSError, DamagedRecordError) as error:
        checked.damage.append(f"{scan.path} can't be read ({error.args[-1]})")
        return scan.segment.base
    checked.messages += sum(len(positions) for positions, _ in scan.entries.values())
    if not scan.header_is_valid and (scan.record_count or scan.tail is not None):
        checked.damage.append(f"{scan.path}: its header is damaged")
    checked.damage += [f"{scan.path}: bytes {start} to {end} hold no valid record" for start, end in scan.damaged]
    if scan.tail is not None:
        start, end = scan.tail
        if is_last and not scan.damaged and scan.header_is_valid:
            checked.notes.append(
                f"{scan.path}: bytes {start} to {end}, at its end, are the rest of a write that was cut off, of which "
                "nobody was told that it was kept; or damage, which looks the same there"
            )
        elif scan.header_is_valid:
            checked.damage.append(f"{scan.path}: bytes {start} to {end}, at its end, hold no valid record")
    return scan.segment.end


def _check_streams(directory: Path, checked: Checked) -> None:
    try:
        numbers = sorted(entry.name for entry in os.scandir(directory) if entry.name.isdecimal())
    except FileNotFoundError:
        return
    for number in numbers:
        checked.streams += 1
        bases = sorted(base for name in os.listdir(directory / number) if (base := base_of(name)) is not None)
        end = bases[0] if bases else 0
        for base in bases:
            if base > end:
                checked.damage.append(f"{directory / number}: the messages from offset {end} to {base} are missing")
            path = directory / number / stream_segment_name(base)
            for sentence, at in _check_stream_segment(path, base, base == bases[-1], checked):
                if sentence:
                    checked.damage.append(f"{path}: {sentence}")
                end = max(end, at)


def _check_stream_segment(path: Path, base: int, is_last: bool, checked: Checked) -> Iterator[tuple[str, int]]:
    """Sentences about damage, empty ones for chunks, and the offset behind each."""
    with open(path, "rb", buffering=0) as file:
        descriptor = file.fileno()
        start = os.pread(descriptor, START_SIZE, 0)
        if not start.strip(b"\0"):
            return  # it was being made when the broker ended
        refuse_newer_format(start, str(path))
        try:
            key = key_of_start(start, base)
        except DamagedRecordError as error:
            yield f"it can't be read ({error})", base
            return
        size, end = os.fstat(descriptor).st_size, base
        for step in scan(lambda count, at: os.pread(descriptor, count, at), key, base, size):
            if isinstance(step, Damaged):
                yield f"bytes {step.start} to {step.end} are damaged ({step.reason})", end
            elif isinstance(step, Tail):
                if step.is_torn and is_last:
                    checked.notes.append(
                        f"{path}: what stands behind byte {step.start} is the rest of a write that was cut off, of "
                        "which nobody was told that it was kept; or damage, which looks the same there"
                    )
                elif step.is_torn:
                    yield f"what stands behind byte {step.start} is damaged", end
            else:
                checked.chunks += 1
                end = max(end, step.lead.head.end_offset)
                yield "", end
