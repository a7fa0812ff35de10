"""The queue type `stream`: a log that consumers read at their own pace, without taking anything from it (spec H.2).

Publishing appends to the log (core/streams/log.py); what is appended may be read when it is on disk, and is confirmed
then, too.  Each consumer has a `Reader` that goes through the log from where `x-stream-offset` says; every delivery
says by the header of that name where it was.  Acknowledging, rejecting and requeueing give credit back and nothing
else, so prefetch is what holds a consumer back, and must be there.

A consumer is either parked (no credit, or no room), at the end (it has read all there is; a flush wakes it), or among
`_going`, which take turns in `drain`.

Longer than 400 lines because it is all that a queue type has to answer; what is long of that is elsewhere.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Final

from warren.core.compiled import mypyc_attr
from warren.core.errors import NotImplementedByBroker
from warren.core.messages.message import Message
from warren.core.policy_setting import age_ms
from warren.core.queues import observing
from warren.core.queues.answer import Answer, Polled, ignore
from warren.core.queues.argument import read_arguments
from warren.core.queues.base import Admission, Columns, Queue, Stored
from warren.core.queues.filtering import use_filter
from warren.core.queues.registry import register
from warren.core.queues.stream.arguments import (
    READER_ARGUMENTS,
    STREAM,
    STREAM_ARGUMENTS,
    At,
    Wanted,
    wanted,
)
from warren.core.queues.stream.checks import check_credit, check_declaration, tell_left_out
from warren.core.queues.stream.chunk_consumer import ChunkConsumer
from warren.core.queues.stream.columns import COLUMNS
from warren.core.queues.stream.reader import Reader
from warren.core.queues.stream.when_gone import WhenGone
from warren.core.queues.stream.writing import NOTHING_WRITTEN, Writing
from warren.core.queues.weight import Weight
from warren.core.streams.bloom import SIZE_DEFAULT
from warren.core.streams.entries_in_a_row import append_entries
from warren.core.streams.log import SEGMENT_BYTES_DEFAULT
from warren.core.streams.retention import Retention
from warren.core.streams.tracking import PUBLISHERS_MAX

if TYPE_CHECKING:
    from warren.core.clients.client import Client
    from warren.core.counters import Counts
    from warren.core.deadlines import Deadline
    from warren.core.queues.consumer import Consumer
    from warren.core.storage.definitions.store import JSON

_log = logging.getLogger("warren.queue")

WORK_PER_DRAIN: Final = 500
"""What one drain does, if looking into a message and giving it out is 1: some 20 µs."""

ALIKE_SHIFT: Final = 3
"""One that is like the one before it takes an eighth of that, at most."""

WORK_PER_CHUNK: Final = 10
"""What sending a chunk counts as: reading one, and its checksum, takes up to a millisecond, some 50 µs as a rule."""

AHEAD_MAX: Final = 256
"""Messages that are read at a time, before another consumer has its turn."""


REFUSAL: Final = "it refuses messages for now, as a test has asked"


@mypyc_attr(allow_interpreted_subclasses=True)
class StreamQueue(Queue):
    """See the head of this file.

    log: its messages.  when_gone: who wants to know that it is deleted.  when_longer: called when it has more.
    refuses: nothing that is published is taken, which tests of publishers ask for (testing).
    """

    __slots__ = (
        "_at_end",
        "_going",
        "_parked",
        "_published",
        "_published_bytes",
        "_retention_due",
        "_writing",
        "log",
        "refuses",
        "when_gone",
        "when_longer",
    )

    type_name: ClassVar[str] = STREAM
    keeps_messages: ClassVar[bool] = True
    stores_transient: ClassVar[bool] = True
    shares_prefetch: ClassVar[bool] = False

    known_arguments = STREAM_ARGUMENTS
    consumer_arguments = READER_ARGUMENTS

    columns: ClassVar[Columns] = COLUMNS

    def prepare(self) -> None:
        values = read_arguments(self.description, STREAM_ARGUMENTS, self.arguments)
        self._going: deque[tuple[Consumer, Reader]] = deque()
        self._at_end: list[tuple[Consumer, Reader]] = []
        self._parked: dict[Consumer, Reader] = {}
        self._writing = NOTHING_WRITTEN
        self.refuses = False
        self.when_gone = WhenGone()
        self.when_longer: list[Callable[[], None]] = []
        self._published = 0
        self._published_bytes = 0
        self._retention_due: Deadline | None = None
        filter_size = _number(values["x-stream-filter-size-bytes"])
        self.log = self.vhost.broker.streams.open(
            self.store_id, self._flushed, SIZE_DEFAULT if filter_size is None else filter_size
        )
        self._keep_bounds({})

    # Declaring

    @classmethod
    def check_declaration(
        cls, description: str, *, durable: bool, exclusive: bool, auto_delete: bool, server_named: bool
    ) -> None:
        """Refuse what a stream can't be (406)."""
        check_declaration(
            description, durable=durable, exclusive=exclusive, auto_delete=auto_delete, server_named=server_named
        )

    def check_delete(self, *, if_unused: bool, if_empty: bool) -> None:
        """Whatever is in it, as in RabbitMQ."""

    def apply_policy(
        self, effective: Mapping[str, JSON], policy_name: str | None, operator_policy_name: str | None
    ) -> None:
        """What a policy says of retention comes before what the declaration says (spec H.2)."""
        super().apply_policy(effective, policy_name, operator_policy_name)
        self._keep_bounds(effective)

    def _keep_bounds(self, policy: Mapping[str, JSON]) -> None:
        values = read_arguments(self.description, STREAM_ARGUMENTS, self.arguments)
        age = policy.get("max-age")
        self.log.retention = Retention(
            _number(policy.get("max-length-bytes", values["x-max-length-bytes"])),
            age_ms(age) if isinstance(age, str) else _number(values["x-max-age"]),
        )
        segment = policy.get("stream-max-segment-size-bytes", values["x-stream-max-segment-size-bytes"])
        self.log.segment_bytes_max = _number(segment) or SEGMENT_BYTES_DEFAULT
        self._retain(self.vhost.broker.now_ms)

    def _retain(self, now_ms: int) -> None:
        """Let go of what is too old or too much, and come back when the next will be."""
        if self._retention_due is not None:
            self._retention_due.cancel()
        due = self.log.retain(now_ms)
        self._retention_due = None if due is None else self.vhost.broker.deadlines.schedule(due, self._retain)
        if self.log.pending:
            self.vhost.broker.streams.changed(self.log)

    # Publishing

    @property
    def ready_count(self) -> int:
        """All that is kept, whoever has read it."""
        return self.log.end_offset - self.log.first_offset

    @property
    def kept_count(self) -> int:
        """What is with readers is kept like the rest."""
        return self.ready_count

    @property
    def message_counts(self) -> Counts:
        """What was published is counted: it follows from nothing, as no delivery takes a message away."""
        counts = self.counts.snapshot(0, 0, self.unacked_count)
        counts["publish"] = self._published
        counts["publish_bytes"] = self._published_bytes
        return counts

    @property
    def guarded(self) -> bool:
        return self.refuses

    def admit(self, message: Message) -> Admission:
        return Admission.REFUSE if self.refuses else Admission.TAKE

    def reserve(self, message: Message) -> Admission:
        return self.admit(message)

    def has_no_room_for(self, message: Message) -> bool:
        return self.refuses

    @property
    def refusal(self) -> str:
        return REFUSAL

    def append(self, message: Message) -> None:
        self.append_all([message], message.body_size)

    def append_all(self, messages: list[Message], size_bytes: int, row: int = 0) -> None:
        """Messages that are like the one before, but for the body, are written without looking into them."""
        broker = self.vhost.broker
        writing = self._writing
        entries: list[bytes] = []
        for message in messages:
            if not (
                message.body_size == writing.body_size
                and message.properties is writing.properties
                and message.address is writing.address
            ):
                if entries:
                    self.log.append_all(entries, broker.now_ms, filter_value=writing.value)
                    entries = []
                self._writing = writing = Writing(self, message)
            entries.append(writing.head + message.body if writing.head else writing.entry(self, message))
        self.log.append_all(entries, broker.now_ms, filter_value=writing.value)
        broker.streams.changed(self.log)
        self._published += len(messages)
        self._published_bytes += size_bytes

    def append_entries(
        self,
        entries: Sequence[bytes],
        records: int,
        size_bytes: int,
        values: Sequence[bytes | None] | None = None,
        publisher: bytes = b"",
        publishing_ids: Sequence[int] = (),
    ) -> None:
        """Take entries as they stand in chunks, with so many records of so many bytes in all.

        values: for filters, one for each entry.  publisher, publishing_ids: see StreamLog.append_all.
        """
        broker = self.vhost.broker
        append_entries(self.log, entries, records, broker.now_ms, values, publisher, publishing_ids)
        broker.streams.changed(self.log)
        self._published += records
        self._published_bytes += size_bytes

    # What is noted of publishers and readers

    def last_publishing_id(self, publisher: bytes) -> int | None:
        """The number of the last message of a publisher, by its reference; None for one that isn't known."""
        return self.log.last_publishing_id(publisher)

    def stored_offset(self, reader: bytes) -> int | None:
        """The offset that was stored for a reader, by its reference; None where none was."""
        return self.log.tracking.offsets.get(reader)

    def store_offset(self, reader: bytes, offset: int) -> None:
        """Keep an offset for a reader; it is on disk with the next commit."""
        self.log.store_offset(reader, offset)
        self.vhost.broker.streams.changed(self.log)

    def _tell_of_forgotten(self) -> None:
        """Publishers were forgotten while their messages are still there: what they send again is a duplicate."""
        broker = self.vhost.broker
        for reference in self.log.forgotten:
            broker.limit_hits.warn(
                "stream publishers",
                self.store_id,
                _log,
                "%s: publisher %r is forgotten, since more than %d have published; what it sends again is stored again",
                self.description,
                reference.decode("utf-8", "replace"),
                PUBLISHERS_MAX,
            )
        self.log.forgotten.clear()

    def _flushed(self, is_longer: bool) -> None:  # a segment was begun; readers may have more than they had
        if self.log.forgotten:
            self._tell_of_forgotten()
        if is_longer:
            self._retain(self.vhost.broker.now_ms)
        for call in self.when_longer:
            call()
        if self._at_end:
            self._going.extend(self._at_end)
            self._at_end.clear()
            self.mark_dirty()

    # Consuming

    def add_consumer(self, consumer: Consumer) -> None:
        if not consumer.grants_credit:
            check_credit(self.description, consumer)
        use_filter(self.description, consumer)
        if isinstance(consumer, ChunkConsumer):
            asked = consumer.wanted
        else:
            asked = wanted(self.description, consumer.arguments)
        consumer.exclusive = False
        reader = Reader(self, asked, self.vhost.broker.now_ms, consumer)
        self.consumers.append(consumer)
        if consumer.can_take():
            self._going.append((consumer, reader))
            self.mark_dirty()
        else:
            consumer.parked = True
            self._parked[consumer] = reader

    def first_offset_for(self, asked: Wanted) -> int:
        """Where a reader would begin: the first offset of its first chunk, or that of what comes next."""
        reader = Reader(self, asked, self.vhost.broker.now_ms)
        chunk = reader.next_chunk()
        return self.log.end_offset if chunk is None else chunk.head.first_offset

    def remove_consumer(self, consumer: Consumer) -> None:
        consumer.active = False
        self.consumers.remove(consumer)
        self._take(consumer)
        if not self.consumers:
            self.log.recent.clear()

    def park(self, consumer: Consumer) -> None:
        reader = self._take(consumer)
        if reader is not None:
            consumer.parked = True
            self._parked[consumer] = reader

    def resume(self, consumer: Consumer) -> None:
        reader = self._parked.pop(consumer, None)
        if reader is not None:
            consumer.parked = False
            self._going.append((consumer, reader))
            self.mark_dirty()

    def place_of(self, consumer: Consumer) -> int | None:
        """See `Reader.place`."""
        going = [*self._going, *self._at_end, *self._parked.items()]
        return next((reader.place for other, reader in going if other is consumer), None)

    def _take(self, consumer: Consumer) -> Reader | None:
        """Its reader, taken from wherever it is."""
        reader = self._parked.pop(consumer, None)
        for row in (self._going, self._at_end):
            for pair in row:
                if pair[0] is consumer:
                    row.remove(pair)
                    return pair[1]
        return reader

    def drain(self) -> None:
        """Give readers their turns until all are at the end or without credit, or there are too many for a turn."""
        self.dirty = False
        going = self._going
        observed = self.vhost.observed
        work = WORK_PER_DRAIN
        while going and work > 0:
            consumer, reader = going[0]
            if isinstance(consumer, ChunkConsumer):
                work -= WORK_PER_CHUNK
                if not self._deliver_chunk(consumer, reader):
                    break
                continue
            ahead = reader.ahead
            if not ahead:
                work -= 1
                looked = reader.looked
                reader.read_ahead(min(max(consumer.spare_credit, 1), AHEAD_MAX))
                work -= reader.looked - looked
                if not ahead:
                    going.popleft()
                    if reader.is_behind:
                        going.append((consumer, reader))
                        break
                    self._at_end.append((consumer, reader))
                    continue
            count = len(ahead)
            message = ahead.popleft()
            assert isinstance(message, Message)
            if observed:
                more = observing.deliver(self, consumer, message, False)
            else:
                more = consumer.deliver(message, False)
            size_bytes = message.body_size
            if more and ahead and not observed:
                size_bytes += consumer.deliver_alike(ahead)
            count -= len(ahead)
            work -= 1 + (count >> ALIKE_SHIFT)
            self._count(consumer, count, size_bytes)
            if not (more and ahead):
                self._delivered(consumer, reader, more=more)
        if work < WORK_PER_DRAIN - 1:
            self.vhost.broker.deliveries_left -= WORK_PER_DRAIN - work
        if going:
            self.vhost.broker.drain_later(self)

    def _deliver_chunk(self, consumer: ChunkConsumer, reader: Reader) -> bool:
        """Send its next chunk, if there is one; False where many were left out."""
        chunk = reader.next_chunk()
        if chunk is not None:
            self._count(consumer, chunk.head.records, chunk.head.data_size)
            self._delivered(consumer, reader, more=consumer.deliver_chunk(chunk))
            return True
        self._going.popleft()
        if reader.is_behind:
            self._going.append((consumer, reader))
            return False
        self._at_end.append((consumer, reader))
        return True

    def _delivered(self, consumer: Consumer, reader: Reader, *, more: bool) -> None:
        """The next one's turn; who takes no more for now is parked."""
        going = self._going
        if more:
            going.rotate(-1)
        elif going and going[0][0] is consumer:
            going.popleft()
            consumer.parked = True
            self._parked[consumer] = reader

    def _count(self, consumer: Consumer, count: int, size_bytes: int) -> None:
        self.counts.delivered_bytes += size_bytes
        if consumer.no_ack:
            self.counts.deliver_no_ack += count
            consumer.counts.deliver_no_ack += count
        else:
            self.unacked_count += count
            self.counts.deliver += count
            consumer.counts.deliver += count

    def get(
        self, answer: Answer[Polled], *, no_ack: bool, client: Client | None = None, channel_number: int = 0
    ) -> None:
        raise NotImplementedByBroker(f"basic.get not supported by stream queues {self.description}; consume from it")

    def purge(self, answer: Answer[int]) -> None:
        raise NotImplementedByBroker(
            f"queue.purge not supported by stream queues {self.description}; x-max-age and x-max-length-bytes bound it"
        )

    def browse(self, start: int, count: int) -> Iterator[Message]:
        reader = Reader(self, Wanted(At(self.log.first_offset + start)), self.vhost.broker.now_ms)
        for _ in range(count):
            message = reader.next()
            if message is None and not reader.is_behind:
                return
            if message is not None:
                yield message

    # Settling: credit, and nothing else

    def acknowledge(self, message: Message) -> None:
        self.unacked_count -= 1

    def acknowledge_all(self, messages: list[Message]) -> None:
        self.unacked_count -= len(messages)

    def discard(self, message: Message) -> None:
        self.unacked_count -= 1
        self.counts.rejected += 1

    def requeue(self, messages: Iterable[Message], *, failed: bool = True) -> None:
        count = sum(1 for _ in messages)
        self.unacked_count -= count
        self.counts.rejected += count

    # Starting, stopping

    def restore(self, stored: Stored) -> None:
        """What is in the message log under its number isn't a stream's: an older version may have left it there."""
        _log.error("%s: %d messages of the message log aren't the stream's", self.description, len(stored.positions))

    def persistent_on_disk(self) -> Weight:
        return Weight(self.ready_count, self.log.size)

    def close(self, answer: Answer[int] = ignore) -> None:
        count = self.ready_count
        if self._retention_due is not None:
            self._retention_due.cancel()
        self._going.clear()
        self._at_end.clear()
        self._parked.clear()
        self.when_gone.tell(self.vhost.broker.chores)
        self.vhost.broker.streams.delete(self.log)
        answer(count)

    def damaged(self, sentence: str) -> None:
        """Something of it can't be read."""
        _log.error("%s: %s", self.description, sentence)

    def left_out(self, count: int, compression: int) -> None:
        """A reader isn't given so many messages, as they are in a batch that clients of streams alone can unpack."""
        tell_left_out(self, count, compression)


def _number(value: object) -> int | None:
    return value if isinstance(value, int) else None


register(StreamQueue)
