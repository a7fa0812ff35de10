"""The commits of one shard: begun at the end of a turn, written on a thread of the shard, finished in a turn again.

As the commits of the broker's own log (gateway.process.commit), but each shard by itself: a stream that is slow, or
away, stalls the confirms of its own queues alone.
"""

from __future__ import annotations

import errno
import logging
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import TYPE_CHECKING, Final

import trio

from warren.core.errors import StorageError
from warren.gateway.network.bell import Bell

if TYPE_CHECKING:
    from warren.core.cluster.shard import Shard
    from warren.core.storage.engine import Flush, LongFlush
    from warren.gateway.network.hub import Hub

_log = logging.getLogger("warren.cluster")

FULL_RETRY_S: Final = 0.25
"""Between two tries to write to a disk that was full."""


class ShardCommits:
    """See the head of this file.

    lose: told, once, in words, why the shard can't be written any more.  nursery: for what isn't done in a turn.
    began_s: when the flush that is under way began; 0 while none is.
    """

    def __init__(self, hub: Hub, nursery: trio.Nursery, shard: Shard, lose: Callable[[str], None]) -> None:
        self.began_s = 0.0
        self._hub = hub
        self._nursery = nursery
        self._shard = shard
        self._lose = lose
        self._flush: LongFlush | None = None
        self._is_encoding = False
        self._maintains = False
        self._is_over = False
        self._idle = trio.lowlevel.ParkingLot()
        self._bell = Bell(hub, self._written)
        self._error: Exception | None = None
        self._works: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=f"warren-shard-{shard.number}", daemon=True)
        self._thread.start()

    @property
    def is_under_way(self) -> bool:
        """Whether a flush is."""
        return self._flush is not None

    def begin(self) -> bool:
        """At the end of a turn: begin a flush if there is something for it; True where more is to be done at once."""
        if self._is_over:
            return False
        if self._is_encoding:
            return self._encode()
        if self._flush is not None or not self._shard.is_wanted:
            return False
        try:
            flush = self._shard.begin_flush()
        except StorageError as error:
            self._end(str(error))
            return True
        if flush is None:
            self._shard.finish_flush(None)
            return True
        self._flush = flush
        self.began_s = trio.current_time()
        return self._encode()

    async def finish(self) -> None:
        """Write all there is; returns when that is done, or the shard is lost."""
        while not self._is_over and (self._flush is not None or self._shard.is_wanted):
            self._hub.request_turn()
            await self._idle.park()

    async def stop(self) -> None:
        """No more of them; what is under way ends as it may, which the caller has seen to."""
        self._is_over = True
        self._works.put(None)
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(self._thread.join)
        self._bell.close()

    def _encode(self) -> bool:
        flush = self._flush
        if flush is None:
            return False
        self._is_encoding = flush.encode_some()
        if self._is_encoding:
            return True
        self._works.put(flush.write)
        return False

    def _work(self) -> None:
        while (work := self._works.get()) is not None:
            self._error = None
            try:
                work()
            except Exception as error:
                self._error = error
            self._bell.ring()

    def _written(self) -> None:
        flush, error = self._flush, self._error
        if flush is None or self._is_over:
            return
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            self._nursery.start_soon(self._try_again, flush)
            return
        self._flush = None
        self.began_s = 0.0
        if error is not None:
            if not isinstance(error, (StorageError, OSError)):
                _log.error("shard %d: internal error while writing", self._shard.number, exc_info=error)
            self._end(str(error))
            return
        self._hub.broker.alarms.set("disk", False, source=self._source)
        self._shard.finish_flush(flush)
        self._start_maintenance()
        self._idle.unpark_all()

    @property
    def _source(self) -> str:
        return f"shard {self._shard.number}"

    def _end(self, why: str) -> None:
        self._is_over = True
        self._hub.broker.alarms.set("disk", False, source=self._source)
        self._lose(why)
        self._idle.unpark_all()

    async def _try_again(self, flush: LongFlush) -> None:
        """The disk is full: publishers are blocked, and what they wait for is written when there is room again."""
        if self._hub.broker.alarms.set("disk", True, source=self._source):
            _log.error("the log of shard %d can't be written: the disk is full; make room", self._shard.number)
            self._hub.settle()
        await trio.sleep(FULL_RETRY_S)
        if not self._is_over:
            self._works.put(flush.write)

    def _start_maintenance(self) -> None:
        if not self._maintains:
            job = self._shard.begin_maintenance()
            if job is not None:
                self._maintains = True
                self._nursery.start_soon(self._maintain, job)

    async def _maintain(self, job: Flush) -> None:
        with trio.CancelScope(shield=True):
            try:
                await trio.to_thread.run_sync(job.write)
            except (OSError, StorageError) as error:
                _log.error("tidying up the log of shard %d failed: %s; it is tried again", self._shard.number, error)
            if not self._is_over:
                self._shard.engine.finish_maintenance(job)
        self._maintains = False
