"""Messages that consumers have passed over: they stay at the head of their backlog, in order, while others go.

A queue whose consumers don't take whatever comes next (core/queues/classic/picking.py) moves what nobody takes now from
the deque of a backlog to here, one by one, so that it can be found, taken and put back at any place:

    backlog    = what was passed over, in order  +  the deque, of which all is newer
    passed     = pages of up to some hundred entries, found by their sequences

An entry is a message or a ticket, as in the backlog, whose counts include what is here.  A page of nothing but tickets
is packed (packed_tickets.py), so that a million of messages that nobody wants are as small as a million that wait.

Consumers go through it by the sequence of what they looked at last.  What comes back behind that place is told by
`returned`: the sequences, in the order of their coming back.  It is a row that everybody reads on from where he was;
what is too old in it is forgotten, and who hadn't read that begins anew.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from warren.core.messages.message import Message
from warren.core.queues.packed_tickets import (
    PACKED_TICKETS_MIN,
    Pack,
    pack,
    ticket_sequence,
    ticket_size,
    unpack,
)

if TYPE_CHECKING:
    from warren.core.queues.backlog import Backlog, Entry

PAGE_ENTRIES: Final = 512
"""Of one page; one into which more is put back is cut in two at twice as many."""

READ_AT_ONCE: Final = 64
"""Records that are read together for who goes through the entries."""

RETURNED_MIN: Final = 1024
"""So many sequences of what came back are remembered at least."""


def _sequence(entry: Entry) -> int:
    return ticket_sequence(entry) if isinstance(entry, int) else entry.sequence


class Page:
    """Entries in order, or packed where all are tickets."""

    __slots__ = ("entries", "packed")

    def __init__(self, entries: list[Entry]) -> None:
        self.entries = entries
        self.packed: Pack | None = None

    def open(self) -> list[Entry]:
        """Its entries, unpacked from now on."""
        if self.packed is not None:
            self.entries = list(unpack(self.packed))
            self.packed = None
        return self.entries

    def look(self) -> list[Entry]:
        """Its entries, to look at."""
        return self.entries if self.packed is None else list(unpack(self.packed))


class PassedOver:
    """Of one backlog; see the head of this file.

    count: entries that are here.  last: the highest sequence that has ever been.  returned: sequences of what came
    back, of which `forgotten` more were there before.
    """

    __slots__ = ("_backlog", "_begins", "_mark", "_pages", "_read", "count", "forgotten", "last", "returned")

    def __init__(self, backlog: Backlog) -> None:
        self._backlog = backlog
        self._pages: list[Page] = []
        # Of each page a sequence that none in it is below, and all in those before it are.
        self._begins: list[int] = []
        self._read: dict[int, Message] = {}
        self._mark = 0
        self.count = 0
        self.last = 0
        self.returned: list[int] = []
        self.forgotten = 0

    def append(self, entry: Entry) -> None:
        """One that is newer than all that are here has been taken out of the deque."""
        sequence = _sequence(entry)
        pages = self._pages
        if pages and pages[-1].packed is None and len(pages[-1].entries) < PAGE_ENTRIES:
            pages[-1].entries.append(entry)
        else:
            pages.append(Page([entry]))
            self._begins.append(sequence)
        self.last = sequence
        self._added(1)

    def put_back(self, message: Message) -> None:
        """A message that was out is back in its place, also in front of what is in the deque."""
        backlog, sequence = self._backlog, message.sequence
        entries = backlog.entries
        while entries and _sequence(entries[0]) < sequence:
            self.append(backlog.pop_unpassed())
        if sequence > self.last:
            self.append(message)
        else:
            self._insert(message)
        self.returned.append(sequence)
        if len(self.returned) > max(2 * self.count, RETURNED_MIN):
            half = len(self.returned) // 2
            del self.returned[:half]
            self.forgotten += half

    def _insert(self, message: Message) -> None:
        sequence = message.sequence
        if not self._pages:
            self._pages.append(Page([]))
            self._begins.append(sequence)
        at = max(bisect_right(self._begins, sequence) - 1, 0)
        entries = self._pages[at].open()
        entries.insert(bisect_left(entries, sequence, key=_sequence), message)
        self._begins[at] = min(self._begins[at], sequence)
        if len(entries) > 2 * PAGE_ENTRIES:
            newer = entries[PAGE_ENTRIES:]
            del entries[PAGE_ENTRIES:]
            self._pages.insert(at + 1, Page(newer))
            self._begins.insert(at + 1, _sequence(newer[0]))
        self._added(1)

    def _added(self, count: int) -> None:
        self.count += count
        self._backlog.packed_count += count

    def first(self) -> Entry:
        """The first entry, of which there must be one."""
        return self._pages[0].open()[0]

    def head(self) -> Message | None:
        """The first message, in memory from now on; None when there is none."""
        while self.count:
            entries = self._pages[0].open()
            if not isinstance(entries[0], int):
                return entries[0]
            tickets = self._tickets(entries, 0)
            read = self._backlog.read_tickets(tickets)
            for at, (ticket, message) in enumerate(zip(tickets, read, strict=True)):
                if message is not None:
                    entries[at] = message
                    self._backlog.paged_count -= 1
                    self._backlog.paged_bytes -= ticket_size(ticket)
            for ticket, message in zip(tickets, read, strict=True):
                if message is None:
                    self._lose(ticket)
        return None

    def take_first(self) -> Entry:
        """Take the first entry, of which there must be one."""
        return self._take(0, 0)

    def take(self, sequence: int) -> Message | None:
        """Take the message of this sequence; None where it isn't here, or can't be read."""
        found = self.message_of(sequence)
        if found is not None:
            self._remove(sequence)
        return found

    def message_of(self, sequence: int) -> Message | None:
        """The message of this sequence; None where it isn't here (any more), or can't be read."""
        at, index = self._place(sequence)
        if index < 0:
            return None
        entry = self._pages[at].entries[index]
        return entry if isinstance(entry, Message) else self._of_ticket(entry, [entry])

    def holds(self, sequence: int) -> bool:
        """Whether the message of this sequence is here."""
        return self._place(sequence)[1] >= 0

    def following(self, sequence: int) -> list[Message]:
        """Some messages behind this sequence, in order; none where none is here."""
        at = max(bisect_right(self._begins, sequence) - 1, 0)
        while at < len(self._pages):
            entries = self._pages[at].look()
            index = bisect_right(entries, sequence, key=_sequence)
            if index < len(entries):
                found = [self._message(entry, entries, index + n) for n, entry in enumerate(self._few(entries, index))]
                some = [message for message in found if message is not None]
                if some:
                    return some
                # All of them were damaged, and are gone; the pages may have moved.
                return self.following(sequence)
            at += 1
        return []

    def all(self) -> Iterator[Entry]:
        """All entries in order; nothing may happen to them meanwhile."""
        for page in self._pages:
            yield from page.look()

    def in_memory(self) -> Iterator[Message]:
        """Those that are messages."""
        for page in self._pages:
            for entry in page.entries:
                if not isinstance(entry, int):
                    yield entry

    def clear(self) -> Iterator[Entry]:
        """Take everything out; the counts of the backlog are its own."""
        pages = self._pages
        self._pages, self._begins, self._read = [], [], {}
        self.count = self._mark = 0
        pages.reverse()
        return _each_of(pages)

    def page_out(self, head_count: int) -> None:
        """Replace written messages by tickets, but for those among the first so many; as Backlog.page_out."""
        resident_count = sum(len(page.entries) for page in self._pages if page.packed is None)
        if resident_count < self._mark + max(head_count // 2, self._mark // 8):
            self._mark = min(self._mark, resident_count)
            return
        self._mark = left = 0
        for page in self._pages:
            if page.packed is not None:
                continue
            entries = page.entries
            if head_count > 0:
                head_count -= len(entries)
            else:
                self._backlog.make_tickets(entries)
                tickets = [entry for entry in entries if isinstance(entry, int)]
                if len(tickets) == len(entries) >= PACKED_TICKETS_MIN:
                    page.packed = pack(tickets)
                    page.entries = []
                    continue
            left += len(entries)
        self._mark = left

    def _place(self, sequence: int) -> tuple[int, int]:
        """The number of the page, and the index in it; -1 where it isn't here."""
        at = bisect_right(self._begins, sequence) - 1
        if at < 0:
            return 0, -1
        entries = self._pages[at].open()
        index = bisect_left(entries, sequence, key=_sequence)
        return at, index if index < len(entries) and _sequence(entries[index]) == sequence else -1

    def _remove(self, sequence: int) -> None:
        at, index = self._place(sequence)
        if index >= 0:
            self._take(at, index)

    def _take(self, at: int, index: int) -> Entry:
        entries = self._pages[at].open()
        entry = entries.pop(index)
        if not entries:
            del self._pages[at]
            del self._begins[at]
        if isinstance(entry, int):
            self._backlog.paged_count -= 1
            self._backlog.paged_bytes -= ticket_size(entry)
        self._added(-1)
        return entry

    def _few(self, entries: list[Entry], index: int) -> list[Entry]:
        return entries[index : index + READ_AT_ONCE]

    def _message(self, entry: Entry, entries: list[Entry], index: int) -> Message | None:
        if isinstance(entry, Message):
            return entry
        found = self._read.get(ticket_sequence(entry))
        return found if found is not None else self._of_ticket(entry, self._tickets(entries, index))

    def _of_ticket(self, ticket: int, tickets: list[int]) -> Message | None:
        """What a ticket stands for; `tickets` are read with it, and are at hand until the next read."""
        found = self._read.get(ticket_sequence(ticket))
        if found is not None:
            return found
        read = self._backlog.read_tickets(tickets)
        self._read = {message.sequence: message for message in read if message is not None}
        for each, message in zip(tickets, read, strict=True):
            if message is None:
                self._lose(each)
        return self._read.get(ticket_sequence(ticket))

    def _tickets(self, entries: list[Entry], index: int) -> list[int]:
        """The tickets from this one on that are read at once."""
        tickets: list[int] = []
        size = 0
        for entry in self._few(entries, index):
            if not isinstance(entry, int):
                break
            size += ticket_size(entry)
            if tickets and size > self._backlog.page_bytes:
                break
            tickets.append(entry)
        return tickets

    def _lose(self, ticket: int) -> None:
        self._remove(ticket_sequence(ticket))
        self._backlog.lose(ticket)


def _each_of(pages: list[Page]) -> Iterator[Entry]:
    """All entries of the pages, the last first; they are let go of as they come."""
    while pages:
        yield from pages.pop().look()
