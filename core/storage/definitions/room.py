"""Room on disk for what is declared, taken before anything is declared: so that a full disk refuses, and stops nobody.

SQLite finds out that the disk is full when it commits, and then it is too late: the transaction is rolled back, while
the broker and its clients count on what was in it.  So there is always space allocated in the write-ahead log behind
its end, for the next change and for those that nobody can refuse (a session's end, an expiry, what is deleted).  Where
no more can be allocated, `has_room` says so, and what would be declared is refused.

What is in the log has to go into the database in time, which may take new pages.  A file beside it (`.ballast`) keeps
the space for that, and gives it up where there is no other.

SQLite doesn't mind the longer log: it reads it up to the first frame that isn't one.  Behind a checkpoint it writes it
from the beginning again.  Where its end is, is estimated from what was changed, and looked up in the file (each frame
repeats the salts of the log's header) only where the estimate isn't good enough.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Final

from warren.core.storage.definitions.places import FILE_MODE
from warren.core.storage.definitions.wal_file import DEFAULT_PAGE_SIZE, FRAME, HEADER

FRAME_BYTES: Final = FRAME.size + DEFAULT_PAGE_SIZE

PAGES_PER_CHANGE: Final = 8
"""Pages that one change of a row may write, beside those of a long value: leaves of table and index, what splits."""

RESERVE_BYTES: Final = 512 * 1024
"""For what isn't refused: a hundred changes in one commit, at the end of which there is room again or the broker
stops."""

LONG_LOG_BYTES: Final = 1000 * FRAME_BYTES
"""A log that is brought into the database, as SQLite by itself would do at this length: four MiB."""

TOO_LONG_LOG_BYTES: Final = 4 * LONG_LOG_BYTES
"""A log that doesn't wait for the next sync."""

NEW_ROW_BYTES: Final = 1024
"""What a new row brings in new pages at most, of table and index, beside its value."""

STEP_BYTES: Final = 1 << 20
"""Allocated at a time."""

BALLAST_SUFFIX: Final = ".ballast"

BALLAST_BYTES: Final = 4 << 20
"""As many new pages as there are in a log that SQLite thinks long enough to be brought into the database."""

FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""Errors that say that there is no room; others say that space can't be allocated ahead here."""


def change_bytes(value_bytes: int) -> int:
    """What a change to a row with a value of this size may take in the log."""
    return (PAGES_PER_CHANGE + value_bytes // (DEFAULT_PAGE_SIZE // 2)) * FRAME_BYTES


class Room:
    """The room in the log with this open descriptor, beside the database at `path`."""

    __slots__ = (
        "_allocated",
        "_ballast",
        "_descriptor",
        "_end",
        "_old_salts",
        "_path",
        "_pending",
        "_pending_new",
        "_salts",
        "_used",
    )

    def __init__(self, descriptor: int, path: Path) -> None:
        self._descriptor = descriptor
        self._path = path
        self._allocated = os.fstat(descriptor).st_size if descriptor >= 0 else 0
        self._salts = self._old_salts = b""
        self._end = HEADER.size
        self._used = self._allocated
        self._pending = self._pending_new = 0
        self._ballast = -1

    def take(self, value_bytes: int) -> None:
        """A row with a value of this size was changed, in the transaction that is open."""
        self._pending += change_bytes(value_bytes)
        self._pending_new += NEW_ROW_BYTES + 2 * value_bytes

    def take_deletions(self, count: int) -> None:
        """So many rows were deleted, in the transaction that is open."""
        self._pending += count * change_bytes(0)

    def committed(self) -> None:
        """The transaction is in the log."""
        self._used += self._pending_bytes
        self._pending = self._pending_new = 0

    @property
    def _pending_bytes(self) -> int:
        """What the open transaction may take: many changes share pages, of which there are no more than there are."""
        if self._pending <= RESERVE_BYTES:
            return self._pending
        # Pages that aren't in the database yet are in the log.
        database_bytes = self._path.stat().st_size + self._used
        return min(self._pending, database_bytes + database_bytes // FRAME_BYTES * FRAME.size + self._pending_new)

    def is_log_long(self) -> bool:
        """Whether there is so much in the log that it should go into the database."""
        if self._used < LONG_LOG_BYTES:
            return False
        self._used = self._look()
        return self._used >= LONG_LOG_BYTES

    @property
    def is_log_too_long(self) -> bool:
        """Whether a log that is long is so long that it has to go into the database at once."""
        return self._used >= TOO_LONG_LOG_BYTES

    def has_for(self, count: int) -> bool:
        """Whether the log has room for so many changes without values more, and the reserve behind it."""
        pending = self._pending
        self._pending += count * change_bytes(0)
        try:
            return self.has_in_log()
        finally:
            self._pending = pending

    def has(self, value_bytes: int) -> bool:
        """Whether there is room for one change more, in the log and in time in the database."""
        return self.has_in_log(value_bytes) and self._has_ballast()

    def has_in_log(self, value_bytes: int = 0) -> bool:
        """Whether the log has room for one change more, and the reserve behind it; it is allocated if need be."""
        needed = self._pending_bytes + change_bytes(value_bytes) + RESERVE_BYTES
        if self._used + needed <= self._allocated:
            return True
        self._used = self._look()
        if self._used + needed <= self._allocated:
            return True
        return self._allocate(self._used + needed)

    def _has_ballast(self) -> bool:
        if self._ballast < 0:
            path = self._path.with_name(self._path.name + BALLAST_SUFFIX)
            try:
                self._ballast = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
            except OSError:
                return False
        if os.fstat(self._ballast).st_size >= BALLAST_BYTES:
            return True
        try:
            os.posix_fallocate(self._ballast, 0, BALLAST_BYTES)
        except OSError as error:
            if error.errno in FULL:
                os.ftruncate(self._ballast, 0)
                return False
        except AttributeError:
            pass
        return True

    def drop_ballast(self) -> None:
        """Let the database have the space that was kept for it."""
        if self._ballast >= 0:
            os.ftruncate(self._ballast, 0)

    def close(self) -> None:
        """Close the files that are this object's own."""
        if self._ballast >= 0:
            os.close(self._ballast)
            self._ballast = -1

    def restarted(self) -> None:
        """The log is written from its beginning again, from the next change on."""
        self._used = self._end = HEADER.size
        self._old_salts = os.pread(self._descriptor, 8, 16)

    def _look(self) -> int:
        """Where the log ends, in bytes."""
        salts = os.pread(self._descriptor, 8, 16)
        if salts == self._old_salts:
            return HEADER.size
        if salts != self._salts:
            self._salts, self._end = salts, HEADER.size
        while os.pread(self._descriptor, 8, self._end + 8) == salts and any(salts):
            self._end += FRAME_BYTES
        return self._end

    def _allocate(self, end: int) -> bool:
        size = max(end - self._allocated, STEP_BYTES)
        try:
            os.posix_fallocate(self._descriptor, self._allocated, size)
        except OSError as error:
            if error.errno in FULL:
                return False
        except AttributeError:
            pass
        else:
            self._allocated += size
            return True
        try:
            found = os.statvfs(self._path.parent)
        except (OSError, AttributeError):
            return True
        return found.f_bavail * found.f_frsize >= end - self._used
