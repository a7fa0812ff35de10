"""How far the log here and the stream are known to be the same: the file `messages/replicated`.

It has two places for a mark, written in turns, so that a write that is cut off leaves the other one.  It isn't synced:
an older mark costs a longer look at the stream, and no mark a rebuilding from it, but never a message.

    sequence u64, base u64, end u64, chain 16s, checksum u32
"""

from __future__ import annotations

import os
from pathlib import Path
from struct import Struct, error
from typing import Final
from zlib import crc32

from warren.core.storage.disk.files import FILE_MODE, sync_directory, write_at
from warren.core.storage.replicated.frames import NO_CHAIN

FILE_NAME: Final = "replicated"

_FIELDS: Final = Struct("<QQQ16s")
_CHECKSUM: Final = Struct("<I")
_SIZE: Final = _FIELDS.size + _CHECKSUM.size
_PLACES: Final = (0, 512)
"""Apart from each other, so that no sector holds both."""


class Mark:
    """Up to this sequence of the stream the log here is the same; its last segment is `base`, and ends at offset `end`.

    chain: of the frame with this sequence.  Sequence 0: nothing is; what is in the directory is to be rebuilt.
    """

    __slots__ = ("base", "chain", "end", "sequence")

    def __init__(self, sequence: int, base: int, end: int, chain: bytes) -> None:
        self.sequence = sequence
        self.base = base
        self.end = end
        self.chain = chain


UNMARKED: Final = Mark(0, 0, 0, NO_CHAIN)


def read_mark(directory: Path) -> Mark | None:
    """The later one of the two; None where there is no such file, UNMARKED where neither is sound.  Raises OSError."""
    try:
        content = (directory / FILE_NAME).read_bytes()
    except FileNotFoundError:
        return None
    found = UNMARKED
    for at in _PLACES:
        try:
            sequence, base, end, chain = _FIELDS.unpack_from(content, at)
            (checksum,) = _CHECKSUM.unpack_from(content, at + _FIELDS.size)
        except error:
            continue
        if checksum == crc32(content[at : at + _FIELDS.size]) and sequence > found.sequence:
            found = Mark(sequence, base, end, chain)
    return found


class MarkFile:
    """Writes marks.  directory: that of the message log."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._descriptor = -1
        self._turn = 0
        self._is_void = False

    def write(self, mark: Mark) -> None:
        """This is how far it is known.  Raises OSError."""
        if self._is_void:
            return
        fields = _FIELDS.pack(mark.sequence, mark.base, mark.end, mark.chain)
        write_at(self._opened(), fields + _CHECKSUM.pack(crc32(fields)), _PLACES[self._turn])
        self._turn = 1 - self._turn

    def forget(self) -> None:
        """Nothing is known any more, safe from a power failure when this returns.  Raises OSError."""
        descriptor = self._opened()
        os.ftruncate(descriptor, 0)
        os.fsync(descriptor)
        sync_directory(self._directory)

    def void(self) -> None:
        """What is here isn't what the stream holds: nothing is known from now on, whoever writes.  Raises OSError."""
        self._is_void = True
        self.forget()

    def close(self) -> None:
        """Close the file.  Raises OSError."""
        try:
            if self._is_void:
                # Once more: a write that was under way may have come behind.
                self.forget()
        finally:
            if self._descriptor >= 0:
                descriptor, self._descriptor = self._descriptor, -1
                os.close(descriptor)

    def _opened(self) -> int:
        if self._descriptor < 0:
            path = self._directory / FILE_NAME
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
        return self._descriptor
