"""The commit loop: group commit without a timer.

While one commit is being written and synced in a worker thread, the broker goes on; everything that is appended
meanwhile rides the next commit.  A disk that is full blocks publishers until there is room: nothing that was confirmed
is in danger.  A disk that fails ends the broker loudly: nothing may be confirmed after that.
"""

from __future__ import annotations

import errno
import logging
from typing import TYPE_CHECKING, Final

import trio

from warren.core.errors import StorageError

if TYPE_CHECKING:
    from warren.core.storage.commit import Commit
    from warren.core.storage.engine import Flush
    from warren.gateway.network.hub import Hub

_log = logging.getLogger("warren.commit")

FULL_RETRY_S: Final = 0.25
"""Between two tries to write to a disk that was full."""

ALARM_SOURCE: Final = "message log"
"""Who says then that the disk is low."""


async def run_commits(hub: Hub, where: str) -> None:
    """Commit whatever waits, until cancelled; a commit under way is finished first.

    where: the directory of the message log, for the error.  Raises StorageError when the disk fails.
    """
    async with trio.open_nursery() as nursery:
        maintenance = _Maintenance(hub, nursery)
        while True:
            await hub.commit_wanted()
            await commit_once(hub, where)
            maintenance.start_if_due()


async def commit_once(hub: Hub, where: str, *, is_last: bool = False) -> None:
    """One commit, from taking what waits to sending the confirms.

    is_last: the broker stops behind it, so that it doesn't wait for room on a disk that is full.  Raises StorageError
    then, and when the disk fails.
    """
    if hub.input_watch is not None:
        hub.input_watch.before_write()
    commit = hub.broker.begin_commit()
    while commit.prepare_some():
        await trio.lowlevel.cancel_shielded_checkpoint()
    while (full := await _write(commit, where)) is not None:
        if is_last:
            raise _stopped(where, full) from full
        # That came first, and nobody who has deleted something may have to wait for room.
        hub.broker.keep_definitions(commit)
        await _wait_for_room(hub, where, full)
        hub.broker.extend_commit(commit)
    hub.broker.alarms.set("disk", False, source=ALARM_SOURCE)
    if hub.input_watch is not None:
        hub.input_watch.after_write()
    hub.broker.finish_commit(commit)
    hub.settle()


async def _write(commit: Commit, where: str) -> OSError | None:
    """Write a commit; the error that says that the disk is full, and nothing but its definitions is kept yet."""
    with trio.CancelScope(shield=True):
        try:
            if commit.flush is None and commit.definitions is None:
                # Nothing to write: no thread is needed, and none makes virtual time pass.
                await trio.lowlevel.checkpoint()
            else:
                await trio.to_thread.run_sync(commit.write)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                return error
            raise StorageError(
                f"the message log in {where} can't be written: {error.strerror or error}. "
                "Nothing unwritten was confirmed; make room or replace the disk, then start again"
            ) from error
    return None


async def _wait_for_room(hub: Hub, where: str, error: OSError) -> None:
    """The disk is full: publishers are blocked, and what they wait for is written when there is room again."""
    if hub.broker.alarms.set("disk", True, source=ALARM_SOURCE):
        _log.error(
            "the message log in %s can't be written: %s. Publishing is blocked, and what was published and not "
            "confirmed yet waits; make room",
            where,
            error.strerror or error,
        )
    hub.settle()
    try:
        await trio.sleep(FULL_RETRY_S)
    except trio.Cancelled:
        raise _stopped(where, error) from error


def _stopped(where: str, error: OSError) -> StorageError:
    return StorageError(
        f"the broker was stopped while the message log in {where} couldn't be written: {error.strerror or error}. "
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
