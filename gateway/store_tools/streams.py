"""A stream's files copied, without what is damaged."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from warren.core.storage.disk.errors import DamagedRecordError
from warren.core.storage.disk.files import DIRECTORY_MODE
from warren.core.streams.scanning import Damaged, Found, scan
from warren.core.streams.segment_file import START_SIZE, base_of, key_of_start, refuse_newer_format


def copy_stream(source: Path, target: Path) -> list[str]:
    """Copy each segment; of a damaged one the chunks that can be read, and the file as it was goes to the quarantine.

    Gives sentences about damage.  Indexes are left out, as a start makes them anew.  Raises OSError.
    """
    target.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
    found: list[str] = []
    for path in sorted(source.iterdir()):
        base = base_of(path.name)
        if base is None:
            continue
        damage = _copy_segment(path, target / path.name, base)
        if damage:
            found += [f"{path}: {each}" for each in damage]
            kept = target.parent.parent / "quarantine" / "streams" / source.name
            kept.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
            shutil.copyfile(path, kept / path.name)
    return found


def _copy_segment(path: Path, target: Path, base: int) -> list[str]:
    """What is damaged in it; it isn't there in the new place where nothing of it can be read."""
    with open(path, "rb", buffering=0) as file:
        descriptor = file.fileno()
        start = os.pread(descriptor, START_SIZE, 0)
        if not start.strip(b"\0"):
            return []
        refuse_newer_format(start, str(path))
        try:
            key = key_of_start(start, base)
        except DamagedRecordError as error:
            return [f"it can't be read ({error}); the messages in it are lost"]
        found = []
        with open(target, "wb") as copy:
            os.chmod(copy.fileno(), 0o600)
            copy.write(start)
            size = os.fstat(descriptor).st_size
            for step in scan(lambda count, at: os.pread(descriptor, count, at), key, base, size):
                if isinstance(step, Found):
                    copy.write(os.pread(descriptor, step.lead.size, step.row.position))
                elif isinstance(step, Damaged):
                    found.append(
                        f"bytes {step.start} to {step.end} are damaged ({step.reason}); their messages are lost"
                    )
        return found
