"""The data directory: made when it is missing, private to its owner, and in use by one broker at a time.

The lock is flock(2) on `warren.lock`: the kernel drops it when its holder ends, however it ends, so there are
no stale locks to clean up.  The file's content says who holds it, for the message to whoever comes second; it
is only believed while the lock is held.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from warren.core.errors import StorageError
from warren.core.storage.disk.files import make_directory
from warren.gateway.network.addresses import format_address

LOCK_NAME = "warren.lock"

_OTHER = "name another directory with --data-dir"

_HOLDER_BYTES_MAX = 65536
"""More than any list of listeners; a damaged lock file must not be read whole into a message."""


class DataDirectoryInUseError(StorageError):
    """Another broker holds the data directory; the text says which."""


class DataDirectory:
    """An open, locked data directory; `close` (or leaving a `with`) gives it back."""

    __slots__ = ("_lock", "_opened_at", "path")

    def __init__(self, path: Path) -> None:
        """Make the directory (mode 0700) if it is missing, and lock it.

        Raises DataDirectoryInUseError when a broker runs on it, StorageError when it can't be used otherwise.
        """
        self.path = path
        _make(path)
        self._lock = _take_lock(path)
        self._opened_at = datetime.now(UTC).isoformat(timespec="seconds")
        try:
            self.record({})
        except BaseException:
            self.close()
            raise

    def record(self, listening: Mapping[str, Sequence[tuple[str, int]]]) -> None:
        """Write down who holds the lock and where it listens.  Raises StorageError."""
        holder = {
            "pid": os.getpid(),
            "started": self._opened_at,
            "listening": {name: [list(address) for address in listening[name]] for name in listening},
        }
        try:
            os.ftruncate(self._lock, 0)
            os.pwrite(self._lock, json.dumps(holder).encode() + b"\n", 0)
        except OSError as error:
            raise _unusable(self.path / LOCK_NAME, "can't be written", error) from None

    def close(self) -> None:
        """Give the directory back; a second call does nothing."""
        lock, self._lock = self._lock, -1
        if lock >= 0:
            os.close(lock)

    def __enter__(self) -> DataDirectory:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _make(path: Path) -> None:
    try:
        make_directory(path)
    except FileExistsError:
        raise StorageError(f"the data directory {path} is not a directory; {_OTHER}") from None
    except OSError as error:
        raise _unusable(path, "can't be made", error) from None


def _take_lock(path: Path) -> int:
    name = path / LOCK_NAME
    try:
        lock = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise _unusable(name, "can't be opened for writing", error) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = _holder(lock)
        os.close(lock)
        raise DataDirectoryInUseError(
            f"the data directory {path} is in use by {holder}; "
            f"stop that one (warren ctl --data-dir {path} stop) or {_OTHER}"
        ) from None
    except OSError as error:
        os.close(lock)
        raise _unusable(name, "can't be locked (a network file system without locks?)", error) from None
    return lock


def _holder(lock: int) -> str:
    """Who holds the lock, as far as the file says; it may be in the middle of being written."""
    try:
        holder = json.loads(os.pread(lock, _HOLDER_BYTES_MAX, 0))
        addresses = [
            f"{protocol} {format_address(str(host), int(port))}"
            for protocol, of_protocol in holder["listening"].items()
            for host, port in of_protocol
        ]
        listening = f", listening on {', '.join(addresses)}" if addresses else ""
        return f"another Warren (process {holder['pid']}, since {holder['started']}{listening})"
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return "another process"


def _unusable(path: Path, what: str, error: OSError) -> StorageError:
    advice = {
        errno.EACCES: "give this user the right to write there, or ",
        errno.EPERM: "give this user the right to write there, or ",
        errno.EROFS: "the file system is read-only: ",
        errno.ENOSPC: "the file system is full: make room, or ",
        errno.EDQUOT: "the disk quota is used up: make room, or ",
    }.get(error.errno or 0, "")
    return StorageError(f"{path} {what}: {error.strerror or error}; {advice}{_OTHER}")


def is_in_use(path: Path) -> bool:
    """Whether a broker holds this data directory now; one that can't be looked at counts as free."""
    try:
        lock = os.open(path / LOCK_NAME, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(lock)
    return False
