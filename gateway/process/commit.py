"""Group commit without a timer.

While one commit is being written and synced, the broker goes on; everything that is appended meanwhile rides the next
commit, which begins with the turn in which that one is finished.  A disk that is full blocks publishers until there is
room: nothing that was confirmed is in danger.  A disk that fails ends the broker loudly: nothing may be confirmed after
that.

The usual commit costs no task a step: the hub has it begun at the end of a turn (`_Commits.begin`), a thread writes it
and rings, and the hub finishes it in the turn that this makes (`_written`).  So what one client waits for alone takes
hardly longer than the disk, and no client waits for the disk that another one needs.  What isn't usual is handed to the
task of `run_commits`: a commit too large to be encoded in one turn, and one that failed.
"""

from __future__ import annotations

import errno
import logging
from typing import TYPE_CHECKING, Final

import trio

from warren.core.errors import StorageError
from warren.gateway.network.bell import Bell
from warren.gateway.network.hub import NEAR_S
from warren.gateway.process.disk_thread import DiskThread
from warren.gateway.process.slow_disk import SlowDisk

if TYPE_CHECKING:
    from warren.core.storage.commit import Commit
    from warren.core.storage.engine import Flush
    from warren.gateway.network.hub import Hub

_log = logging.getLogger("warren.commit")

FULL_RETRY_S: Final = 0.25
"""Between two tries to write to a disk that was full."""

ALARM_SOURCE: Final = "message log"
"""Who says then that the disk is low."""

NEAR_BYTES_MAX: Final = 64 << 10
"""A commit of more isn't near however quick the disk is: its writing alone is felt."""

QUICK_IN_A_ROW: Final = 64
"""So many commits have to be written within `NEAR_S` one after the other, before the disk is known to be quick."""


async def run_commits(hub: Hub, disk: SlowDisk) -> None:
    """Commit whatever waits, until cancelled; a commit under way is finished first.

    disk: is told when it is at work, and knows the directory of the message log, for the error.  Raises StorageError
    when it fails.
    """
    async with trio.open_nursery() as nursery:
        commits = _Commits(hub, disk, _Maintenance(hub, nursery))
        try:
            await commits.run()
        finally:
            await commits.stop()


async def commit_once(hub: Hub, disk: SlowDisk, *, is_last: bool = False) -> None:
    """One commit, from taking what waits to sending the confirms, while no `run_commits` is at work.

    is_last: the broker stops behind it, so that it doesn't wait for room on a disk that is full.  Raises StorageError
    then, and when the disk fails.
    """
    await _complete(hub, disk, _begin(hub), is_last=is_last)
    hub.settle()


def _begin(hub: Hub) -> Commit:
    if hub.input_watch is not None:
        hub.input_watch.before_write()
    return hub.broker.begin_commit()


def _finish(hub: Hub, commit: Commit) -> None:
    if hub.input_watch is not None:
        hub.input_watch.after_write()
    hub.broker.finish_commit(commit)


async def _complete(
    hub: Hub, disk: SlowDisk, commit: Commit, failure: Exception | None = None, *, is_last: bool = False
) -> None:
    """Prepare, write and finish a commit, whatever it takes.  failure: it was tried already, and this came of it."""
    while commit.prepare_some():
        await trio.lowlevel.cancel_shielded_checkpoint()
    while (full := await _write(disk, commit, failure)) is not None:
        failure = None
        if is_last:
            raise _stopped(disk.where, full) from full
        # That came first, and nobody who has deleted something may have to wait for room.
        hub.broker.keep_definitions(commit)
        await _wait_for_room(hub, disk.where, full)
        hub.broker.extend_commit(commit)
    hub.broker.alarms.set("disk", False, source=ALARM_SOURCE)
    _finish(hub, commit)


async def _write(disk: SlowDisk, commit: Commit, failure: Exception | None) -> OSError | None:
    """Write a commit; the error that says that the disk is full, and nothing but its definitions is kept yet."""
    with trio.CancelScope(shield=True):
        try:
            if failure is not None:
                raise failure
            if commit.is_empty:
                # Nothing to write: no thread is needed, and none makes virtual time pass.
                await trio.lowlevel.checkpoint()
            else:
                disk.begin()
                try:
                    await trio.to_thread.run_sync(commit.write)
                finally:
                    disk.end()
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                return error
            raise StorageError(
                f"{_what(disk.where, error)} can't be written: {error.strerror or error}. "
                "Nothing unwritten was confirmed; make room or replace the disk, then start again"
            ) from error
    return None


