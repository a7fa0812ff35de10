"""Whose the numbers are under which entries are stored: a second place where that stands, beside the definitions.

Definitions may be lost, to damage or to somebody who moves them away.  The messages are still in the log then, and this
file tells whose they are, so that a queue which is declared again gets them back.

`messages/owners` is text, a line for each number: a checksum, the number, and kind, virtual host and name as JSON.
Lines are added as numbers are given; a start rewrites the file when much of it is of owners that are gone.  A line that
is damaged costs that line alone.  Nothing waits for this file to be synced, and the broker goes on without it: only
when the definitions are lost as well, a queue has to be named by hand.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from zlib import crc32

from warren.core.storage.disk.files import FILE_MODE, sync_data, sync_directory, write_at
from warren.core.storage.engine import Owner

_log = logging.getLogger("warren.store")

FILE_NAME: Final = "owners"

STALE_LINES_MAX: Final = 1000
"""So many lines of owners that are gone, or twice as many as are needed, make a rewriting worth it."""


class Owners:
    """The owners' file of one message directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._path = directory / FILE_NAME
        self._descriptor = -1
        self._known: dict[int, Owner] | None = None
        self._has_failed = False

    def get(self, number: int) -> Owner | None:
        """Whose the number was when it was given; None when nobody knows."""
        return self._read().get(number)

    def note(self, number: int, owner: Owner) -> None:
        """A number was given."""
        if self._known is not None:
            self._known[number] = owner
        self._append(_line(number, owner))

    def keep(self, owners: Mapping[int, Owner]) -> None:
        """At the start: these are the owners there are; others may be forgotten."""
        known = self._read()
        missing = {number: owner for number, owner in owners.items() if known.get(number) != owner}
        if len(known) - len(owners) + len(missing) > max(len(owners), STALE_LINES_MAX):
            self._rewrite(owners)
        elif missing:
            self._append(b"".join(_line(number, owner) for number, owner in missing.items()))
        # From here on nobody asks but for what is set aside now, and by hand.
        self._known = None

    def close(self) -> None:
        """Close the file."""
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            try:
                sync_data(descriptor)
            except OSError as error:
                self._failed(error)
            finally:
                os.close(descriptor)

    def _read(self) -> dict[int, Owner]:
        if self._known is None:
            try:
                content = self._path.read_bytes()
            except OSError:
                content = b""
            self._known = dict(filter(None, map(_entry, content.split(b"\n"))))
        return self._known

    def _append(self, lines: bytes) -> None:
        try:
            if self._descriptor < 0:
                self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
                end = os.fstat(self._descriptor).st_size
                if end and os.pread(self._descriptor, 1, end - 1) != b"\n":
                    lines = b"\n" + lines
            write_at(self._descriptor, lines, os.fstat(self._descriptor).st_size)
        except OSError as error:
            self._failed(error)

    def _rewrite(self, owners: Mapping[int, Owner]) -> None:
        self.close()
        partial = self._path.with_suffix(".tmp")
        try:
            descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, FILE_MODE)
            try:
                write_at(descriptor, b"".join(_line(number, owner) for number, owner in owners.items()), 0)
                sync_data(descriptor)
            finally:
                os.close(descriptor)
            os.replace(partial, self._path)
            sync_directory(self._directory)
        except OSError as error:
            self._failed(error)

    def _failed(self, error: OSError) -> None:
        if not self._has_failed:
            self._has_failed = True
            _log.warning(
                "%s can't be written: %s; the broker goes on. Only if the definitions were lost as well, whose the "
                "stored messages are would have to be said by hand",
                self._path,
                error.strerror or error,
            )


def _line(number: int, owner: Owner) -> bytes:
    text = b"%d %s" % (number, json.dumps(owner, separators=(",", ":")).encode())
    return b"%08x %s\n" % (crc32(text), text)


def _entry(line: bytes) -> tuple[int, Owner] | None:
    """Number and owner of a line; None when it is damaged."""
    checksum, _, text = line.partition(b" ")
    number, _, owner = text.partition(b" ")
    try:
        if int(checksum, 16) != crc32(text):
            return None
        kind, vhost, name = json.loads(owner)
        return int(number), (str(kind), str(vhost), str(name))
    except ValueError:
        return None
