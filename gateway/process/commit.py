"""The commit loop: group commit without a timer.

While one commit is being written and synced in a worker thread, the broker goes on; everything that is appended
meanwhile rides the next commit.  A disk that fails ends the broker loudly: nothing may be confirmed after that.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import trio

from warren.core.errors import StorageError

if TYPE_CHECKING:
    from warren.core.storage.engine import Flush
    from warren.gateway.network.hub import Hub

_log = logging.getLogger("warren.commit")


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


async def commit_once(hub: Hub, where: str) -> None:
    """One commit, from taking what waits to sending the confirms."""
    if hub.input_watch is not None:
        hub.input_watch.before_write()
    commit = hub.broker.begin_commit()
    with trio.CancelScope(shield=True):
        try:
            if commit.flush is None and commit.definitions is None:
                # Nothing to write: no thread is needed, and none makes virtual time pass.
                await trio.lowlevel.checkpoint()
            else:
                await trio.to_thread.run_sync(commit.write)
        except OSError as error:
            raise StorageError(
                f"the message log in {where} can't be written: {error.strerror or error}. "
                "Nothing unwritten was confirmed; make room or replace the disk, then start again"
            ) from error
    if hub.input_watch is not None:
        hub.input_watch.after_write()
    hub.broker.finish_commit(commit)
    hub.settle()


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
