"""A row of ready messages, of which only the head has to be in memory.

`entries` is a deque in the order of `Message.sequence`.  Its elements are messages or, for the part that left memory,
*tickets*: one int that packs the sequence, the body size and the log position of a stored message.  `load` reads the
records behind a run of tickets in one go, ahead of the consumers; `page_out` does the reverse at the tail, for messages
that are safely on disk.  `merge` puts returned messages back in their places.

Of many tickets only each thousandth is in the deque: those that follow it are *packed* behind it (packed_tickets.py),
12 or 20 bytes each, and unpacked when it is taken.  So a deep backlog is small, and no garbage collection walks through
it.

The deque itself is public and stays the same object, since the queue's hot path works on it directly; whoever takes
an int from its head calls `load` with it, or takes it by `pop_first`, and who looks at its tail calls `last`.  How many
there are is `count`.

What consumers have passed over is in front of the deque (passed.py): only queues whose consumers don't take whatever
comes next have any, and these ask `head`, `first` and `pop_first` instead of the deque.

Longer than 400 lines because all of it keeps the same few counts.
"""

from __future__ import annotations

import logging
from array import array
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import TYPE_CHECKING, Final

from warren.core.errors import StoreUnavailable
from warren.core.messages.message import UNSTORED, Message
from warren.core.queues.packed_tickets import (
    PACKED_TICKETS,
    PACKED_TICKETS_MIN,
    Pack,
    each_taken,
    each_unpacked,
    make_ticket,
    pack,
    ticket_position,
    ticket_sequence,
    ticket_size,
    unpack,
)

if TYPE_CHECKING:
    from warren.core.queues.passed import PassedOver
    from warren.core.storage.engine import StorageEngine

_log = logging.getLogger("warren.queue")


@dataclass(frozen=True, slots=True)
class Paging:
    """How much of a backlog stays in memory, and how much is read back at once.

    head_messages: messages at the head that stay in memory whatever the budget says: the next page for the consumers.
    head_bytes: bodies beyond this don't belong to that head, however few messages they are.
    page_messages: messages read back at once, enough to make one read cheap per message.
    page_bytes: bodies read back at once; a single larger body is read alone.
    """

    head_messages: int = 1024
    head_bytes: int = 4 * 1024 * 1024
    page_messages: int = 512
    page_bytes: int = 1024 * 1024


USUAL_PAGING: Final = Paging()

MESSAGE_OVERHEAD_BYTES: Final = 400
"""What a resident message costs beside its body: measured object, int and deque sizes in CPython 3.11."""

Entry = Message | int


def sequence_of(entry: Entry) -> int:
    """The sequence of a message or ticket."""
    return ticket_sequence(entry) if isinstance(entry, int) else entry.sequence


def position_of(entry: Entry) -> int:
    """The log position of a message or ticket, UNSTORED if it has none."""
    return ticket_position(entry) if isinstance(entry, int) else entry.position


def size_of(entry: Entry) -> int:
    """The body size of a message or ticket, in bytes."""
    return ticket_size(entry) if isinstance(entry, int) else entry.body_size


