"""The messages that an exchange holds until they are due.

A message is *resident* when its content is in memory: `_resident` holds it by its key (due time, order of publishing),
`_heap` tells the earliest key.  Messages that are stored (persistent, on a durable exchange, with an engine on disk)
leave memory as soon as the flush that wrote them is finished: what remains is a *ticket* of 48 bytes in `_tickets`.
Their keys stay in `_heap` until they come to the top or are more than half of it.

The record of a stored message carries the due time in the place of the time of its publish, which is why a restart
needs nothing else.  Reading a million of them takes seconds, so that is done in batches, too, while the broker already
works; nothing is delivered before all are read, for the order's sake.

One deadline is armed, for whatever is due first.  What is due is given away in batches, and the deadline armed again at
once while there is more, so that the broker does other work in between.  Targets have a message before the exchange's
own entry is settled, in the same flush or an earlier one: a crash can double a message, but not lose it.

An id is the due time and, behind a hyphen, the log position of a stored message, which stays the same over a restart,
or `m` and the order of publishing of one in memory; a stored message has the latter until it is written.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, Final

from warren.core.exchanges.delaying.tickets import (
    SortedTickets,
    key_due_at_ms,
    key_order,
    make_key,
    make_ticket,
    ticket_body_size,
    ticket_due_at_ms,
    ticket_key,
    ticket_position,
)

if TYPE_CHECKING:
    from warren.core.broker import Broker
    from warren.core.deadlines import Deadline
    from warren.core.messages.message import Message

_log = logging.getLogger("warren.delayed")

BATCH_MESSAGES_MAX: Final = 512
"""Delivered in one go when due: some ten milliseconds, after which other work has its turn."""

BATCH_BYTES_MAX: Final = 4 * 1024 * 1024
"""Bodies read back in one go; a single larger one is read alone."""

LOADED_AT_ONCE: Final = 1024
"""Records read in one go after a restart: some ten milliseconds, too."""

STALE_MIN: Final = 1024
"""Keys of messages gone from memory, below which sifting them out isn't worth its overhead."""


@dataclass(frozen=True, slots=True)
class DelayedMessage:
    """What is known of a pending message without reading it.

    position: of its record in the log, 0 while it is in memory.
    """

    id: str
    due_at_ms: int
    body_size: int
    position: int


