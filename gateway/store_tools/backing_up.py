"""A copy of the store of a running broker, as it was at one moment; messages go on meanwhile.

Theory of operation
-------------------
What a broker has on disk between two commits is what a power failure would leave, and a start takes it for that: so a
copy of exactly that is a backup.  The moment is one step on the broker's thread (`Moment`), after a commit: a read
transaction in the database pins its rows, hard links pin the files of the message log and the streams, which grow at
their ends alone and are replaced, never written over; and how long each is, is noted.  Everything that takes long comes
after that, in a worker thread: the database by SQLite's own backup, files up to their length, a check of the copy.

The links are in a directory beside the data, on the same file system, and go in the end; a start removes those that a
broker which was killed has left.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Final

from warren.core.errors import StorageError
from warren.core.storage.disk.engine import DiskEngine
from warren.core.storage.disk.files import DIRECTORY_MODE, FILE_MODE
from warren.core.storage.disk.stream_files import NAME as STREAMS_NAME
from warren.gateway.process.stores import DEFINITIONS_NAME, LINKS_NAME, MESSAGES_NAME, remove_links
from warren.gateway.store_tools.checking import Checked, check_store
from warren.gateway.store_tools.places import finished, new_place

if TYPE_CHECKING:
    from warren.core.broker import Broker

PAGES_AT_ONCE: Final = 256
"""Of the database: what is copied between two looks of SQLite's at its locks."""

COPIED_AT_ONCE: Final = 1 << 20

SMALL_FILES: Final = (f"{MESSAGES_NAME}/key", f"{MESSAGES_NAME}/owners")


class Moment:
    """What there was, pinned; made on the broker's thread, after a commit, in one step.

    Raises StorageError when a backup is under way, or the file system has no hard links.
    """

    def __init__(self, broker: Broker, directory: Path) -> None:
        self._directory = directory
        self._links = directory / LINKS_NAME
        self._sizes: dict[Path, int] = {}
        if not isinstance(broker.store, DiskEngine):
            raise StorageError("this broker keeps nothing on disk")
        try:
            self._links.mkdir(mode=DIRECTORY_MODE)
        except FileExistsError:
            raise StorageError("another backup is under way; let it end first") from None
        except OSError as error:
            raise StorageError(f"{self._links} can't be made: {error.strerror}") from None
        try:
            self._connection = sqlite3.connect(
                directory / DEFINITIONS_NAME, check_same_thread=False, isolation_level=None
            )
        except BaseException:
            self._links.rmdir()
            raise
        try:
            self._connection.execute("BEGIN")
            self._connection.execute("SELECT count(*) FROM counters").fetchall()
            for name, size in broker.store.written_files():
                self._pin(Path(MESSAGES_NAME) / name, size)
            for each in SMALL_FILES:
                if (directory / each).exists():
                    self._pin(Path(each), (directory / each).stat().st_size)
            self._pin_streams()
        except (OSError, sqlite3.Error) as error:
            self.let_go()
            raise StorageError(f"the moment of the backup can't be kept: {error}") from None
        except BaseException:
            self.let_go()
            raise

    def _pin_streams(self) -> None:
        streams = self._directory / STREAMS_NAME
        if not streams.is_dir():
            return
        for stream in os.scandir(streams):
            if stream.is_dir():
                for file in os.scandir(stream.path):
                    if file.is_file():
                        self._pin(Path(STREAMS_NAME) / stream.name / file.name, file.stat().st_size)

    def _pin(self, name: Path, size: int) -> None:
        link = self._links / name
        link.parent.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
        os.link(self._directory / name, link)
        self._sizes[name] = size

    def copy_to(self, target: Path) -> Checked:
        """Make the backup, in a worker thread; what a check of it found.  Raises StorageError.

        target: isn't there, or is an empty directory.
        """
        place = new_place(target)
        try:
            self._copy_definitions(place / DEFINITIONS_NAME)
            (place / MESSAGES_NAME).mkdir(mode=DIRECTORY_MODE, exist_ok=True)
            for name, size in self._sizes.items():
                _copy(self._links / name, place / name, size)
        except (OSError, sqlite3.Error) as error:
            raise StorageError(f"{place} can't be written: {error}; it is left as it is") from None
        checked = check_store(place)
        finished(place, target)
        return checked

    def _copy_definitions(self, path: Path) -> None:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, FILE_MODE))
        copy = sqlite3.connect(path)
        try:
            self._connection.backup(copy, pages=PAGES_AT_ONCE)
        finally:
            copy.close()

    def let_go(self) -> None:
        """The files are nobody's any more but the broker's; in whatever thread."""
        self._connection.close()
        remove_links(self._directory)


def _copy(source: Path, target: Path, size: int) -> None:
    """So many bytes from the beginning."""
    target.parent.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, FILE_MODE)
    with open(source, "rb", buffering=0) as reading, open(descriptor, "wb", buffering=0) as writing:
        left = size
        while left > 0 and (part := reading.read(min(left, COPIED_AT_ONCE))):
            writing.write(part)
            left -= len(part)
