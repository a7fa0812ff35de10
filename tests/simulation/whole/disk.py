"""A disk that keeps what was synced, and of the rest as much as chance has it.

The broker's own code writes real files, in a directory of its own; what it calls of `os` to change them passes here and
is noted, file by file, until it is synced.  `lose_power` then makes of the directory what a power failure may leave:

* of what wasn't synced, each sector is there or not, whatever the order in which it was written (torn and reordered
  writes);
* names that were made, changed or removed since their directory was synced are as they were after any number of these
  changes, in their order, as journals of file systems have them.

Besides, it can be full, fail a sync (what that sync was for may then be lost, whatever a later one says), and have bits
flipped.  Reading isn't looked at: a running system reads what it wrote.
"""

from __future__ import annotations

import errno
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

SECTOR_BYTES: Final = 512

_CHANGED: Final = (
    "open",
    "close",
    "pwrite",
    "ftruncate",
    "posix_fallocate",
    "fsync",
    "fdatasync",
    "rename",
    "replace",
    "unlink",
    "mkdir",
    "rmdir",
)


class _File:
    """What of a file is safe, and what was done to it since, in order: (offset, data), or (size, None) for a cut."""

    def __init__(self) -> None:
        self.safe = bytearray()
        self.since: list[tuple[int, bytes | None]] = []

    def sync(self) -> None:
        for offset, data in self.since:
            _apply(self.safe, offset, data)
        self.since.clear()

    def survive(self, chance: random.Random) -> bytes:
        """What a power failure leaves."""
        content = bytearray(self.safe)
        kept = chance.choice([0.0, 0.5, 0.9, 1.0])
        for offset, data in self.since:
            if data is None:
                if chance.random() < kept:
                    _apply(content, offset, None)
                continue
            at = offset
            while at < offset + len(data):
                end = min(offset + len(data), (at // SECTOR_BYTES + 1) * SECTOR_BYTES)
                if chance.random() < kept:
                    _apply(content, at, data[at - offset : end - offset])
                at = end
        return bytes(content)


def _apply(content: bytearray, offset: int, data: bytes | None) -> None:
    if data is None:
        del content[offset:]
        content.extend(bytes(offset - len(content)))
        return
    content.extend(bytes(max(0, offset + len(data) - len(content))))
    content[offset : offset + len(data)] = data


class _Directory:
    """What it has for safe, and what was done to its names since: (name, what is there then, or None)."""

    def __init__(self) -> None:
        self.safe: dict[str, _File | _Directory] = {}
        self.now: dict[str, _File | _Directory] = {}
        self.since: list[tuple[str, _File | _Directory | None]] = []

    def set(self, name: str, what: _File | _Directory | None) -> None:
        _set(self.now, name, what)
        self.since.append((name, what))

    def sync(self) -> None:
        for name, what in self.since:
            _set(self.safe, name, what)
        self.since.clear()


def _set(names: dict[str, _File | _Directory], name: str, what: _File | _Directory | None) -> None:
    if what is None:
        names.pop(name, None)
    else:
        names[name] = what


class SimulatedDisk:
    """Everything below `root`, which exists and is empty, while this is entered.

    room: bytes that may be added to files, None for any number.  failing_syncs: so many of the next ones fail.
    """

    def __init__(self, root: Path, chance: random.Random) -> None:
        self.root = root
        self.room: int | None = None
        self.failing_syncs = 0
        self.syncs = 0
        self._chance = chance
        self._top = _Directory()
        self._real: dict[str, Callable[..., Any]] = {name: getattr(os, name) for name in _CHANGED}
        self._descriptors: dict[int, _File | _Directory] = {}
        self._is_off = False
        self._prefix = f"{root}{os.sep}"

    def __enter__(self) -> SimulatedDisk:
        for name in _CHANGED:
            setattr(os, name, getattr(self, f"_{name}"))
        return self

    def __exit__(self, *_: object) -> None:
        for name, real in self._real.items():
            setattr(os, name, real)
        for descriptor in self._descriptors:
            self._real["close"](descriptor)

    # What befalls it

    def switch_off(self) -> None:
        """From now on nothing that is done reaches it, until `lose_power` or `kill`."""
        self._is_off = True

    def lose_power(self) -> None:
        """What isn't safe is lost, in part; all descriptors have to be closed before."""
        self._survive(self._top)
        self._rewrite(self._top, self.root)
        self._is_off = False

    def kill(self) -> None:
        """The process is gone, the system isn't: nothing is lost, and nothing is safer than it was."""
        self._is_off = False

    def flip_a_bit(self, path: Path, chance: random.Random) -> int:
        """Of a file that has no unsynced changes; where, as a byte's offset."""
        data = bytearray(path.read_bytes())
        at = chance.randrange(len(data))
        data[at] ^= 1 << chance.randrange(8)
        path.write_bytes(data)
        file = self._found(str(path))
        assert isinstance(file, _File)
        file.sync()
        file.safe[:] = data
        return at

    def is_safe(self, path: Path) -> bool:
        """Whether all of a file is synced."""
        file = self._found(str(path))
        return isinstance(file, _File) and not file.since

    # Below

    def _survive(self, directory: _Directory) -> None:
        count = self._chance.randint(0, len(directory.since))
        for name, what in directory.since[:count]:
            _set(directory.safe, name, what)
        directory.since.clear()
        directory.now = dict(directory.safe)
        for what in directory.safe.values():
            if isinstance(what, _Directory):
                self._survive(what)
            else:
                what.safe = bytearray(what.survive(self._chance))
                what.since.clear()

    def _rewrite(self, directory: _Directory, path: Path) -> None:
        there = set(os.listdir(path))
        for name in there - directory.now.keys():
            self._remove(path / name)
        for name, what in directory.now.items():
            below = path / name
            if isinstance(what, _Directory):
                if name not in there:
                    self._real["mkdir"](below)
                self._rewrite(what, below)
            else:
                below.write_bytes(what.safe)

    def _remove(self, path: Path) -> None:
        if not path.is_dir():
            self._real["unlink"](path)
            return
        for name in os.listdir(path):
            self._remove(path / name)
        self._real["rmdir"](path)

    def _place(self, path: str) -> tuple[_Directory, str]:
        directory = self._top
        *folders, name = path[len(self._prefix) :].split(os.sep)
        for each in folders:
            found = directory.now.get(each)
            if not isinstance(found, _Directory):
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
            directory = found
        return directory, name

    def _found(self, path: str) -> _File | _Directory | None:
        if path == str(self.root):
            return self._top
        directory, name = self._place(path)
        return directory.now.get(name)

    def _is_here(self, path: Any) -> bool:
        text = os.fspath(path) if isinstance(path, str | os.PathLike) else ""
        return text == str(self.root) or text.startswith(self._prefix)

    def _take(self, size: int) -> None:
        if self.room is not None:
            if size > self.room:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self.room -= size

    # In place of os's

    def _open(self, path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if dir_fd is not None or not self._is_here(path):
            return int(self._real["open"](path, flags, mode, dir_fd=dir_fd))
        text = os.fspath(path)
        is_new = not os.path.lexists(text)
        if is_new and flags & os.O_CREAT:
            if self.room is not None and self.room < SECTOR_BYTES:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), text)
            self._allow()
        descriptor = int(self._real["open"](path, flags, mode))
        if is_new:
            directory, name = self._place(text)
            directory.set(name, _File())
        found = self._found(text)
        assert found is not None, text
        if flags & os.O_TRUNC and isinstance(found, _File) and not is_new:
            found.since.append((0, None))
        self._descriptors[descriptor] = found
        return descriptor

    def _close(self, descriptor: int) -> None:
        self._descriptors.pop(descriptor, None)
        self._real["close"](descriptor)

    def _pwrite(self, descriptor: int, data: Any, offset: int) -> int:
        file = self._descriptors.get(descriptor)
        if not isinstance(file, _File):
            return int(self._real["pwrite"](descriptor, data, offset))
        if self._is_off or not data:
            return len(data)
        added = offset + len(data) - os.fstat(descriptor).st_size
        if added > 0 and self.room is not None and added > self.room > 0:
            # What fits is written, as by any file system.
            data = bytes(data)[: len(data) - (added - self.room)]
            added = offset + len(data) - os.fstat(descriptor).st_size
        if added > 0:
            self._take(added)
        if not data:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = int(self._real["pwrite"](descriptor, data, offset))
        file.since.append((offset, bytes(data)[:written]))
        return written

    def _ftruncate(self, descriptor: int, size: int) -> None:
        file = self._descriptors.get(descriptor)
        if isinstance(file, _File):
            if self._is_off:
                return
            file.since.append((size, None))
        self._real["ftruncate"](descriptor, size)

    def _posix_fallocate(self, descriptor: int, offset: int, size: int) -> None:
        file = self._descriptors.get(descriptor)
        if isinstance(file, _File):
            if self._is_off:
                return
            before = os.fstat(descriptor).st_size
            if offset + size > before:
                self._take(offset + size - before)
                file.since.append((offset + size, None))
        self._real["posix_fallocate"](descriptor, offset, size)

    def _fsync(self, descriptor: int) -> None:
        what = self._descriptors.get(descriptor)
        if what is None:
            self._real["fsync"](descriptor)
        elif not self._is_off:
            self.syncs += 1
            if self.failing_syncs:
                self.failing_syncs -= 1
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            what.sync()

    def _fdatasync(self, descriptor: int) -> None:
        self._fsync(descriptor)

    def _rename(self, source: Any, target: Any, **more: Any) -> None:
        if not self._is_here(source):
            self._real["rename"](source, target, **more)
            return
        self._allow()
        self._real["rename"](source, target)
        here, name = self._place(os.fspath(source))
        there, new_name = self._place(os.fspath(target))
        what = here.now[name]
        there.set(new_name, what)
        here.set(name, None)

    def _replace(self, source: Any, target: Any, **more: Any) -> None:
        self._rename(source, target, **more)

    def _unlink(self, path: Any, **more: Any) -> None:
        if not self._is_here(path):
            self._real["unlink"](path, **more)
            return
        self._allow()
        self._real["unlink"](path)
        directory, name = self._place(os.fspath(path))
        directory.set(name, None)

    def _mkdir(self, path: Any, mode: int = 0o777, **more: Any) -> None:
        if not self._is_here(path) or os.fspath(path) == str(self.root):
            self._real["mkdir"](path, mode, **more)
            return
        self._allow()
        self._real["mkdir"](path, mode)
        directory, name = self._place(os.fspath(path))
        directory.set(name, _Directory())

    def _rmdir(self, path: Any, **more: Any) -> None:
        if not self._is_here(path):
            self._real["rmdir"](path, **more)
            return
        self._allow()
        self._real["rmdir"](path)
        directory, name = self._place(os.fspath(path))
        directory.set(name, None)

    def _allow(self) -> None:
        """Names can't be changed any more once the power is off: who tries is a process that should be gone."""
        assert not self._is_off, "a name is changed after the end"
