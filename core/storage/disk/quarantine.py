"""Setting damage aside: a copy for whoever wants to look at it, and a sentence for the log and the alarm.

Damage is never a reason not to start, nor to throw bytes away: a damaged range is copied to
`messages/quarantine` before anything may rewrite its segment, and a segment that can't be read at all is
moved there.
"""

from __future__ import annotations

import os
from pathlib import Path

from warren.core.storage.disk.files import FILE_MODE, make_directory, sync_directory, write_at

_COPY_CHUNK_SIZE = 1 << 20


class Quarantine:
    """The quarantine of one message directory; `reports` tell what happened, oldest first."""

    def __init__(self, directory: Path) -> None:
        self.reports: list[str] = []
        self._directory = directory
        self._quarantine = directory / "quarantine"

    def report(self, text: str) -> None:
        """Note something found; the same text only once."""
        if text not in self.reports:
            self.reports.append(text)

    def copy_range(self, name: str, start: int, end: int, reason: str) -> bool:
        """Copy file bytes start..end of the segment `name`; False (and reported) when that fails."""
        copy = self._quarantine / f"{name}.{start}-{end}"
        what = f"{self._directory / name}: bytes {start} to {end} are damaged ({reason})"
        try:
            if not copy.exists():
                make_directory(self._quarantine)
                self._copy(self._directory / name, copy, start, end)
        except OSError as error:
            self.report(f"{what} and could not be copied to {copy}: {error.strerror}; they stay where they are")
            return False
        self.report(
            f"{what}; copied to {copy}. Messages stored there are lost, and messages acknowledged there"
            " may be delivered again; everything else was recovered. Check the disk."
        )
        return True

    def move_segment(self, name: str, reason: str) -> None:
        """Move a segment that can't be read out of the way."""
        try:
            make_directory(self._quarantine)
            os.rename(self._directory / name, self._free_name(name))
            sync_directory(self._quarantine)
            sync_directory(self._directory)
        except OSError as error:
            self.report(
                f"{self._directory / name} can't be read ({reason}) and could not be moved to"
                f" {self._quarantine}: {error.strerror}; it is left out. Check the disk."
            )
            return
        self.report(
            f"{self._directory / name} can't be read ({reason}); moved to {self._quarantine}. Messages stored"
            " there are lost, and messages acknowledged there may be delivered again. Check the disk."
        )

    def _free_name(self, name: str) -> Path:
        """A path in the quarantine that no earlier find has."""
        path = self._quarantine / name
        number = 1
        while path.exists():
            number += 1
            path = self._quarantine / f"{name}.{number}"
        return path

    def _copy(self, source: Path, target: Path, start: int, end: int) -> None:
        """Copy the range to a file that gets its name when it is complete."""
        partial = target.with_suffix(".tmp")
        source_descriptor = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
        try:
            target_descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, FILE_MODE)
            try:
                for offset in range(start, end, _COPY_CHUNK_SIZE):
                    data = os.pread(source_descriptor, min(_COPY_CHUNK_SIZE, end - offset), offset)
                    write_at(target_descriptor, data, offset - start)
                os.fsync(target_descriptor)
            finally:
                os.close(target_descriptor)
        finally:
            os.close(source_descriptor)
        os.rename(partial, target)
        sync_directory(self._quarantine)
