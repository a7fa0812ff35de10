"""The definition store on disk: one SQLite database in WAL mode.

Transactions.  The first change of a batch begins a transaction, `commit` ends it by one write to the
write-ahead log (WAL) without waiting for the disk.  SQLite discards a torn transaction at the end of the log
by its checksums.

Syncing.  A commit is either still in the WAL, or a checkpoint has copied it into the database file, and
SQLite syncs the database file before it writes over that part of the WAL (synchronous=NORMAL).  So `sync` is
one fsync of the WAL. It is done on a descriptor of our own, opened once: `sync` runs in a worker thread and
shares nothing with the connection, which stays on the broker's thread, and it works when no descriptor is
left to open.  (SQLite takes no POSIX locks on the WAL, so our descriptor can't drop any.  The database file
must never be opened and closed beside SQLite, for that reason.)  The two threads meet in two numbers, each
written by one side: `commit` counts commits, `sync` notes the count it read before it began to wait.  A
commit made while a sync waits stays unsynced.

Damage.  What was damaged is seen to when the database is opened (sqlite_file.py, salvage.py), so that what is read
afterwards can be relied on.

Identifiers.  A message log may hold a number taken from `next_id` although the power failed before the row
that uses it was synced; the number must still never be given again.  So numbers are reserved on disk, synced,
in blocks before use.  The next block is reserved while much of the one before is left, so that it is synced with
what else is, and the broker's thread waits for the disk only where that hasn't come about.  A clean close gives the
unused rest back.

Checkpoints are made here and nowhere else: those that SQLite makes by itself say nothing of a sync that fails.  One
that is due because the log has become long is made by the next `sync`, in its thread (checkpoint.py).  Others are made
by `commit`: where there is no room in the log, or where commits follow each other without a sync.

Failures.  After any failure SQLite may have rolled the transaction back, and a failed fsync may have dropped
pages that a second fsync would report as written.  So the first failure is remembered, and everything after
it is refused.  What failed where nobody could be told, in a checkpoint of `commit`, is told by the next `sync`, which
is wanted then.

Longer than 400 lines because each call rests on how far transaction, log, sync and deletions have come.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from warren.core.errors import StorageError
from warren.core.storage.definitions.checkpoint import CheckpointBeside, checkpoint
from warren.core.storage.definitions.deletions import MARKER_KIND, ROWS_PER_SLICE, Deletion
from warren.core.storage.definitions.encoding import decode_name, decode_value, encode_name, encode_value
from warren.core.storage.definitions.places import wal_path
from warren.core.storage.definitions.ranges import MARKERS, NTH, RANGE, Place, rows_of
from warren.core.storage.definitions.room import Room
from warren.core.storage.definitions.rows import NO_COUNTERS, PUT, RESERVE, SALVAGED
from warren.core.storage.definitions.sqlite_errors import damaged, storage_error
from warren.core.storage.definitions.sqlite_file import open_database
from warren.core.storage.definitions.store import JSON, DefinitionStore, Row

if TYPE_CHECKING:
    from warren.core.chores import Slice

ID_BLOCK = 1 << 16
"""Numbers reserved at a time: so many that the sync it costs is rare, so few that crashes waste little."""

IDS_LEFT_MIN = ID_BLOCK // 2
"""Where fewer are left, the next block is reserved: long before they are given."""

LOAD_CHUNK_ROWS = 1000
"""Rows read per query of `load`: no query stays open between them, so the store may be changed meanwhile."""

PIECE_ROWS = 32
"""Rows deleted at a time where the disk has no room for more: a third of what `RESERVE_BYTES` is for."""

DELETE = "DELETE FROM definitions WHERE position = ?"

FIND = "SELECT position FROM definitions WHERE vhost = ? AND kind = ? AND name = ?"
LOAD = """SELECT position, kind, vhost, name, value FROM definitions
    WHERE position > ? AND position <= ? ORDER BY position LIMIT ?"""


class SqliteDefinitionStore(DefinitionStore):
    """Rows in the SQLite database at `path` (its directory exists); see the head of this file."""

    __slots__ = (
        "_beside",
        "_checksums",
        "_commits",
        "_connection",
        "_damage",
        "_deletions",
        "_dirty",
        "_failure",
        "_ids_ahead",
        "_ids_free",
        "_ids_reserved",
        "_last_position",
        "_path",
        "_room",
        "_synced_commits",
        "_wal_descriptor",
    )

    durable: ClassVar[bool] = True

    def __init__(
        self, path: str | os.PathLike[str], *, checkpointing: AbstractContextManager[object] | None = None
    ) -> None:
        """Open or make the database; raises StorageError when it is damaged or can't be used.

        checkpointing: a lock, where `sync` is called in another thread than the rest.
        """
        self._path = Path(path)
        self._dirty = False
        self._deletions: list[Deletion] = []
        self._failure: StorageError | None = None
        # What a crash left in the log is committed, but perhaps not synced; so is a new schema.
        self._commits = 1
        self._synced_commits = 0
        opened, self._checksums, self._damage = open_database(self._path)
        self._connection: sqlite3.Connection | None = opened
        self._beside: CheckpointBeside | None = None
        self._wal_descriptor = -1
        self._room = Room(-1, self._path)
        try:
            counters = self._run("SELECT name, first_free FROM counters WHERE name NOT IN (?, ?)", NO_COUNTERS)
            self._ids_reserved: dict[str, int] = dict(counters)
            salvaged = self._ids_reserved.pop(SALVAGED, 0)
            if salvaged and not self._damage:
                from warren.core.storage.definitions.salvage import report_again

                self._damage.append(report_again(self._path, salvaged))
            self._last_position: int = self._run("SELECT coalesce(max(position), 0) FROM definitions")[0][0]
            self._wal_descriptor = os.open(wal_path(self._path), os.O_RDWR)
            self._room = Room(self._wal_descriptor, self._path)
            self._beside = CheckpointBeside(self._path, checkpointing or nullcontext())
        except OSError as error:
            self._release()
            raise StorageError(f"{wal_path(self._path)}: can't be opened ({error.strerror}).") from error
        except BaseException:
            self._release()
            raise
        self._ids_free = dict(self._ids_reserved)
        # What is reserved beyond that once so many commits are synced: counter -> (first free, commits).
        self._ids_ahead: dict[str, tuple[int, int]] = {}
        try:
            self._finish_deletions()
        except BaseException:
            self._release()
            raise

    def put(self, kind: str, vhost: str, name: str, value: Mapping[str, JSON]) -> None:
        key = kind, encode_name(vhost), encode_name(name)
        text = encode_value(value)
        found = self._run(FIND, (key[1], key[0], key[2]))
        position: int = found[0][0] if found else 0
        if position and self._is_leaving(kind, vhost, name, position):
            self._change(DELETE, (position,))
            position = 0
        if not position:
            self._last_position = position = self._last_position + 1
        self._change(PUT, (position, *key, text, self._checksums.of_definition(position, *key, text)))
        self._room.take(len(text))

    def delete(self, kind: str, vhost: str, name: str) -> None:
        self._change(
            "DELETE FROM definitions WHERE vhost = ? AND kind = ? AND name = ?",
            (encode_name(vhost), kind, encode_name(name)),
        )
        self._room.take(0)

    def delete_beginning(self, kind: str, vhost: str, beginning: str) -> Slice | None:
        return self._begin_deletion(kind, vhost, beginning)

    def delete_vhost(self, vhost: str) -> Slice | None:
        if not vhost:
            raise ValueError("rows that belong to no vhost can't be deleted as a vhost")
        return self._begin_deletion(None, vhost, "")

    def clear(self) -> None:
        self._deletions.clear()
        self._delete_all("TRUE")

    def load(self) -> Iterator[Row]:
        return self._rows_until(self._last_position)

    def next_id(self, counter: str) -> int:
        identifier = self._ids_free.get(counter, 1)
        left = self._ids_reserved.get(counter, 1) - identifier
        if left <= IDS_LEFT_MIN:
            self._take_ahead(counter)
            left = self._ids_reserved.get(counter, 1) - identifier
            if left <= 0:
                self._reserve(counter, identifier + ID_BLOCK)
            elif left <= IDS_LEFT_MIN:
                self.reserve_ids(counter)
        self._ids_free[counter] = identifier + 1
        return identifier

    def reserve_ids(self, counter: str) -> None:
        if counter not in self._ids_ahead:
            free = max(self._ids_free.get(counter, 1), self._ids_reserved.get(counter, 1))
            self._put_counter(counter, free + ID_BLOCK)
            self._ids_ahead[counter] = free + ID_BLOCK, self._commits + 1

    def skip_ids(self, counter: str, last: int) -> None:
        if self._ids_free.get(counter, 1) <= last:
            self._ids_free[counter] = last + 1

    def has_room(self, value_bytes: int = 0) -> bool:
        if self._failure is not None or self._room.has(value_bytes):
            return True
        self._begin_log_anew()
        return self._room.has(value_bytes)

    def damage(self) -> list[str]:
        return list(self._damage)

    def damage_seen_to(self) -> None:
        if self._damage:
            self._change("DELETE FROM counters WHERE name = ?", (SALVAGED,))
            self._room.take(0)

    @property
    def dirty(self) -> bool:
        return self._dirty

    def commit(self) -> None:
        if self._dirty:
            self._run("COMMIT")
            self._dirty = False
            self._commits += 1
            self._room.committed()
            if self._room.is_log_long():
                if self._beside is None or self._room.is_log_too_long:
                    self._checkpoint("PASSIVE")
                else:
                    self._beside.is_due = True
            if not self._room.has_in_log():
                self._begin_log_anew()

    @property
    def unsynced(self) -> bool:
        return self._synced_commits != self._commits or self._failure is not None

    def sync(self) -> None:
        self._sync_log()
        if self._beside is not None:
            try:
                self._beside.make()
            except StorageError as error:
                self._failure = error
                raise

    def _sync_log(self) -> None:
        self._refuse_after_failure()
        commits = self._commits
        try:
            os.fsync(self._wal_descriptor)
        except OSError as error:
            self._failure = StorageError(
                f"{wal_path(self._path)}: definitions can't be synced to disk ({error.strerror}). "
                "Check the disk; what was declared last may be lost if the machine fails."
            )
            raise self._failure from error
        self._synced_commits = commits

    def close(self) -> None:
        if self._connection is None:
            return
        try:
            if self._failure is None:
                self._finish()
        finally:
            self._release()

    def _refuse_after_failure(self) -> None:
        if self._failure is not None:
            raise StorageError(*self._failure.args)

    def _run(self, statement: str, parameters: tuple[object, ...] = ()) -> list[Any]:
        self._refuse_after_failure()
        if self._connection is None:
            raise StorageError(f"{self._path}: the definition store is closed.")
        try:
            return self._connection.execute(statement, parameters).fetchall()
        except sqlite3.ProgrammingError:
            raise  # a mistake of ours, such as a call from another thread: not the disk's fault
        except sqlite3.Error as error:
            self._failure = storage_error(self._path, error)
            raise self._failure from error

    def _change(self, statement: str, parameters: tuple[object, ...] = ()) -> None:
        if not self._dirty:
            self._run("BEGIN IMMEDIATE")
            self._dirty = True
        self._run(statement, parameters)

    def _rows_until(self, last: int) -> Iterator[Row]:
        position = 0
        while position < last:
            chunk = self._run(LOAD, (position, last, LOAD_CHUNK_ROWS))
            if not chunk:
                return
            for row in chunk:
                decoded = self._decode(*row)
                if decoded[0] != MARKER_KIND and not self._is_leaving(*decoded[:3], row[0]):
                    yield decoded
            position = chunk[-1][0]

    def _decode(self, position: int, kind: str, vhost: bytes, name: bytes, text: str) -> Row:
        try:
            return kind, decode_name(vhost), decode_name(name), decode_value(text)
        except (ValueError, TypeError, AttributeError) as error:
            raise damaged(self._path, f"row {position} of table definitions: {error}") from error

    def _reserve(self, counter: str, first_free: int) -> None:
        self._put_counter(counter, first_free)
        self.commit()
        self._sync_log()
        self._ids_reserved[counter] = first_free
        self._ids_ahead.pop(counter, None)

    def _take_ahead(self, counter: str) -> None:
        """What was reserved ahead may be used, once that is on disk."""
        first_free, commits = self._ids_ahead.get(counter, (0, 0))
        if first_free and self._synced_commits >= commits:
            del self._ids_ahead[counter]
            self._ids_reserved[counter] = max(first_free, self._ids_reserved.get(counter, 1))

    def _finish(self) -> None:
        """Drop the open transaction and give back numbers that were reserved but not used."""
        if self._dirty:
            self._run("ROLLBACK")
            self._dirty = False
        for counter in self._ids_free | self._ids_ahead:
            first_free = self._ids_free.get(counter, 1)
            if first_free != self._ids_reserved.get(counter, 1) or counter in self._ids_ahead:
                self._put_counter(counter, first_free)
        self.commit()
        self.sync()

    def _begin_log_anew(self) -> None:
        """Bring what is in the log into the database, so that it is written from its beginning again: that makes room
        even on a disk that is full, unless it takes new pages."""
        if self._dirty or self._connection is None or self._failure is not None:
            return
        # One that is being made beside this thread is waited for: it does what would have to be done here.
        with self._beside.running if self._beside is not None else nullcontext():
            for _ in range(2):
                if self._checkpoint("RESTART"):
                    self._room.restarted()
                    return
                self._room.drop_ballast()

    def _checkpoint(self, mode: str) -> bool:
        """Bring what is in the log into the database; whether that was all of it.

        A failure that isn't for want of room is remembered.
        """
        if self._connection is None or self._failure is not None:
            return False
        try:
            return checkpoint(self._connection, mode, self._path)
        except StorageError as error:
            self._failure = error
            return False

    def _is_leaving(self, kind: str, vhost: str, name: str, position: int) -> bool:
        return any(each.covers(kind, vhost, name, position) for each in self._deletions)

    def _begin_deletion(self, kind: str | None, vhost: str, beginning: str) -> Slice | None:
        """Delete these rows now if they are few, else mark them, and give back what deletes some of them."""
        deletion = Deletion(kind, vhost, beginning, self._last_position + 1)
        first, end = rows_of(deletion)
        if not self._run(NTH, (encode_name(vhost), *first, *end, ROWS_PER_SLICE)):
            self._delete_all(RANGE, (encode_name(vhost), *first, *end))
            return None
        # The marker of an earlier deletion of the same names has another place; this one's is behind all of them.
        self.delete(MARKER_KIND, "", deletion.marker_name)
        self.put(MARKER_KIND, "", deletion.marker_name, {})
        deletion.until = self._last_position
        self._deletions.append(deletion)
        return partial(self._delete_slice, deletion, [first])

    def _delete_slice(self, deletion: Deletion, place: list[Place]) -> bool:
        """Delete the next rows of it, from `place` on, which moves on; False when those were the last."""
        if deletion not in self._deletions:
            return False
        count = ROWS_PER_SLICE
        if not self._room.has_for(count):
            self.commit()
            count = PIECE_ROWS
        vhost = encode_name(deletion.vhost)
        first, end = place[0], rows_of(deletion)[1]
        following = self._run(NTH, (vhost, *first, *end, count))
        if following:
            place[0] = end = following[0]
        self._delete_some(f"{RANGE} AND position < ?", (vhost, *first, *end, deletion.until), count)
        if not following:
            self._change(DELETE, (deletion.until,))
            self._deletions.remove(deletion)
        return bool(following)

    def _finish_deletions(self) -> None:
        """Go on with what a process that has ended had begun."""
        for position, name in self._run(MARKERS, (MARKER_KIND,)):
            deletion = Deletion.from_marker(decode_name(name), position)
            self._deletions.append(deletion)
            place = [rows_of(deletion)[0]]
            while self._delete_slice(deletion, place):
                self.commit()
            self.commit()

    def _delete_all(self, condition: str, parameters: tuple[object, ...] = ()) -> None:
        """Delete the rows of this condition; bit by bit, each bit committed, where the log has no room for all at once.

        As one change, it may take every page of the database.
        """
        count: int = self._run(f"SELECT count(*) FROM definitions WHERE {condition}", parameters)[0][0]
        if count <= PIECE_ROWS or self._room.has_for(count):
            self._delete_some(condition, parameters, count)
            return
        for _ in range(-(-count // PIECE_ROWS)):
            self.commit()
            self._delete_some(
                f"position IN (SELECT position FROM definitions WHERE {condition} LIMIT {PIECE_ROWS})",
                parameters,
                PIECE_ROWS,
            )

    def _delete_some(self, condition: str, parameters: tuple[object, ...], count: int) -> None:
        self._change(f"DELETE FROM definitions WHERE {condition}", parameters)
        self._room.take_deletions(count)

    def _put_counter(self, counter: str, first_free: int) -> None:
        self._change(RESERVE, (counter, first_free, self._checksums.of_counter(counter, first_free)))

    def _release(self) -> None:
        self._room.close()
        if self._wal_descriptor >= 0:
            os.close(self._wal_descriptor)
            self._wal_descriptor = -1
        if self._beside is not None:
            self._beside.close()
            self._beside = None
        if self._connection is not None:
            self._connection.close()
            self._connection = None
