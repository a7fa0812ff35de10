"""A sound data directory made of a damaged one, which stays as it is.

The definitions are salvaged on a copy, as a start would do it (core.storage.definitions.salvage).  Every entry of the
message log that is unsettled and can be read is written to a new log, in its order, for the same queues, with its count
of failed deliveries; so nothing damaged is carried along.  Streams are copied; of a damaged segment the chunks that can
be read are written one behind the other under their own offsets, so that readers pass over what is lost.  What was
damaged is in the quarantine of the new directory.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from warren.core.errors import StorageError
from warren.core.storage.definitions.sqlite import SqliteDefinitionStore
from warren.core.storage.disk.engine import DiskEngine
from warren.core.storage.disk.stream_files import NAME as STREAMS_NAME
from warren.gateway.process.stores import DEFINITIONS_NAME, MESSAGES_NAME
from warren.gateway.store_tools.checking import DATABASE_FILES, check_free, check_store, refuse_newer
from warren.gateway.store_tools.places import finished, new_place
from warren.gateway.store_tools.streams import copy_stream

MESSAGES_AT_ONCE: Final = 1000
"""Read and written with one sync."""

DAMAGED_LOG: Final = "damaged-log"
"""Of the copy that is read and removed again."""

QUARANTINE: Final = "quarantine"


@dataclass(slots=True)
class Repaired:
    """found: sentences about damage.  messages, lost: entries of queues that were written, and that can't be read."""

    found: list[str] = field(default_factory=list)
    messages: int = 0
    lost: int = 0


def repair_store(directory: Path, target: Path) -> Repaired:
    """Make `target`, which isn't there or is empty.  Raises StorageError."""
    check_free(directory)
    refuse_newer(directory)
    place = new_place(target)
    repaired = Repaired()
    try:
        _repair_definitions(directory, place, repaired)
        _repair_messages(directory, place, repaired)
        streams = directory / STREAMS_NAME
        if streams.is_dir():
            for each in sorted(entry for entry in streams.iterdir() if entry.is_dir()):
                repaired.found += copy_stream(each, place / STREAMS_NAME / each.name)
        for name in ("plugins", "enabled_plugins"):
            _copy(directory / name, place / name)
    except OSError as error:
        raise StorageError(
            f"{target} can't be made: {error.strerror or error}; nothing of {directory} is changed"
        ) from None
    finished(place, target)
    left = check_store(target).damage
    if left:
        raise StorageError(f"{target} is damaged again, so the disk is not to be trusted: {left[0]}")
    return repaired


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target)
    elif source.exists():
        shutil.copy2(source, target)


def _repair_definitions(directory: Path, place: Path, repaired: Repaired) -> None:
    for name in DATABASE_FILES:
        if (directory / name).exists():
            shutil.copyfile(directory / name, place / name)
    store = SqliteDefinitionStore(place / DEFINITIONS_NAME)
    try:
        repaired.found += [each.replace(str(place), str(directory)) for each in store.damage()]
    finally:
        store.close()


def _repair_messages(directory: Path, place: Path, repaired: Repaired) -> None:
    if not (directory / MESSAGES_NAME).is_dir():
        return
    copy = place / DAMAGED_LOG
    copy.mkdir(mode=0o700)
    shutil.copytree(directory / MESSAGES_NAME, copy / MESSAGES_NAME, ignore=shutil.ignore_patterns(QUARANTINE))
    old = DiskEngine(copy)
    try:
        entries = list(old.recover())
        new = DiskEngine(place)
        try:
            list(new.recover())
            _write_all(old, new, entries, repaired)
        finally:
            new.close()
        repaired.found += [each.replace(str(copy), str(directory)) for each in old.damage()]
    finally:
        old.close()
    _copy(copy / MESSAGES_NAME / "owners", place / MESSAGES_NAME / "owners")
    _copy(copy / MESSAGES_NAME / QUARANTINE, place / MESSAGES_NAME / QUARANTINE)
    shutil.rmtree(copy)


def _write_all(
    old: DiskEngine, new: DiskEngine, entries: list[tuple[int, Sequence[int], Sequence[int]]], repaired: Repaired
) -> None:
    queues: dict[int, list[int]] = {}
    for queue_id, positions, _ in entries:
        for position in positions:
            queues.setdefault(position, []).append(queue_id)
    in_order = sorted(queues)
    failures = {queue_id: old.failures(queue_id) for queue_id, _, _ in entries}
    for start in range(0, len(in_order), MESSAGES_AT_ONCE):
        some = in_order[start : start + MESSAGES_AT_ONCE]
        for position, message in zip(some, old.read(some), strict=True):
            if message is None:
                repaired.lost += len(queues[position])
                continue
            repaired.messages += len(queues[position])
            new.append(message, tuple(queues[position]))
            for queue_id in queues[position]:
                failed = failures[queue_id].get(position)
                if failed:
                    new.count_failures(queue_id, message, failed)
        _flush(new)


def _flush(engine: DiskEngine) -> None:
    flush = engine.begin_flush()
    if flush is not None:
        while flush.encode_some():
            pass
        flush.write()
        engine.finish_flush(flush)
