"""The contract of a storage engine: where messages of durable queues live.

An *entry* is one stored message in one durable queue; it is named by (queue id, message).  Queue ids are positive
integers that are never used twice.  A message routed to several durable queues is one record with several entries.

The life of an entry: `append` (in memory, ordered) -> a flush carries it to disk and gives the message its position ->
`settle` (acknowledged, dropped, purged) -> a later flush records that.  Positions grow in the order of appending, so
the entries of a queue sorted by position are in queue order.  An entry that is settled before any flush picked it up
need never be written.

Flushing is split in three so that core stays free of threads: `begin_flush` takes everything pending and encodes it
(on the broker's thread; `LongFlush.encode_some` goes on where that is much), `Flush.write` does the waiting (write and
fdatasync; on any thread, touching no engine state), `finish_flush` books the result (on the broker's thread again).  At
most one flush is under way at a time; what is appended meanwhile rides the next one.  Only after `finish_flush` may the
messages of a flush be confirmed.

Groups make several appends and settles atomic: everything between `begin_group` and `end_group` is recovered
together or not at all (AMQP tx.commit).  Groups don't nest and never span a call to `begin_flush`.  A group that is
too long for one turn is collected by itself (`long_group`), whatever is flushed meanwhile, and is part of the log once
`add_group` says so.

Within one flush all appends go before all settles, so that a torn write can double a message that moved between queues
(dead-lettering) but not lose it; groups are exempt, being atomic.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol, TypeAlias

from warren.core.messages.message import Message
from warren.core.storage.files import StreamPlaces

Owner: TypeAlias = tuple[str, str, str]
"""Whose a number is: kind ("queue", "exchange", what a component calls it), virtual host, name."""


class Flush(Protocol):
    """Everything one flush writes, detached from the engine."""

    def write(self) -> None:
        """Write and sync; may take long; raises OSError when the disk fails (then nothing may be confirmed)."""


class LongFlush(Flush, Protocol):
    """A flush that may be too much to be encoded in one turn.

    size_bytes: how much is written, once all is encoded.
    """

    size_bytes: int

    def encode_some(self) -> bool:
        """On the broker's thread, before `write`: encode a slice of it; False when nothing is left to encode.

        `write` does what is left by itself.
        """


class LongGroup:
    """A group that is collected over several turns; made by `long_group`, and nobody else's business."""

    __slots__ = ()


class StorageEngine:
    """Keeps the entries of durable queues; see the head of this file for the life of an entry."""

    streams: StreamPlaces
    """Where streams keep their messages."""

    durable: bool
    """True when a flushed entry survives the process; False lets the broker confirm at once."""

    @abstractmethod
    def append(self, message: Message, queue_ids: tuple[int, ...]) -> None:
        """Take `message` for these queues (at least one); sets message.references. Constant time, no I/O."""

    def append_all(self, messages: list[Message], queue_ids: tuple[int, ...]) -> None:
        """Take many messages for the same queues. No I/O."""
        for message in messages:
            self.append(message, queue_ids)

    @abstractmethod
    def settle(self, queue_id: int, message: Message) -> None:
        """The entry of `message` in this queue is done with. Constant time, no I/O."""

    @abstractmethod
    def settle_positions(self, queue_id: int, positions: Sequence[int]) -> None:
        """The same for entries known only by the position of their record (paged out)."""

    @abstractmethod
    def count_failures(self, queue_id: int, message: Message, failures: int) -> None:
        """An entry came back to its queue, and its deliveries have failed so often by now. Constant time, no I/O.

        For queues with a delivery limit, as the next two.
        """

    @abstractmethod
    def note_ready_from(self, queue_id: int, entry: Message | int | None) -> None:
        """All entries before this one (a message, or the position of one; None: all there are) that aren't settled are
        with consumers; if the process ends now, their deliveries have failed. Constant time, no I/O."""

    @abstractmethod
    def failures(self, queue_id: int) -> Mapping[int, int]:
        """After `recover`: failed deliveries of the queue's unsettled entries by position, where there were any."""

    @abstractmethod
    def forget_queue(self, queue_id: int) -> None:
        """The queue is deleted, and all its entries are settled."""

    @abstractmethod
    def note_owner(self, queue_id: int, owner: Owner) -> None:
        """Remember whose a number is, for a start whose definitions have lost that."""

    @abstractmethod
    def owner(self, queue_id: int) -> Owner | None:
        """At the start: whose a number is; None when that was never noted, or is lost."""

    @abstractmethod
    def keep_owners(self, owners: Mapping[int, Owner]) -> None:
        """After `recover`: all numbers that are in use; others may be forgotten."""

    @abstractmethod
    def begin_group(self) -> None:
        """Start an atomic group of appends and settles."""

    @abstractmethod
    def end_group(self) -> None:
        """End it."""

    @abstractmethod
    def long_group(self) -> LongGroup:
        """Begin a group that takes several turns.  One that is never added has no effect."""

    @abstractmethod
    def collecting(self, group: LongGroup) -> AbstractContextManager[None]:
        """What is appended and settled within this context is the group's; no flush may begin within it."""

    @abstractmethod
    def add_group(self, *groups: LongGroup) -> None:
        """It is complete: it happens now, as a whole; several of them together as one."""

    @property
    @abstractmethod
    def pending(self) -> bool:
        """True when there is anything to flush."""

    @abstractmethod
    def begin_flush(self) -> LongFlush | None:
        """Hand over everything pending (None: nothing to write); messages have a position once it is encoded."""

    @abstractmethod
    def finish_flush(self, flush: Flush) -> None:
        """Book a flush whose `write` returned: entries are durable, dead segments may go."""

    @abstractmethod
    def is_written(self, message: Message) -> bool:
        """True once the message's record is on disk by a finished flush, so that its content may leave memory."""

    @abstractmethod
    def read(self, positions: Sequence[int]) -> list[Message | None]:
        """Messages at these positions, in this order, read synchronously in as few reads as possible.

        Their `sequence` is 0 (the caller sets it) and `references` 0.  A record that turns out damaged gives None and
        is reported as by `damage`.  Raises StoreUnavailable when they can't be read now; they are not lost by that.
        """

    @abstractmethod
    def begin_maintenance(self) -> Flush | None:
        """Compaction of a mostly dead segment as a job of the same shape as a flush; None when there is none to do.

        The job runs in a worker thread beside everything else, flushes included.
        """

    @abstractmethod
    def finish_maintenance(self, job: Flush) -> None:
        """Book a maintenance job whose `write` returned."""

    @abstractmethod
    def recover(self) -> Iterator[tuple[int, Sequence[int], Sequence[int]]]:
        """Once, first of all: (queue id, positions, body sizes) of the unsettled entries of every queue, in order."""

    @abstractmethod
    def damage(self) -> list[str]:
        """Descriptions of what was found damaged and quarantined, oldest first (for the log and alarms)."""

    @abstractmethod
    def statistics(self) -> dict[str, int]:
        """segments, bytes_on_disk, entries, pending_bytes and the like."""

    @abstractmethod
    def close(self) -> None:
        """Release files. Everything pending must have been flushed."""
