"""The number that the checksums of a message log begin with: drawn by lot, and told to nobody.

A scan that lost its way looks for records wherever one may begin, also in what clients have published.  A record that
somebody made up there has one chance in four thousand million, as its checksum would have to begin with that number.

It stands in the file `messages/key`, and at the beginning of each segment: either is enough.  The file also says from
which segment on it holds: those of older versions begin theirs with 0.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Final, NamedTuple
from zlib import crc32

from warren.core.storage.disk.compaction import TEMPORARY_SUFFIX
from warren.core.storage.disk.files import FILE_MODE, sync_directory, write_at
from warren.core.storage.disk.records import KEYED_START_SIZE, key_of_start

FILE_NAME: Final = "key"

NO_KEY: Final = 0
"""Of a segment that is an older version's."""

_KEYS: Final = range(1, 1 << 32)


class LogKey(NamedTuple):
    """value: what checksums begin with.  since: the base of the first segment of which that holds."""

    value: int
    since: int

    def of_segment(self, base: int) -> int:
        """What it is of this segment, as far as can be told without a look at it."""
        return self.value if base >= self.since else NO_KEY


def drawn_key(bases: list[int]) -> LogKey:
    """A new one, for whatever comes behind these segments."""
    return LogKey(secrets.choice(_KEYS), bases[-1] + 1 if bases else 0)


def read_key(directory: Path) -> LogKey | None:
    """The key of this messages directory; None where its file is missing or damaged."""
    try:
        text, _, checksum = (directory / FILE_NAME).read_bytes().strip().rpartition(b" ")
        if int(checksum, 16) != crc32(text):
            return None
        value, since = text.split()
        return LogKey(int(value, 16), int(since, 16))
    except (OSError, ValueError):
        return None


def write_key(directory: Path, key: LogKey) -> None:
    """Keep it, safe from a power failure when this returns.  Raises OSError."""
    text = b"%08x %016x" % key
    path = directory / FILE_NAME
    temporary = directory / (FILE_NAME + TEMPORARY_SUFFIX)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, FILE_MODE)
    try:
        write_at(descriptor, text + b" %08x\n" % crc32(text), 0)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.rename(temporary, path)
    sync_directory(directory)


def key_in_segment(path: Path, base: int) -> int | None:
    """The key at the beginning of a segment; None where there is none, or it is damaged.  Raises OSError."""
    with open(path, "rb") as file:
        return key_of_start(file.read(KEYED_START_SIZE), base)