class Backlog:
    """See the head of this file.

    description: the queue, for the log.  store_id: its number in `store`, 0 when it isn't stored.
    lost: told the sequence and the body size of a message whose record turned out damaged.
    stores_transient: as the queue's.
    paged_count, paged_bytes: how much of it is tickets.  packed_count: so many are packed or passed over, and aren't in
    `entries`.  passed: what is passed over; None where nobody passes over anything.
    """

    __slots__ = (
        "_description",
        "_lost",
        "_mark",
        "_packs",
        "_paging",
        "_store",
        "_store_id",
        "_stores_transient",
        "entries",
        "packed_count",
        "paged_bytes",
        "paged_count",
        "passed",
    )

    def __init__(
        self,
        description: str,
        store: StorageEngine,
        store_id: int,
        lost: Callable[[int, int], None],
        *,
        stores_transient: bool = False,
        paging: Paging = USUAL_PAGING,
    ) -> None:
        self._description = description
        self._lost = lost
        self._store = store
        self._store_id = store_id
        self._stores_transient = stores_transient
        self._paging = paging
        self.entries: deque[Entry] = deque()
        self.paged_count = 0
        self.paged_bytes = 0
        self.packed_count = 0
        self._packs: dict[int, Pack] = {}
        self._mark = 0
        self.passed: PassedOver | None = None

    @property
    def count(self) -> int:
        """Messages in memory or not."""
        return len(self.entries) + self.packed_count

    @property
    def resident_count(self) -> int:
        """Messages in memory."""
        return len(self.entries) + self.packed_count - self.paged_count

    def head(self) -> Message | None:
        """The first message, in memory from now on; None when there is none."""
        if self.passed is not None and self.passed.count:
            found = self.passed.head()
            if found is not None:
                return found
        return self.unpassed_head()

    def unpassed_head(self) -> Message | None:
        """The first message of the deque, in memory from now on; None when there is none."""
        entries = self.entries
        while entries:
            entry = entries[0]
            if not isinstance(entry, int):
                return entry
            entries.popleft()
            self.load(entry)
        return None

    def add_ticket(self, ticket: int) -> None:
        """Append a message that is on disk alone."""
        self.entries.append(ticket)
        self.paged_count += 1
        self.paged_bytes += size_of(ticket)

    def add_stored(self, positions: Sequence[int], sizes: Sequence[int], body_bytes: int) -> None:
        """The same of many that come back from the log, with positions that serve as sequences."""
        for at in range(0, len(positions), PACKED_TICKETS + 1):
            stop = at + PACKED_TICKETS + 1
            ticket = make_ticket(positions[at], sizes[at], positions[at])
            self._put_pack(ticket, (array("Q", positions[at + 1 : stop]), array("I", sizes[at + 1 : stop]), None))
        self.paged_count += len(positions)
        self.paged_bytes += body_bytes

    def _put_pack(self, ticket: int, packed: Pack) -> None:
        """Append a ticket with those that follow it."""
        self.entries.append(ticket)
        if packed[0]:
            self._packs[ticket] = packed
            self.packed_count += len(packed[0])

    def _take_pack(self, ticket: int) -> list[int]:
        """The tickets that are packed behind this one, which are in `entries` from now on."""
        packed = self._packs.pop(ticket, None)
        if packed is None:
            return []
        self.packed_count -= len(packed[0])
        return unpack(packed)

    def first(self) -> Entry | None:
        """The first entry, in memory or not; None when there is none."""
        if self.passed is not None and self.passed.count:
            return self.passed.first()
        return self.entries[0] if self.entries else None

    def pop_first(self) -> Entry:
        """Take the first entry, of which there must be one."""
        if self.passed is not None and self.passed.count:
            return self.passed.take_first()
        return self.pop_unpassed()

    def pop_unpassed(self) -> Entry:
        """Take the first entry of the deque, of which there must be one."""
        entry = self.entries.popleft()
        if self._packs and isinstance(entry, int):
            self.entries.extendleft(reversed(self._take_pack(entry)))
        return entry

    def last(self) -> Entry:
        """The last entry, of which there must be one."""
        if not self.entries and self.passed is not None:
            return deque(self.passed.all(), maxlen=1)[0]
        entry = self.entries[-1]
        if self._packs and isinstance(entry, int):
            self.entries.extend(self._take_pack(entry))
        return self.entries[-1]

    def all(self, start: int = 0) -> Iterator[Entry]:
        """All entries from index `start` on; nothing may happen to the backlog meanwhile."""
        if self.passed is not None and self.passed.count:
            passed = self.passed.all()
            return islice(chain(passed, each_unpacked(self.entries, self._packs, 0)), start, None)
        if not self._packs:
            return islice(self.entries, start, None)
        return each_unpacked(self.entries, self._packs, start)

    def load(self, first: int) -> None:
        """Put the messages behind the run of tickets that starts with `first` (already taken) back at the head.

        Messages whose records are damaged are lost: logged, settled, and their size reported.  Raises StoreUnavailable,
        leaving everything as it was, when nothing can be read now.
        """
        entries = self.entries
        if self._packs:
            entries.extendleft(reversed(self._take_pack(first)))
        tickets = [first]
        total = size_of(first)
        while entries and len(tickets) < self._paging.page_messages:
            head = entries[0]
            if not isinstance(head, int):
                break
            total += size_of(head)
            if total > self._paging.page_bytes:
                break
            tickets.append(head)
            self.pop_unpassed()
        try:
            messages = self.read_tickets(tickets)
        except StoreUnavailable:
            entries.extendleft(reversed(tickets))
            raise
        self.paged_count -= len(tickets)
        for ticket, message in zip(reversed(tickets), reversed(messages), strict=True):
            self.paged_bytes -= size_of(ticket)
            if message is None:
                self.lose(ticket)
            else:
                entries.appendleft(message)

    @property
    def page_bytes(self) -> int:
        """Bodies that are read at once, but for a single larger one."""
        return self._paging.page_bytes

    def read_tickets(self, tickets: Sequence[int]) -> Sequence[Message | None]:
        """What these tickets stand for; None for one whose record is damaged.  Raises StoreUnavailable."""
        messages = self._store.read([position_of(ticket) for ticket in tickets])
        for ticket, message in zip(tickets, messages, strict=True):
            if message is not None:
                message.sequence = sequence_of(ticket)
        return messages

    def lose(self, ticket: int) -> None:
        """The record of a message that has been taken out is damaged: it is logged, settled, and its size reported."""
        self._lost(sequence_of(ticket), size_of(ticket))
        self._store.settle_positions(self._store_id, [position_of(ticket)])
        _log.error("%s lost a message: its record in the message log is damaged", self._description)

    def page_out(self) -> None:
        """Replace written messages behind the resident head by tickets, from the tail towards the first ticket.

        Does nothing until half a head more are resident than the last time left, or an eighth more, as messages that
        can't leave (transient ones) would be looked at over and over.  A transient message may have a record because of
        another queue that stores such; that one's settlement would take the record away, so here it stays in memory.
        """
        if self.passed is not None:
            self.passed.page_out(self._paging.head_messages)
        entries = self.entries
        resident_count = self.resident_count
        if resident_count <= self._mark:
            self._mark = resident_count
            return
        head_count = self._head_count()
        if resident_count < self._mark + max(head_count // 2, self._mark // 8):
            return
        tail: list[Entry] = []
        while len(entries) > head_count:
            entry = entries.pop()
            if isinstance(entry, int):
                entries.append(entry)
                break
            tail.append(entry)
        self.make_tickets(tail)
        tail.reverse()
        self._extend(tail)
        self._mark = self.resident_count

    def make_tickets(self, entries: list[Entry]) -> None:
        """Replace messages that are safely on disk by tickets."""
        for at, entry in enumerate(entries):
            if isinstance(entry, int) or entry.position == UNSTORED:
                continue
            is_stored = self._stores_transient or entry.properties.persistent
            if is_stored and self._store.is_written(entry):
                entries[at] = make_ticket(entry.sequence, entry.body_size, entry.position)
                self.paged_count += 1
                self.paged_bytes += entry.body_size

    def _extend(self, entries: list[Entry]) -> None:
        """Append all of them, with rows of tickets packed."""
        row: list[int] = []
        for entry in entries:
            if isinstance(entry, int):
                row.append(entry)
                if len(row) <= PACKED_TICKETS:
                    continue
            self._extend_row(row)
            if not isinstance(entry, int):
                self.entries.append(entry)
            row = []
        self._extend_row(row)

    def _extend_row(self, row: list[int]) -> None:
        if len(row) > PACKED_TICKETS_MIN:
            self._put_pack(row[0], pack(row[1:]))
        else:
            self.entries.extend(row)

    def _head_count(self) -> int:
        """How many entries make up the head that stays resident."""
        size = 0
        for index, entry in enumerate(islice(self.entries, self._paging.head_messages)):
            if not isinstance(entry, int):
                size += entry.body_size
                if size > self._paging.head_bytes:
                    return index + 1
        return self._paging.head_messages

    def merge(self, returning: list[Message], older_max: int | None = None) -> bool:
        """Put returned messages in their places: before the first entry that was published later.

        False, and nothing is done but that `returning` is in order now, where more than `older_max` messages are before
        the last place, or returning.
        """
        returning.sort(key=sequence_of)
        if older_max is not None and len(returning) > older_max:
            return False
        entries = self.entries
        last = returning[-1].sequence
        older: list[Entry] = []
        while entries and sequence_of(entries[0]) < last:
            if len(older) == older_max:
                entries.extendleft(reversed(older))
                return False
            older.append(self.pop_unpassed())
        merged: list[Entry] = [*returning, *older]
        if older:
            merged.sort(key=sequence_of)
        entries.extendleft(reversed(merged))
        return True

    def merge_within(self, messages: list[Message]) -> None:
        """As `merge`, of ascending messages that belong anywhere: moves what is between them and the nearer end."""
        entries = self.entries
        first, last = messages[0].sequence, messages[-1].sequence
        for older, newer in zip(entries, reversed(entries), strict=True):
            if sequence_of(newer) <= first:
                break
            if sequence_of(older) >= last:
                self.merge(messages)
                return
        self._merge_behind(messages)

    def _merge_behind(self, messages: list[Message]) -> None:
        """As `merge`, from the tail on."""
        entries = self.entries
        first = messages[0].sequence
        newer: list[Entry] = []
        while entries and sequence_of(self.last()) > first:
            newer.append(entries.pop())
        merged: list[Entry] = [*messages, *newer]
        if newer:
            merged.sort(key=sequence_of)
        entries.extend(merged)

    def clear(self) -> Iterator[Entry]:
        """Take everything out; it leaves memory as the iterator goes on.  `entries` is another deque then."""
        passed = None if self.passed is None else self.passed.clear()
        taken, self.entries = self.entries, deque()
        packs, self._packs = self._packs, {}
        self.paged_count = self.paged_bytes = self.packed_count = self._mark = 0
        unpassed = each_taken(taken, packs)
        return unpassed if passed is None else chain(passed, unpassed)

    def browse(self, start: int, count: int) -> Iterator[Message]:
        """Up to `count` messages from index `start` on, read a page at a time without changing anything.

        Nothing may happen to the backlog while the iterator is in use.
        """
        page: list[Entry] = []
        size = 0
        for entry in islice(self.all(start), count):
            if page and (len(page) >= self._paging.page_messages or size + size_of(entry) > self._paging.page_bytes):
                yield from self._read_page(page)
                page = []
                size = 0
            page.append(entry)
            size += size_of(entry)
        yield from self._read_page(page)

    def _read_page(self, page: list[Entry]) -> Iterator[Message]:
        """The messages of a page; those whose records are damaged are left out."""
        tickets = [entry for entry in page if isinstance(entry, int)]
        read: Sequence[Message | None] = []
        if tickets:
            read = self._store.read([position_of(ticket) for ticket in tickets])
        messages = iter(read)
        for entry in page:
            message = next(messages) if isinstance(entry, int) else entry
            if message is None:
                continue
            if isinstance(entry, int):
                message.sequence = sequence_of(entry)
            yield message
