"""The storage engine on disk: one log for the whole broker.  records.py describes the format.

The pieces: `Batch` collects what is appended and settled; `Encoder` turns it into records at the next flush;
`LogWriter` writes them; `Ledger` and `Segment` know what is alive; `MessageReader` reads messages back;
`compaction` deletes and rewrites segments; `recovery` reads everything back at start; `DeliveryCounts` knows
how often entries were delivered in vain; `Owners` whose they are.  This file ties them together and is the
only one with the broker's thread and the worker threads in view:

* append, settle, begin_*, finish_* and read run on the broker's thread and alone touch the ledger;
* `Flush.write` runs in a worker thread and touches nothing but the end of the last segment's file;
* a maintenance job's `write` runs in a worker thread and touches only files of earlier segments.

A flush's settlements are booked when it is finished, not when it begins: a segment must not be deleted
because of a settlement that a crash could still undo.

Longer than 400 lines because it is the one place that has all threads in view.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType

from warren.core.messages.message import Message
from warren.core.storage.disk.compaction import CompactionJob, DeletionJob
from warren.core.storage.disk.delivery_counts import DeliveryCounts, Detached
from warren.core.storage.disk.encoder import ENCODED_PER_SLICE, Batch, Encoder, Mark
from warren.core.storage.disk.files import prepare_directory
from warren.core.storage.disk.flush import ALLOCATION_STEP, LogFlush, LogWriter, no_clock, segment_name
from warren.core.storage.disk.keys import NO_KEY
from warren.core.storage.disk.ledger import Ledger
from warren.core.storage.disk.owners import Owners
from warren.core.storage.disk.quarantine import Quarantine
from warren.core.storage.disk.reader import MessageReader
from warren.core.storage.disk.records import encode_segment_start
from warren.core.storage.disk.recovery import Recovery
from warren.core.storage.disk.scanner import no_pause
from warren.core.storage.disk.segment import Segment
from warren.core.storage.disk.stream_files import StreamDirectories
from warren.core.storage.engine import Flush, LongFlush, LongGroup, Owner, StorageEngine


class _Collected(LongGroup):
    """A group on its way: collected, and not for any flush yet."""

    __slots__ = ("batch",)

    def __init__(self) -> None:
        self.batch = Batch()


SEGMENT_BYTES_MAX = 64 << 20
"""Large enough that most segments die as a whole, small enough that one is rewritten in a second or two."""

_RETRY_CALLS = 1000
"""After a failed maintenance job so many calls of begin_maintenance pass before the next try."""


class DiskEngine(StorageEngine):
    """Keeps entries in segment files under `directory`/messages.

    segment_bytes_max: size from which a flush begins a new segment. allocation_step: bytes of disk space
    reserved at a time ahead of the writes; 0 for none. pause: called by compaction, in the worker thread,
    after about every millisecond of work, so that it can let the broker's thread run. clock_ns: the time in
    nanoseconds, for how long the disk takes.

    Raises StorageError when the directory can't be made or written.  `recover` must be called before anything
    else.
    """

    def __init__(
        self,
        directory: Path,
        *,
        segment_bytes_max: int = SEGMENT_BYTES_MAX,
        allocation_step: int = ALLOCATION_STEP,
        pause: Callable[[], None] = no_pause,
        clock_ns: Callable[[], int] = no_clock,
    ) -> None:
        self.durable = True
        self._directory = prepare_directory(directory)
        allocation_step = min(allocation_step, segment_bytes_max)
        self.streams = StreamDirectories(directory, allocation_step)
        self._segment_bytes_max = segment_bytes_max
        self._pause = pause
        self._clock_ns = clock_ns
        self._batch = Batch()
        self._group_start: Mark | None = None
        self._ledger = Ledger()
        self._quarantine = Quarantine(self._directory)
        self._writer = LogWriter(self._directory, allocation_step, clock_ns)
        self._reader = MessageReader(self._directory, self._ledger, self._quarantine, self._clock_ns)
        self._owners = Owners(self._directory)
        self._counts = DeliveryCounts()
        self._counts_complete_in = -1
        self._written_end = 0
        self._key = NO_KEY
        self._torn_bytes = 0
        self._job: CompactionJob | DeletionJob | None = None
        self._calls_to_skip = 0

    def append(self, message: Message, queue_ids: tuple[int, ...]) -> None:
        """Collect the message for the next flush."""
        message.references = len(queue_ids)
        batch = self._batch
        batch.messages.append(message)
        batch.queue_ids.append(queue_ids)

    def append_all(self, messages: list[Message], queue_ids: tuple[int, ...]) -> None:
        """Collect the messages for the next flush."""
        count = len(queue_ids)
        for message in messages:
            message.references = count
        batch = self._batch
        batch.messages += messages
        batch.queue_ids += [queue_ids] * len(messages)

    def settle(self, queue_id: int, message: Message) -> None:
        """Collect the settlement for the next flush."""
        message.references -= 1
        batch = self._batch
        batch.settled_queue_ids.append(queue_id)
        batch.settled_messages.append(message)

    def settle_positions(self, queue_id: int, positions: Sequence[int]) -> None:
        """Collect the settlements for the next flush."""
        self._batch.settled_positions.append((queue_id, array("Q", positions)))

    def count_failures(self, queue_id: int, message: Message, failures: int) -> None:
        """Note it for the next flush."""
        self._counts.count(queue_id, message, failures)

    def note_ready_from(self, queue_id: int, entry: Message | int | None) -> None:
        """Note it for the next flush."""
        self._counts.note_ready_from(queue_id, entry)

    def failures(self, queue_id: int) -> Mapping[int, int]:
        """As StorageEngine.failures says."""
        return self._counts.failures(queue_id)

    def forget_queue(self, queue_id: int) -> None:
        """Let go of its counts."""
        self._counts.forget(queue_id)

    def note_owner(self, queue_id: int, owner: Owner) -> None:
        """Write it down (owners.py)."""
        self._owners.note(queue_id, owner)

    def owner(self, queue_id: int) -> Owner | None:
        """As StorageEngine.owner says."""
        return self._owners.get(queue_id)

    def keep_owners(self, owners: Mapping[int, Owner]) -> None:
        """Bring the owners' file up to date."""
        self._owners.keep(owners)

    def begin_group(self) -> None:
        """Remember where the group begins."""
        self._group_start = self._batch.mark()

    def end_group(self) -> None:
        """Remember where the group ends."""
        if self._group_start is not None:
            self._batch.add_group(self._group_start)
            self._group_start = None

    def collecting(self, group: LongGroup) -> AbstractContextManager[None]:
        """Collect for the group instead of the next flush.

        A settlement that is only collected takes no reference: the message is to be written all the same.
        """
        if not isinstance(group, _Collected):
            raise TypeError("collecting takes what long_group returned")
        return _Collecting(self, group.batch)

    def exchange_batch(self, batch: Batch) -> Batch:
        """Collect in this one from now on; where it was done until now."""
        before, self._batch = self._batch, batch
        return before

    def long_group(self) -> LongGroup:
        """See StorageEngine.long_group."""
        return _Collected()

    def add_group(self, *groups: LongGroup) -> None:
        """Its place in the log is here."""
        whole = Batch()
        for group in groups:
            if not isinstance(group, _Collected):
                raise TypeError("add_group takes what long_group returned")
            whole.add(group.batch)
        if whole.work:
            self._batch.whole_groups.append((self._batch.mark(), whole))

    @property
    def pending(self) -> bool:
        """True when anything was appended, settled or noted since the last begin_flush."""
        batch = self._batch
        if batch.messages or batch.settled_messages or batch.settled_positions or batch.whole_groups:
            return True
        return self._counts.pending

    def begin_flush(self) -> LongFlush | None:
        """Encode everything pending, if it isn't too much; None when none of it needs writing."""
        batch, self._batch = self._batch, Batch()
        noted = self._counts.detach()
        segment = self._ledger.last
        if segment.size >= self._segment_bytes_max:
            segment = Segment(segment.end, self._key)
            self._ledger.add(segment)
        encoder = Encoder(segment, segment.end)
        flush = LogFlush(self._writer, segment, encoder.chunks, encoder.settled)
        flush.slices = self._encode(batch, encoder, flush, noted)
        if batch.work <= ENCODED_PER_SLICE:
            flush.encode()
            return flush if flush.chunks else None
        return flush

    def _encode(self, batch: Batch, encoder: Encoder, flush: LogFlush, noted: Detached) -> Iterator[None]:
        """Encode what was taken; the segment ends behind it from then."""
        segment = flush.segment
        if batch.work > ENCODED_PER_SLICE:
            # So much has been published in this turn already: a long transaction, most likely.
            yield
        yield from encoder.encode(batch)
        if self._counts.known:
            encoder.add_failed(self._counts.take(noted, encoder.position, everything=segment.size == 0))
        if not encoder.chunks:
            return
        flush.offset = segment.size
        if flush.offset == 0:
            encoder.chunks.insert(0, encode_segment_start(segment.base, 0, segment.key))
        segment.end = flush.end = encoder.position
        segment.size = segment.end - segment.base
        flush.size_bytes = segment.size - flush.offset

    def finish_flush(self, flush: Flush) -> None:
        """Book the settlements of the flush."""
        if not isinstance(flush, LogFlush):
            raise TypeError("finish_flush takes what begin_flush returned")
        if not flush.end:
            return
        self._written_end = flush.end
        self._counts_complete_in = flush.segment.base
        for queue_id, positions in flush.settled:
            self._ledger.book_settled(flush.segment, queue_id, positions)
            self._counts.settled(queue_id, positions)

    def is_written(self, message: Message) -> bool:
        """True once the message's flush is finished."""
        return 0 < message.position < self._written_end

    def read(self, positions: Sequence[int]) -> list[Message | None]:
        """Messages at these positions, as StorageEngine.read says."""
        return self._reader.read(positions)

    def begin_maintenance(self) -> Flush | None:
        """Delete segments if any can be deleted, or else compact one if that pays; one job at a time.

        Not before the last segment is known to hold all counts of failed deliveries.
        """
        if self._job is not None or (self._counts.known and self._counts_complete_in != self._ledger.last.base):
            return None
        if self._calls_to_skip:
            self._calls_to_skip -= 1
            return None
        deletable = self._ledger.take_deletable()
        if deletable:
            self._job = DeletionJob(self._directory, deletable)
        else:
            self._job = self._begin_compaction()
        return self._job

    def finish_maintenance(self, job: Flush) -> None:
        """Book the job; a failed one is reported and tried again later."""
        self._job = None
        if isinstance(job, DeletionJob):
            self._finish_deletion(job)
        elif isinstance(job, CompactionJob):
            self._finish_compaction(job)
        else:
            raise TypeError("finish_maintenance takes what begin_maintenance returned")
        if job.failure is not None:
            self._calls_to_skip = _RETRY_CALLS
            self._quarantine.report(
                f"tidying up {self._directory} failed: {job.failure}; messages are safe, but disk space is"
                " not freed. It is tried again later."
            )

    def recover(self) -> Iterator[tuple[int, Sequence[int], Sequence[int]]]:
        """Read the log; the scan is done when this returns. Raises StorageError as Recovery.run."""
        recovery = Recovery(self._directory, self._segment_bytes_max, self._quarantine)
        recovery.run()
        self._ledger = recovery.ledger
        self._counts = recovery.delivery_counts
        self._counts_complete_in = -1
        self._reader = MessageReader(self._directory, self._ledger, self._quarantine, self._clock_ns)
        self._written_end = self._ledger.last.end
        self._torn_bytes = recovery.torn_bytes
        self._key = recovery.key.value
        return recovery.queues()

    def written_files(self) -> Iterator[tuple[str, int]]:
        """Each segment's file, and how many bytes of it are written by flushes that are finished."""
        for segment in self._ledger.segments:
            if segment.size and segment.base < self._written_end:
                is_last = segment.end >= self._written_end and not segment.sparse
                yield segment_name(segment.base), self._written_end - segment.base if is_last else segment.size

    def damage(self) -> list[str]:
        """What was found damaged, oldest first."""
        return list(self._quarantine.reports)

    def statistics(self) -> dict[str, int]:
        """Figures of the log.

        segments; bytes_on_disk (without space allocated ahead); entries: unsettled ones in the log;
        pending_bytes: bodies waiting for a flush; torn_bytes: dropped from the end of the log at start; the others: how
        often and how much was read, written and synced since then, in bytes, and how long that took, in nanoseconds.
        """
        writer = self._writer
        return {
            "segments": sum(1 for segment in self._ledger.segments if segment.size),
            "bytes_on_disk": sum(segment.size for segment in self._ledger.segments),
            "entries": sum(segment.live_count for segment in self._ledger.segments),
            "pending_bytes": sum(message.body_size for message in self._batch.messages),
            "torn_bytes": self._torn_bytes,
            "reads": self._reader.reads,
            "read_bytes": self._reader.read_bytes,
            "read_ns": self._reader.read_ns,
            "writes": writer.writes,
            "written_bytes": writer.written_bytes,
            "write_ns": writer.write_ns,
            "sync_ns": writer.sync_ns,
        }

    def close(self) -> None:
        """Close all files."""
        self._writer.close()
        self._reader.close()
        self._owners.close()
        self.streams.close()

    def _begin_compaction(self) -> CompactionJob | None:
        """A job for a segment that is worth it."""
        segment = self._ledger.take_compactable()
        if segment is None:
            return None
        try:
            self._reader.hold(segment)
        except OSError as error:
            self._calls_to_skip = _RETRY_CALLS
            self._ledger.touch(segment)
            self._quarantine.report(f"a segment in {self._directory} can't be opened for tidying up: {error}")
            return None
        job = CompactionJob(
            self._directory,
            segment,
            self._ledger.settled_elsewhere(segment),
            self._ledger.settlements_of(segment),
            self._pause,
        )
        segment.settled = {}
        return job

    def _finish_deletion(self, job: DeletionJob) -> None:
        """Forget the segments, or keep them to try again."""
        if job.failure is not None:
            for segment in job.segments:
                self._ledger.touch(segment)
            return
        for segment in job.segments:
            self._reader.release(segment)
        self._ledger.remove(job.segments)

    def _finish_compaction(self, job: CompactionJob) -> None:
        """Turn to the rewritten file, and free the settlements that it made needless."""
        segment = job.segment
        for text in job.quarantine.reports:
            self._quarantine.report(text)
        self._reader.release(segment)
        if job.replaced:
            segment.adopt(job.rewritten, job.live_count)
        if job.completed:
            self._ledger.free_settlements(segment, job.settlement_counts)
        else:
            segment.note_dead(job.settled)
            self._ledger.touch(segment)


class _Collecting:
    """What DiskEngine.collecting returns."""

    __slots__ = ("_batch", "_before", "_engine", "_settled_before")

    def __init__(self, engine: DiskEngine, batch: Batch) -> None:
        self._engine = engine
        self._batch = batch
        self._before = batch
        self._settled_before = 0

    def __enter__(self) -> None:
        self._before = self._engine.exchange_batch(self._batch)
        self._settled_before = len(self._batch.settled_messages)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._engine.exchange_batch(self._before)
        for message in self._batch.settled_messages[self._settled_before :]:
            message.references += 1
