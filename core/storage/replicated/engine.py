"""The storage engine of a shard: the disk engine, each flush of which is also appended to the shard's stream.

Whoever owns the shard has its log twice: in this node's directory, where it is read, and in the stream, which a
majority of servers keeps.  A flush is done when both have it.  Segments that the disk engine drops are dropped from
the stream, too, as far as they are its beginning.  `recover` takes the shard over (takeover.py); a log here that turns
out damaged is rebuilt from the stream.  Where that turns out later, nothing is lost, nor settled: whoever reads is told
that it can't be read now, and who owns the engine that it is to be taken over anew (`damaged`).  Who isn't the owner
any more is refused by the stream (appending.py), whatever any clock says.

What belongs to the node and not to the shard isn't replicated: the streams of stream queues, and whose the numbers of
queues are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from warren.core.errors import StorageError, StoreUnavailable
from warren.core.messages.message import Message
from warren.core.storage.disk.compaction import CompactionJob, DeletionJob
from warren.core.storage.disk.engine import SEGMENT_BYTES_MAX, DiskEngine
from warren.core.storage.disk.errors import DamagedRecordError
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
    reads the stream.  least: the stream had this message once; one that ends before isn't taken over.  The others are
    those of DiskEngine.  claimed: the message of the stream by which it was taken over.  damaged: called once the log
    here turns out damaged, with words; it is rebuilt when the shard is taken over next.
    """

    def __init__(
        self,
        directory: Path,
        stream: ShardStream,
        upkeep: ShardStream,
        *,
        owner: str,
        least: int = 0,
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
        self._least = least
        self._marks = MarkFile(self._directory)
        self._appender: Appender | None = None
        self._is_damaged = False
        self.claimed = 0
        self.damaged: Callable[[str], None] = _nobody

    @property
    def lost(self) -> str:
        """Why the shard isn't this node's any more, in words; empty while it is, as far as is known."""
        return self._appender.lost if self._appender is not None else "the shard hasn't been taken over"

    @property
    def last_sequence(self) -> int | None:
        """Of the stream, as far as it was written from here; None before the shard has been taken over."""
        return self._appender.sequence if self._appender is not None else None

    def recover(self) -> Iterator[tuple[int, Sequence[int], Sequence[int]]]:
        """Take the shard over, then read the log; it waits for the stream.

        Raises StreamDiverged, and StorageError as DiskEngine.recover.
        """
        taking = self._take_over(rebuild=False)
        queues = super().recover()
        reports = self._quarantine.reports
        if reports and not taking.was_rebuilt:
            self._reader.close()
            found = reports[0]
            # What was lost here isn't lost.
            reports.clear()
            self._quarantine.report(
                f"the log in {self._directory} was damaged; it was rebuilt from the shard's stream, and nothing is "
                f"lost. What was found: {found}"
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

    def read(self, positions: Sequence[int]) -> list[Message | None]:
        """Messages at these positions.  Raises StoreUnavailable where one is damaged here: the stream has it."""
        reports = self._quarantine.reports
        known = len(reports)
        messages = super().read(positions)
        if None in messages:
            # What is lost here isn't lost.
            del reports[known:]
            raise StoreUnavailable(self._found_damaged("a message in it can't be read"))
        return messages

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
        local = job.local
        super().finish_maintenance(local)
        if isinstance(local, CompactionJob):
            if local.quarantine.reports:
                self._found_damaged(local.quarantine.reports[0])
            elif isinstance(local.failure, DamagedRecordError):
                self._found_damaged(str(local.failure))

    def _found_damaged(self, what: str) -> str:
        """The log here isn't what was written; that in words."""
        why = f"the log in {self._directory} is damaged: {what}; it is rebuilt from the shard's stream"
        if not self._is_damaged:
            self._is_damaged = True
            self._quarantine.report(why)
            try:
                self._marks.void()
            except OSError as error:
                self._quarantine.report(f"the mark in {self._directory} can't be removed: {error.strerror}")
            self.damaged(why)
        return why

    def close(self) -> None:
        """Close all files, and both ways to the stream.  Raises OSError, with all closed."""
        self._stream.close()
        self._upkeep.close()
        try:
            self._marks.close()
        finally:
            super().close()

    def _take_over(self, *, rebuild: bool) -> TakeOver:
        taking = TakeOver(self._directory, self._stream, self._marks, self._owner, self._least)
        try:
            mark = taking.run(rebuild=rebuild)
        except OSError as error:
            raise StorageError(
                f"the shard's log can't be kept in {self._directory}: {error.strerror or error}; make the directory "
                "writable, or make room"
            ) from error
        self._appender = Appender(self._stream, self._marks, mark)
        self.claimed = mark.sequence
        return taking


def _nobody(why: str) -> None:
    pass
