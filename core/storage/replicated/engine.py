"""The storage engine of a shard: the disk engine, each flush of which is also appended to the shard's stream.

Whoever owns the shard has its log twice: in this node's directory, where it is read, and in the stream, which a
majority of servers keeps.  A flush is done when both have it.  Segments that the disk engine drops are dropped from
the stream, too, as far as they are its beginning.  `recover` takes the shard over (takeover.py); a log here that turns
out damaged is rebuilt from the stream.  Who isn't the owner any more is refused by the stream (appending.py), whatever
any clock says.

What belongs to the node and not to the shard isn't replicated: the streams of stream queues, and whose the numbers of
queues are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from warren.core.errors import StorageError
from warren.core.storage.disk.compaction import DeletionJob
from warren.core.storage.disk.engine import SEGMENT_BYTES_MAX, DiskEngine
from warren.core.storage.disk.flush import ALLOCATION_STEP, LogFlush, no_clock
from warren.core.storage.disk.scanner import no_pause
from warren.core.storage.engine import Flush, LongFlush
from warren.core.storage.replicated.appending import Appender
from warren.core.storage.replicated.errors import OwnershipLost
from warren.core.storage.replicated.flush import ReplicatedFlush, ReplicatedJob
from warren.core.storage.replicated.mark import MarkFile
from warren.core.storage.replicated.stream import ShardStream
from warren.core.storage.replicated.takeover import TakeOver


class ReplicatedEngine(DiskEngine):
    """See the head of this file.

    stream: the shard's.  upkeep: another way to the same, for the thread of maintenance.  owner: this node, for who
    reads the stream.  The others are those of DiskEngine.
    """

    def __init__(
        self,
        directory: Path,
        stream: ShardStream,
        upkeep: ShardStream,
        *,
        owner: str,
        segment_bytes_max: int = SEGMENT_BYTES_MAX,
        allocation_step: int = ALLOCATION_STEP,
        pause: Callable[[], None] = no_pause,
        clock_ns: Callable[[], int] = no_clock,
    ) -> None:
        super().__init__(
            directory,
            segment_bytes_max=segment_bytes_max,
            allocation_step=allocation_step,
            pause=pause,
            clock_ns=clock_ns,
        )
        self._stream = stream
        self._upkeep = upkeep
        self._owner = owner
        self._marks = MarkFile(self._directory)
        self._appender: Appender | None = None

    @property
    def lost(self) -> str:
        """Why the shard isn't this node's any more, in words; empty while it is, as far as is known."""
        return self._appender.lost if self._appender is not None else "the shard hasn't been taken over"

    def recover(self) -> Iterator[tuple[int, Sequence[int], Sequence[int]]]:
        """Take the shard over, then read the log; it waits for the stream.

        Raises StreamDiverged, and StorageError as DiskEngine.recover.
        """
        taking = self._take_over(rebuild=False)
        queues = super().recover()
        if self._quarantine.reports and not taking.was_rebuilt:
            self._reader.close()
            self._quarantine.report(
                f"the log in {self._directory} was damaged; it was rebuilt from the shard's stream, and nothing is lost"
            )
            self._take_over(rebuild=True)
            queues = super().recover()
        return queues

    def begin_flush(self) -> LongFlush | None:
        """As DiskEngine.begin_flush.  Raises OwnershipLost once that is known."""
        appender = self._appender
        if appender is None or appender.lost:
            raise OwnershipLost(self.lost)
        local = super().begin_flush()
        return ReplicatedFlush(local, appender) if isinstance(local, LogFlush) else None

    def finish_flush(self, flush: Flush) -> None:
        """Both have it."""
        if not isinstance(flush, ReplicatedFlush):
            raise TypeError("finish_flush takes what begin_flush returned")
        super().finish_flush(flush.local)

    def begin_maintenance(self) -> Flush | None:
        """As DiskEngine.begin_maintenance."""
        local = super().begin_maintenance()
        if local is None:
            return None
        deleted = {segment.base for segment in local.segments} if isinstance(local, DeletionJob) else set()
        keep_from = min(segment.base for segment in self._ledger.segments if segment.base not in deleted)
        return ReplicatedJob(local, keep_from, self._upkeep)

    def finish_maintenance(self, job: Flush) -> None:
        """Book it."""
        if not isinstance(job, ReplicatedJob):
            raise TypeError("finish_maintenance takes what begin_maintenance returned")
        super().finish_maintenance(job.local)

    def close(self) -> None:
        """Close all files, and both ways to the stream."""
        self._stream.close()
        self._upkeep.close()
        self._marks.close()
        super().close()

    def _take_over(self, *, rebuild: bool) -> TakeOver:
        taking = TakeOver(self._directory, self._stream, self._marks, self._owner)
        try:
            mark = taking.run(rebuild=rebuild)
        except OSError as error:
            raise StorageError(
                f"the shard's log can't be kept in {self._directory}: {error.strerror or error}; make the directory "
                "writable, or make room"
            ) from error
        self._appender = Appender(self._stream, self._marks, mark)
        return taking
