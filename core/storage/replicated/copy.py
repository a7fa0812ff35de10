"""The message log in this node's directory as a copy of what a stream holds: cut to what is known, written on,
rebuilt.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from warren.core.storage.disk.errors import DamagedRecordError
from warren.core.storage.disk.files import FILE_MODE, sync_data, sync_directory, write_at
from warren.core.storage.disk.flush import segment_name
from warren.core.storage.disk.keys import FILE_NAME as KEY_NAME
from warren.core.storage.disk.records import SEGMENT_HEADER_SIZE, decode_segment_header
from warren.core.storage.replicated.errors import StreamDiverged
from warren.core.storage.replicated.frames import Frame

_SUFFIX: Final = ".log"


class LocalCopy:
    """See the head of this file.  base, end: of the last segment, and where it ends; an empty log has both 0.

    All methods raise OSError.
    """

    def __init__(self, directory: Path) -> None:
        self.base = 0
        self.end = 0
        self._directory = directory
        self._descriptor = -1

    def has_segments(self) -> bool:
        """Whether there is any log at all."""
        return bool(self._names())

    def wipe(self) -> None:
        """Remove the log, and its key: a stream's segments bring their own."""
        self.close()
        for name in [*self._names(), KEY_NAME]:
            try:
                os.unlink(self._directory / name)
            except FileNotFoundError:
                continue
        sync_directory(self._directory)
        self.base = self.end = 0

    def cut(self, base: int, end: int) -> bool:
        """Cut the log behind offset `end` of this segment; False where that can't be done and it is to be rebuilt."""
        self.close()
        path = self._directory / segment_name(base)
        if not self._is_dense(path, base, end):
            return base == end == 0 and not self._names()
        for name in self._names():
            if name > path.name:
                os.unlink(self._directory / name)
        self._descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        os.ftruncate(self._descriptor, end)
        self.base, self.end = base, end
        return True

    def write(self, frame: Frame, sequence: int, *, may_cut: bool) -> None:
        """Append what a LOG frame says.

        may_cut: another owner begins here, who may have cut off the rest of a flush that never was whole.  Raises
        StreamDiverged where the frame doesn't follow what is there.
        """
        if frame.offset == 0 and (frame.base > self.base or not self.end):
            self._begin(frame.base)
        elif frame.base != self.base or not self.end or not (frame.offset == self.end or self._may_cut(frame, may_cut)):
            raise StreamDiverged(
                f"message {sequence} of the stream continues {segment_name(frame.base)} at {frame.offset}, and the log "
                f"ends at {self.end} of {segment_name(self.base)}: something between is missing"
            )
        write_at(self._descriptor, frame.data, frame.offset)
        self.end = frame.offset + len(frame.data)

    def sync(self) -> None:
        """All of it is on the device when this returns."""
        if self._descriptor >= 0:
            sync_data(self._descriptor)
        sync_directory(self._directory)

    def close(self) -> None:
        """Close the file that is open."""
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)

    def _may_cut(self, frame: Frame, may_cut: bool) -> bool:
        """Cut the last segment to where the frame begins, if that may be."""
        if not may_cut or frame.offset > self.end:
            return False
        os.ftruncate(self._descriptor, frame.offset)
        return True

    def _begin(self, base: int) -> None:
        """Complete the segment, and begin another one."""
        if self._descriptor >= 0:
            sync_data(self._descriptor)
        self.close()
        flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        self._descriptor = os.open(self._directory / segment_name(base), flags, FILE_MODE)
        self.base, self.end = base, 0

    def _is_dense(self, path: Path, base: int, end: int) -> bool:
        """Whether the segment is there as it was written, and long enough."""
        try:
            with open(path, "rb") as file:
                _, found, sparse_end = decode_segment_header(file.read(SEGMENT_HEADER_SIZE))
                return found == base and not sparse_end and os.fstat(file.fileno()).st_size >= end
        except (FileNotFoundError, DamagedRecordError):
            return False

    def _names(self) -> list[str]:
        return sorted(name for name in os.listdir(self._directory) if len(name) == 20 and name.endswith(_SUFFIX))