class _Commits:
    """The commits of a run, one at a time."""

    def __init__(self, hub: Hub, disk: SlowDisk, maintenance: _Maintenance) -> None:
        self._hub = hub
        self._disk = disk
        self._maintenance = maintenance
        self._bell = Bell(hub, self._written)
        self._thread: DiskThread | None = None
        self._under_way: Commit | None = None
        self._quick_count = 0
        self._handed: Commit | None = None
        self._failure: Exception | None = None
        self._parking = trio.lowlevel.ParkingLot()

    # The hub's side

    def begin(self) -> bool:
        """See `Hub.begin_commit`."""
        hub = self._hub
        try:
            commit = _begin(hub)
            if commit.is_empty:
                _finish(hub, commit)
                return True
            hub.begin_commit = None
            if commit.prepare_some():
                self._hand_over(commit, None)
                return False
        except Exception as error:
            hub.begin_commit = None
            self._hand_over(None, error)
            return False
        self._under_way = commit
        if self._thread is None:
            self._thread = DiskThread(self._bell.ring)
        hub.is_commit_near = self._quick_count >= QUICK_IN_A_ROW and commit.size_bytes <= NEAR_BYTES_MAX
        self._disk.begin()
        self._thread.start(commit.write)
        return False

    def _written(self) -> None:
        """The thread is done with the commit that is under way."""
        commit, thread, hub = self._under_way, self._thread, self._hub
        if commit is None or thread is None:
            return
        self._under_way = None
        self._disk.end()
        hub.is_commit_near = False
        self._quick_count = self._quick_count + 1 if thread.took_s < NEAR_S else 0
        failure = thread.error
        if failure is None:
            try:
                _finish(hub, commit)
            except Exception as error:
                self._hand_over(None, error)
                return
            self._go_on()
        else:
            self._hand_over(commit, failure)

    def _go_on(self) -> None:
        self._maintenance.start_if_due()
        self._hub.begin_commit = self.begin

    def _hand_over(self, commit: Commit | None, failure: Exception | None) -> None:
        """Have the task do it, or raise what can't be done."""
        self._handed = commit
        self._failure = failure
        self._parking.unpark()

    # The task's side

    async def run(self) -> None:
        """Let the hub begin commits, and do what isn't done in a turn."""
        hub = self._hub
        hub.begin_commit = self.begin
        hub.request_turn()
        while True:
            if self._handed is None and self._failure is None:
                await self._parking.park()
            commit, self._handed = self._handed, None
            failure, self._failure = self._failure, None
            if commit is not None:
                await _complete(hub, self._disk, commit, failure)
            elif failure is not None:
                raise failure
            self._go_on()
            hub.settle()

    async def stop(self) -> None:
        """Begin no more; what is under way is finished.  Raises StorageError when it can't be."""
        hub, thread = self._hub, self._thread
        hub.begin_commit = None
        hub.is_commit_near = False
        is_finished = self._under_way is not None or self._handed is not None
        if thread is not None:
            with trio.CancelScope(shield=True):
                if self._under_way is not None:
                    await trio.to_thread.run_sync(thread.stop)
                    self._written()
                    hub.begin_commit = None
                else:
                    thread.stop()
        self._bell.close()
        if self._handed is not None:
            await _complete(hub, self._disk, self._handed, self._failure)
        elif self._failure is not None:
            raise self._failure
        if is_finished:
            hub.settle()


async def _wait_for_room(hub: Hub, where: str, error: OSError) -> None:
    """The disk is full: publishers are blocked, and what they wait for is written when there is room again."""
    if hub.broker.alarms.set("disk", True, source=ALARM_SOURCE):
        _log.error(
            "%s can't be written: %s. Publishing is blocked, and what was published and not confirmed yet waits; make "
            "room",
            _what(where, error),
            error.strerror or error,
        )
    hub.settle()
    try:
        await trio.sleep(FULL_RETRY_S)
    except trio.Cancelled:
        raise _stopped(where, error) from error


def _what(where: str, error: OSError) -> str:
    """What can't be written: the message log, unless it says that it is a stream."""
    return f"the stream in {error.filename2}" if error.filename2 else f"the message log in {where}"


def _stopped(where: str, error: OSError) -> StorageError:
    return StorageError(
        f"the broker was stopped while {_what(where, error)} couldn't be written: {error.strerror or error}. "
        "Nothing unwritten was confirmed; make room, then start again"
    )


class _Maintenance:
    """Compaction beside the commits, one job at a time."""

    def __init__(self, hub: Hub, nursery: trio.Nursery) -> None:
        self._hub = hub
        self._nursery = nursery
        self._busy = False

    def start_if_due(self) -> None:
        """Start a job if the store has one."""
        if self._busy:
            return
        job = self._hub.broker.store.begin_maintenance()
        if job is not None:
            self._busy = True
            self._nursery.start_soon(self._run, job)

    async def _run(self, job: Flush) -> None:
        with trio.CancelScope(shield=True):
            try:
                await trio.to_thread.run_sync(job.write)
            except OSError as error:
                _log.error("compaction of the message log failed: %s; it will be tried again", error)
        self._hub.broker.store.finish_maintenance(job)
        self._busy = False