class DelayedMessages:
    """What one exchange holds; see the head of this file.

    store_id: the exchange's number in the storage engine, 0 when it stores nothing.  give_away: gets each message when
    it is due, and must have delivered it to its targets when it returns.  description: the exchange, for the log.
    batch_messages_max, batch_bytes_max, loaded_at_once: as the constants of these names have it.
    """

    __slots__ = (
        "_deadline",
        "_description",
        "_give_away",
        "_heap",
        "_next_order",
        "_read_count",
        "_resident",
        "_store_id",
        "_tickets",
        "_unread_positions",
        "_unread_sizes",
        "_unwritten",
        "batch_bytes_max",
        "batch_messages_max",
        "broker",
        "loaded_at_once",
    )

    def __init__(self, broker: Broker, store_id: int, give_away: Callable[[Message], None], description: str) -> None:
        self.broker = broker
        self.batch_messages_max = BATCH_MESSAGES_MAX
        self.batch_bytes_max = BATCH_BYTES_MAX
        self.loaded_at_once = LOADED_AT_ONCE
        self._store_id = store_id
        self._give_away = give_away
        self._description = description
        self._deadline: Deadline | None = None
        self._next_order = 1
        self._resident: dict[int, Message] = {}
        self._heap: list[int] = []
        self._unwritten: deque[int] = deque()
        self._tickets = SortedTickets()
        self._unread_positions: Sequence[int] = ()
        self._unread_sizes: Sequence[int] = ()
        self._read_count = 0

    def __len__(self) -> int:
        """How many messages are pending."""
        return len(self._resident) + len(self._tickets) + len(self._unread_positions) - self._read_count

    def __bool__(self) -> bool:
        return len(self) > 0

    @property
    def resident_count(self) -> int:
        """How many of them are in memory with their content."""
        return len(self._resident)

    def hold(self, message: Message) -> None:
        """Take a message in that was made for this: its `published_at_ms` is the time when it is due."""
        self.store(message)
        self.hold_stored((message,))

    def store(self, message: Message) -> None:
        """Have the store keep a message that is to be held, if it is one to be kept."""
        if self._stores(message):
            self.broker.store.append(message, (self._store_id,))

    def hold_stored(self, messages: Sequence[Message]) -> None:
        """Take messages in that the store has, if it is to."""
        durable = self.broker.store.durable
        heap, resident, order = self._heap, self._resident, self._next_order
        for message in messages:
            key = make_key(message.published_at_ms, order)
            order += 1
            resident[key] = message
            heappush(heap, key)
            if durable and self._stores(message):
                self._unwritten.append(key)
                self.broker.awaiting_flush[self] = None
        self._next_order = order
        self._arm()

    # What `Broker.awaiting_flush` asks for

    def mark(self) -> int:
        """What a flush that begins now covers."""
        return self._next_order

    def flushed(self, mark: int) -> None:
        """What was stored before `mark` is on disk: keep tickets of it alone."""
        store = self.broker.store
        written: list[int] = []
        unwritten = self._unwritten
        while unwritten and key_order(unwritten[0]) < mark:
            key = unwritten.popleft()
            message = self._resident.get(key)
            if message is not None and store.is_written(message):
                del self._resident[key]
                written.append(make_ticket(key, message.position, message.body_size))
        self._tickets.add(written)
        if len(self._heap) > 2 * len(self._resident) + STALE_MIN:
            self._heap = list(self._resident)
            heapify(self._heap)

    # Restart

    def restore(self, positions: Sequence[int], body_sizes: Sequence[int]) -> None:
        """Take over what was stored before a restart: ascending log positions, and body sizes.  They are read later."""
        self._unread_positions = positions
        self._unread_sizes = body_sizes
        self._read_count = 0
        self._next_order += len(positions)
        self._arm()

    def finish_loading(self) -> None:
        """Read everything that a restart has left to be read."""
        while self._unread_positions:
            self._load_some()
        self._arm()

    def _load_some(self) -> None:
        start = self._read_count
        stop = self._stop_of_batch(start)
        positions = self._unread_positions[start:stop]
        sizes = self._unread_sizes[start:stop]
        tickets: list[int] = []
        order = start
        for message, position, size in zip(self.broker.store.read(positions), positions, sizes, strict=True):
            order += 1
            if message is None:
                self._lost(position)
            else:
                tickets.append(make_ticket(make_key(max(message.published_at_ms, 0), order), position, size))
        self._tickets.add(tickets)
        self._read_count = stop
        if stop == len(self._unread_positions):
            self._unread_positions = self._unread_sizes = ()
            self._read_count = 0

    def _stop_of_batch(self, start: int) -> int:
        """Where the batch of unread records from `start` on ends."""
        stop = start
        size = 0
        for body_size in self._unread_sizes[start : start + self.loaded_at_once]:
            size += body_size
            if size > self.batch_bytes_max and stop > start:
                break
            stop += 1
        return stop

    # Delivery

    def _arm(self) -> None:
        """Have `_run_due` called when the first message is due, unless it is called before that anyway."""
        at_ms = self.broker.now_ms if self._unread_positions else self._first_due_at_ms()
        deadline = self._deadline
        if at_ms is None or (deadline is not None and deadline.at_ms <= at_ms):
            return
        if deadline is not None:
            deadline.cancel()
        self._deadline = self.broker.deadlines.schedule(at_ms, self._run_due)

    def _first_due_at_ms(self) -> int | None:
        ticket = self._tickets.first
        key = self._first_resident()
        if ticket is None:
            return None if key is None else key_due_at_ms(key)
        due_at_ms = ticket_due_at_ms(ticket)
        return due_at_ms if key is None else min(due_at_ms, key_due_at_ms(key))

    def _first_resident(self) -> int | None:
        heap = self._heap
        while heap and heap[0] not in self._resident:
            heappop(heap)
        return heap[0] if heap else None

    def _run_due(self, now_ms: int) -> None:
        self._deadline = None
        try:
            if self._unread_positions:
                self._load_some()
            else:
                self._deliver_due(now_ms)
        finally:
            self._arm()

    def _deliver_due(self, now_ms: int) -> None:
        """Give away what is due first, and settle it."""
        keys, tickets = self._take_due(now_ms)
        store = self.broker.store
        read = store.read([ticket_position(ticket) for ticket in tickets]) if tickets else []
        due: list[tuple[int, int, Message | None]] = [
            (ticket_key(ticket), ticket_position(ticket), message)
            for ticket, message in zip(tickets, read, strict=True)
        ]
        due += [(key, 0, self._resident.pop(key)) for key in keys]
        due.sort(key=_key_of)
        settled: list[int] = []
        for _, position, message in due:
            if message is None:
                self._lost(position)
                continue
            try:
                self._give_away(message)
            except Exception:
                _log.exception("%s could not deliver a delayed message", self._description)
                continue
            if position:
                settled.append(position)
            elif self._stores(message):
                store.settle(self._store_id, message)
        if settled:
            store.settle_positions(self._store_id, settled)

    def _take_due(self, now_ms: int) -> tuple[list[int], list[int]]:
        """Keys of resident messages and tickets: what is due first, up to a batch of each."""
        below = make_key(now_ms + 1, 0)
        keys: list[int] = []
        while len(keys) < self.batch_messages_max:
            key = self._first_resident()
            if key is None or key >= below:
                break
            keys.append(heappop(self._heap))
        if len(keys) == self.batch_messages_max:
            below = keys[-1]
        tickets = self._tickets.take(make_ticket(below, 0, 0), self.batch_messages_max, self.batch_bytes_max)
        first_left = self._tickets.first
        if tickets and first_left is not None:
            while keys and keys[-1] > ticket_key(first_left):
                heappush(self._heap, keys.pop())
        return keys, tickets

    # Looking and cancelling

    def pending(self) -> Iterator[DelayedMessage]:
        """Every pending message, the first due first, without reading any; nothing may change meanwhile."""
        self.finish_loading()
        in_memory = deque(sorted(self._resident))
        for ticket in self._tickets:
            while in_memory and in_memory[0] < ticket_key(ticket):
                yield self._in_memory(in_memory.popleft())
            due_at_ms = ticket_due_at_ms(ticket)
            position = ticket_position(ticket)
            yield DelayedMessage(f"{due_at_ms}-{position}", due_at_ms, ticket_body_size(ticket), position)
        for key in in_memory:
            yield self._in_memory(key)

    def with_content(self, found: Iterable[DelayedMessage]) -> Iterator[tuple[DelayedMessage, Message | None]]:
        """The messages themselves, read one batch at a time; None for one that is gone or damaged."""
        batch: list[DelayedMessage] = []
        size = 0
        for each in found:
            if batch and (size + each.body_size > self.batch_bytes_max or len(batch) >= self.batch_messages_max):
                yield from self._read(batch)
                batch = []
                size = 0
            batch.append(each)
            size += each.body_size
        yield from self._read(batch)

    def cancel(self, message_id: str) -> bool:
        """Drop the message with this id; False when there is none (any more), or when this is no id."""
        self.finish_loading()
        due_text, _, place = message_id.partition("-")
        if not _is_number(due_text) or not _is_number(place.removeprefix("m")):
            return False
        if place.startswith("m"):
            message = self._resident.pop(make_key(int(due_text), int(place[1:])), None)
            if message is not None and self._stores(message):
                self.broker.store.settle(self._store_id, message)
            return message is not None
        position = int(place)
        if self._tickets.remove(int(due_text), position) is None:
            return False
        self.broker.store.settle_positions(self._store_id, [position])
        return True

    def close(self) -> None:
        """Drop everything: the exchange is deleted."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        store = self.broker.store
        for message in self._resident.values():
            if self._stores(message):
                store.settle(self._store_id, message)
        stored = [ticket_position(ticket) for ticket in self._tickets]
        stored += self._unread_positions[self._read_count :]
        if stored:
            store.settle_positions(self._store_id, stored)
        self._resident.clear()
        self._heap.clear()
        self._unwritten.clear()
        self._tickets.clear()
        self._unread_positions = self._unread_sizes = ()
        self._read_count = 0

    # Helpers

    def _stores(self, message: Message) -> bool:
        return self._store_id != 0 and message.properties.persistent

    def _lost(self, position: int) -> None:
        """A record is damaged: its entry must not come back at the next start."""
        self.broker.store.settle_positions(self._store_id, [position])
        _log.error("%s lost a delayed message: its record in the message log is damaged", self._description)

    def _in_memory(self, key: int) -> DelayedMessage:
        due_at_ms = key_due_at_ms(key)
        return DelayedMessage(f"{due_at_ms}-m{key_order(key)}", due_at_ms, self._resident[key].body_size, 0)

    def _read(self, batch: list[DelayedMessage]) -> Iterator[tuple[DelayedMessage, Message | None]]:
        read = iter(self.broker.store.read([each.position for each in batch if each.position]))
        for each in batch:
            if each.position:
                yield each, next(read)
            else:
                _, _, order_text = each.id.partition("-m")
                yield each, self._resident.get(make_key(each.due_at_ms, int(order_text)))


def _key_of(entry: tuple[int, int, Message | None]) -> int:
    return entry[0]


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 20
