"""The files of streams: what one asks of its own, and those of a broker that keeps nothing.

Reading happens on the broker's thread, writing in a worker; what is written is never read before the write is booked,
and what is removed is never read again, so neither needs a lock.  On disk they are disk/stream_files.py.
"""

from __future__ import annotations

import errno
import os
from abc import abstractmethod
from collections.abc import Iterable


class Files:
    """What a stream asks of its files, by name; all methods raise OSError.

    place: where they are, for people.
    """

    place: str = "memory"

    @abstractmethod
    def names(self) -> Iterable[str]:
        """All files that are there."""

    @abstractmethod
    def size(self, name: str) -> int:
        """Bytes of a file."""

    @abstractmethod
    def read(self, name: str, size: int, at: int) -> bytes:
        """So many bytes from this place on, or what there is."""

    @abstractmethod
    def write(self, name: str, data: bytes, at: int, *, sync: bool) -> None:
        """Write into a file, which is made where it isn't there.  sync: it is on the device when this returns."""

    @abstractmethod
    def truncate(self, name: str, size: int) -> None:
        """Cut a file to so many bytes, safe from a power failure when this returns."""

    @abstractmethod
    def replace(self, name: str, by: str) -> None:
        """A file takes another one's place, and its name; whole or not at all.  by: the one whose name is gone then."""

    @abstractmethod
    def sync_names(self) -> None:
        """Names that are new, and names that are gone, are so on the device when this returns."""

    @abstractmethod
    def remove(self, name: str) -> None:
        """Remove a file; nothing if it isn't there."""

    @abstractmethod
    def remove_all(self) -> None:
        """Remove every file, and what they were in."""

    @abstractmethod
    def forget(self, name: str) -> None:
        """A file is not read any more."""


class StreamPlaces:
    """Where the streams of a broker are, by number."""

    @abstractmethod
    def files(self, number: int) -> Files:
        """Those of one stream; there may be none yet."""

    @abstractmethod
    def numbers(self) -> list[int]:
        """The streams that have files."""

    @abstractmethod
    def close(self) -> None:
        """Nothing is read any more."""


class MemoryFiles(Files):
    """Files that live as long as the process."""

    def __init__(self) -> None:
        self._contents: dict[str, bytearray] = {}

    def names(self) -> Iterable[str]:
        """All files."""
        return list(self._contents)

    def size(self, name: str) -> int:
        """Bytes of a file."""
        return len(self._content(name))

    def read(self, name: str, size: int, at: int) -> bytes:
        """A copy."""
        return bytes(memoryview(self._content(name))[at : at + size])

    def write(self, name: str, data: bytes, at: int, *, sync: bool) -> None:
        """Into memory."""
        content = self._contents.setdefault(name, bytearray())
        if at > len(content):
            content.extend(bytes(at - len(content)))
        content[at : at + len(data)] = data

    def truncate(self, name: str, size: int) -> None:
        """Cut it."""
        del self._content(name)[size:]

    def replace(self, name: str, by: str) -> None:
        """By the other's content."""
        self._contents[name] = self._content(by)
        del self._contents[by]

    def sync_names(self) -> None:
        """Nothing: there is no device."""

    def remove(self, name: str) -> None:
        """Forget it."""
        self._contents.pop(name, None)

    def remove_all(self) -> None:
        """Forget all of them."""
        self._contents.clear()

    def forget(self, name: str) -> None:
        """Nothing: nothing is open."""

    def _content(self, name: str) -> bytearray:
        try:
            return self._contents[name]
        except KeyError:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name) from None


class MemoryPlaces(StreamPlaces):
    """New files each time: nothing is ever opened again."""

    def files(self, number: int) -> Files:
        """Files in memory."""
        return MemoryFiles()

    def numbers(self) -> list[int]:
        """Nothing: every start is the first one."""
        return []

    def close(self) -> None:
        """Nothing: nothing is open."""
