"""The files of streams on disk, a directory for each: descriptors are held for reading alone, and only so many."""

from __future__ import annotations

import errno
import os
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from warren.core.storage.disk.files import (
    FILE_MODE,
    allocate,
    make_directory,
    sync_data,
    sync_directory,
    write_at,
)
from warren.core.storage.files import Files, StreamPlaces

NAME: Final = "streams"
"""Of their directory, beside that of the message log."""

OPEN_FILES_MAX: Final = 128
"""Descriptors for reading: enough for as many readers that are each somewhere else, and few beside those of clients."""

ALLOCATION_STEP: Final = 4 << 20
"""Space reserved ahead of the writes, as of the message log."""


class OpenFiles:
    """Descriptors for reading, of all streams; who was read longest ago is closed first."""

    def __init__(self, count_max: int = OPEN_FILES_MAX) -> None:
        self._count_max = count_max
        self._descriptors: OrderedDict[Path, int] = OrderedDict()

    def __len__(self) -> int:
        return len(self._descriptors)

    def __bool__(self) -> bool:
        return True

    def descriptor(self, path: Path) -> int:
        """An open descriptor of the file; it may be closed by the next call.  Raises OSError."""
        descriptor = self._descriptors.get(path)
        if descriptor is not None:
            self._descriptors.move_to_end(path)
            return descriptor
        while len(self._descriptors) >= self._count_max:
            os.close(self._descriptors.popitem(last=False)[1])
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._descriptors[path] = descriptor
        return descriptor

    def close(self, path: Path) -> None:
        """The file is not read any more."""
        descriptor = self._descriptors.pop(path, None)
        if descriptor is not None:
            os.close(descriptor)

    def close_all(self) -> None:
        """No file is."""
        while self._descriptors:
            os.close(self._descriptors.popitem()[1])


class DiskFiles(Files):
    """The files of a directory, which is made when the first is."""

    def __init__(self, directory: Path, open_files: OpenFiles, allocation_step: int = ALLOCATION_STEP) -> None:
        self.directory = directory
        self.place = str(directory)
        self._open_files = open_files
        self._allocation_step = allocation_step
        self._allocated: dict[str, int] = {}

    def names(self) -> Iterable[str]:
        """All files that are there; none where the directory isn't."""
        try:
            return [entry.name for entry in os.scandir(self.directory) if entry.is_file()]
        except FileNotFoundError:
            return []

    def size(self, name: str) -> int:
        """Bytes of a file, the space that is reserved included."""
        return (self.directory / name).stat().st_size

    def read(self, name: str, size: int, at: int) -> bytes:
        """Read with an open descriptor."""
        return os.pread(self._open_files.descriptor(self.directory / name), size, at)

    def write(self, name: str, data: bytes, at: int, *, sync: bool) -> None:
        """Open, write, sync and close: a stream that is quiet holds nothing open."""
        path = self.directory / name
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
        except FileNotFoundError:
            make_directory(self.directory)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
        try:
            if sync:
                self._reserve(name, descriptor, at + len(data))
            write_at(descriptor, data, at)
            if sync:
                _sync(descriptor)
        finally:
            os.close(descriptor)

    def truncate(self, name: str, size: int) -> None:
        """Cut and sync."""
        self._allocated.pop(name, None)
        descriptor = os.open(self.directory / name, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.ftruncate(descriptor, size)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def replace(self, name: str, by: str) -> None:
        """Rename it."""
        (self.directory / by).replace(self.directory / name)
        self._allocated.pop(name, None)
        allocated = self._allocated.pop(by, None)
        if allocated is not None:
            self._allocated[name] = allocated

    def sync_names(self) -> None:
        """Sync the directory."""
        try:
            sync_directory(self.directory)
        except FileNotFoundError:
            return
        except OSError as error:
            raise _unsynced(error) from error

    def remove(self, name: str) -> None:
        """Unlink it."""
        self._allocated.pop(name, None)
        (self.directory / name).unlink(missing_ok=True)

    def remove_all(self) -> None:
        """Unlink every file, then the directory."""
        for name in self.names():
            self.remove(name)
        try:
            self.directory.rmdir()
        except FileNotFoundError:
            return
        sync_directory(self.directory.parent)

    def forget(self, name: str) -> None:
        """Close its descriptor."""
        self._open_files.close(self.directory / name)

    def _reserve(self, name: str, descriptor: int, end: int) -> None:
        """Allocate in steps; where that fails the write itself will say why."""
        if not self._allocation_step:
            return
        allocated = self._allocated.get(name)
        if allocated is None:
            allocated = os.fstat(descriptor).st_size
        if end > allocated and allocate(descriptor, allocated, size := max(self._allocation_step, end - allocated)):
            allocated += size
        self._allocated[name] = allocated


class StreamDirectories(StreamPlaces):
    """The streams of a data directory, each in a directory of its own that is called by its number."""

    def __init__(self, directory: Path, allocation_step: int) -> None:
        self._directory = directory / NAME
        self._allocation_step = allocation_step
        self._open_files = OpenFiles()

    def files(self, number: int) -> DiskFiles:
        """Those of one stream."""
        return DiskFiles(self._directory / str(number), self._open_files, self._allocation_step)

    def numbers(self) -> list[int]:
        """The streams that are there."""
        try:
            return sorted(int(entry.name) for entry in os.scandir(self._directory) if entry.name.isdecimal())
        except FileNotFoundError:
            return []

    def close(self) -> None:
        """Close all files."""
        self._open_files.close_all()


def _sync(descriptor: int) -> None:
    try:
        sync_data(descriptor)
    except OSError as error:
        raise _unsynced(error) from error


def _unsynced(error: OSError) -> OSError:
    """Whatever it says: what was written before may be lost by it, so it must not look as if that could be repeated."""
    return OSError(errno.EIO, f"it can't be synced: {error.strerror or error}")
