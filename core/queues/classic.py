"""The classic queue: one ordered row of ready messages on one node.

Theory of operation
-------------------
`_ready` is a deque in the order of `Message.sequence`.  Its elements are messages or, for the part that left memory,
*tickets*: one int that packs the sequence, the body size and the log position of a stored message (44 bytes each
instead of a message with its body).  The head of the queue is always resident when it is wanted: `_load_page` reads
the records behind a run of tickets in one go, ahead of the consumers.  `page_out` does the reverse at the tail, for
messages that are safely on disk.

Messages that come back (`requeue`) are collected in `_returning` and merged into their places by sequence when
somebody next looks at the head, so that a thousand single nacks cost one merge.  `_returned` counts the returns per
sequence; a message found there is delivered with the redelivered flag.

Consumers take turns: `_available` holds those that can take a message now, in the order of their turns; the one
served goes to the back, one without credit leaves until it is resumed.

Longer than the usual file because drain, paging and returning share the deque's invariant.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING

from core.binding import EMPTY_TABLE_RAW
from core.errors import AccessRefused
from core.message import UNSTORED, Message
from core.queues.base import Queue

if TYPE_CHECKING:
    from collections.abc import Mapping

    from core.client import Client
    from core.consumer import Consumer
    from core.field_table import FieldValue
    from core.vhost import VirtualHost

_log = logging.getLogger("warren.queue")

_POSITION_BITS = 64
_SIZE_BITS = 32
_POSITION_MASK = (1 << _POSITION_BITS) - 1
_SIZE_MASK = (1 << _SIZE_BITS) - 1
_SEQUENCE_SHIFT = _POSITION_BITS + _SIZE_BITS

PAGE_MESSAGES_MAX = 512
"""Messages read back at once: enough to make one read cheap per message."""

PAGE_BYTES_MAX = 1024 * 1024
"""Bodies read back at once; a single larger body is read alone."""

RESIDENT_HEAD_MESSAGES = 1024
"""Messages at the head that stay in memory whatever the budget says: the next page for its consumers."""

MESSAGE_OVERHEAD_BYTES = 400
"""What a resident message costs beside its body: measured object, int and deque sizes in CPython 3.11."""


def make_ticket(sequence: int, body_size: int, position: int) -> int:
    """Pack what a queue must know of a message that is not in memory."""
    return sequence << _SEQUENCE_SHIFT | body_size << _POSITION_BITS | position


class ClassicQueue(Queue):
    """RabbitMQ's classic queue; see the head of this file."""

    __slots__ = (
        "_available",
        "_closed",
        "_paged_bytes",
        "_paged_count",
        "_ready",
        "_redelivered_until",
        "_returned",
        "_returning",
        "_unacked_count",
        "exclusive_consumer",
        "paging_mark",
        "ready_bytes",
    )

    type_name = "classic"

    equivalent_arguments = (
        "x-expires",
        "x-message-ttl",
        "x-dead-letter-exchange",
        "x-dead-letter-routing-key",
        "x-max-length",
        "x-max-length-bytes",
        "x-max-priority",
        "x-overflow",
        "x-single-active-consumer",
    )

    def __init__(
        self,
        vhost: VirtualHost,
        name: str,
        *,
        durable: bool = False,
        auto_delete: bool = False,
        owner: Client | None = None,
        arguments: Mapping[str, FieldValue] | None = None,
        arguments_raw: bytes = EMPTY_TABLE_RAW,
        store_id: int = 0,
    ) -> None:
        super().__init__(
            vhost,
            name,
            durable=durable,
            auto_delete=auto_delete,
            owner=owner,
            arguments=arguments,
            arguments_raw=arguments_raw,
            store_id=store_id,
        )
        self._ready: deque[Message | int] = deque()
        self.ready_bytes = 0
        self._paged_count = 0
        self._paged_bytes = 0
        self._returning: list[Message] = []
        self._returned: dict[int, int] = {}
        self._redelivered_until = 0
        self._unacked_count = 0
        self._closed = False
        self._available: deque[Consumer] = deque()
        self.exclusive_consumer: Consumer | None = None
        self.paging_mark = 0

    # Counting

    @property
    def ready_count(self) -> int:
        return len(self._ready) + len(self._returning)

    @property
    def unacked_count(self) -> int:
        return self._unacked_count

    @property
    def paged_count(self) -> int:
        """Ready messages whose content is on disk alone."""
        return self._paged_count

    @property
    def resident_bytes(self) -> int:
        """Estimated memory of the ready messages that are resident, in bytes."""
        resident_count = len(self._ready) - self._paged_count
        return self.ready_bytes - self._paged_bytes + resident_count * MESSAGE_OVERHEAD_BYTES

    # In and out

    def append(self, message: Message) -> None:
        self._ready.append(message)
        self.ready_bytes += message.body_size
        if not self.dirty:
            self.dirty = True
            self.vhost.broker.dirty_queues.append(self)

    def drain(self) -> None:
        if self._returning:
            self._merge_returning()
        ready = self._ready
        available = self._available
        returned = self._returned
        redelivered_until = self._redelivered_until
        store_id = self.store_id
        delivered_bytes = 0
        unacked = 0
        while ready and available:
            message = ready.popleft()
            if isinstance(message, int):
                self.ready_bytes -= delivered_bytes
                delivered_bytes = 0
                self._load_page(message)
                continue
            delivered_bytes += message.body_size
            consumer = available[0]
            sequence = message.sequence
            redelivered = sequence <= redelivered_until or (bool(returned) and sequence in returned)
            more = consumer.deliver(message, redelivered)
            if not consumer.no_ack:
                unacked += 1
            elif store_id or returned:
                self._settle(message)
            if not more:
                available.popleft()
                consumer.parked = True
            elif len(available) > 1:
                available.rotate(-1)
        self.ready_bytes -= delivered_bytes
        self._unacked_count += unacked
        if store_id and len(ready) - self._paged_count > RESIDENT_HEAD_MESSAGES:
            self.vhost.broker.crowded_queues.add(self)

    def get(self, *, no_ack: bool) -> tuple[Message, bool] | None:
        message = self._take_head()
        if message is None:
            return None
        redelivered = message.sequence <= self._redelivered_until or message.sequence in self._returned
        if no_ack:
            self._settle(message)
        else:
            self._unacked_count += 1
        return message, redelivered

    def acknowledge(self, message: Message) -> None:
        self._unacked_count -= 1
        if self.store_id or self._returned:
            self._settle(message)

    def discard(self, message: Message) -> None:
        self._unacked_count -= 1
        self._settle(message)

    def requeue(self, messages: Iterable[Message]) -> None:
        returned = self._returned
        count = 0
        for message in messages:
            count += 1
            returned[message.sequence] = returned.get(message.sequence, 0) + 1
            self._returning.append(message)
            self.ready_bytes += message.body_size
        self._unacked_count -= count
        if self._closed:
            self.purge()
        else:
            self.mark_dirty()

    def purge(self) -> int:
        if self._returning:
            self._merge_returning()
        count = len(self._ready)
        self._settle_ready()
        self._ready.clear()
        self._paged_count = self._paged_bytes = self.ready_bytes = 0
        self.paging_mark = 0
        return count

    def close(self) -> None:
        self.purge()
        self._closed = True

    def mark_dirty(self) -> None:
        """Have the queue drained at the end of this batch."""
        if not self.dirty:
            self.dirty = True
            self.vhost.broker.dirty_queues.append(self)

    # Consumers

    def add_consumer(self, consumer: Consumer) -> None:
        """Register a consumer.

        Raises AccessRefused when it asks for exclusivity that can't be had, or another one has it (A.5).
        """
        if self.exclusive_consumer is not None or (consumer.exclusive and self.consumers):
            raise AccessRefused(
                f"{self.description} in exclusive use: another consumer is on it; "
                "cancel that one first, or consume without the exclusive flag"
            )
        if consumer.exclusive:
            self.exclusive_consumer = consumer
        self.consumers.append(consumer)
        self.had_consumer = True
        if consumer.can_take():
            self._available.append(consumer)
            self.mark_dirty()
        else:
            consumer.parked = True
            consumer.resume()

    def remove_consumer(self, consumer: Consumer) -> None:
        consumer.active = False
        if consumer in self.consumers:
            self.consumers.remove(consumer)
        if consumer in self._available:
            self._available.remove(consumer)
        if self.exclusive_consumer is consumer:
            self.exclusive_consumer = None

    def resume(self, consumer: Consumer) -> None:
        if consumer.parked and consumer.active:
            consumer.parked = False
            self._available.append(consumer)
            self.mark_dirty()

    # Recovery and paging

    def restore(self, tickets: Iterable[int], *, redelivered_until: int) -> None:
        """Fill the queue after a restart with tickets in queue order.

        Messages up to the sequence `redelivered_until` may have been delivered before the restart.
        """
        self._redelivered_until = redelivered_until
        for ticket in tickets:
            self._ready.append(ticket)
            self._paged_count += 1
            size = (ticket >> _POSITION_BITS) & _SIZE_MASK
            self._paged_bytes += size
            self.ready_bytes += size

    def delivered_position(self) -> int:
        if self._returning:
            self._merge_returning()
        if not self._returned and not self._redelivered_until:
            return 0
        last = 0
        for entry in self._ready:
            sequence = _sequence_of(entry)
            if sequence <= self._redelivered_until or sequence in self._returned:
                last = entry & _POSITION_MASK if isinstance(entry, int) else entry.position
        return last

    def page_out(self) -> None:
        """Replace written messages behind the resident head by tickets, from the tail towards the first ticket."""
        ready = self._ready
        if len(ready) < self.paging_mark + RESIDENT_HEAD_MESSAGES // 2:
            self.paging_mark = min(self.paging_mark, len(ready))
            return
        store = self.vhost.broker.store
        tail: list[Message | int] = []
        floor = RESIDENT_HEAD_MESSAGES
        while len(ready) > floor:
            message = ready.pop()
            if isinstance(message, int):
                ready.append(message)
                break
            if message.position != UNSTORED and store.is_written(message):
                tail.append(make_ticket(message.sequence, message.body_size, message.position))
                self._paged_count += 1
                self._paged_bytes += message.body_size
            else:
                tail.append(message)
        tail.reverse()
        ready.extend(tail)
        self.paging_mark = len(ready)

    def _load_page(self, first: int) -> None:
        """Put the messages behind the run of tickets that starts with `first` (already taken) back at the head."""
        ready = self._ready
        tickets = [first]
        total = (first >> _POSITION_BITS) & _SIZE_MASK
        while ready and len(tickets) < PAGE_MESSAGES_MAX:
            head = ready[0]
            if not isinstance(head, int):
                break
            total += (head >> _POSITION_BITS) & _SIZE_MASK
            if total > PAGE_BYTES_MAX:
                break
            tickets.append(head)
            ready.popleft()
        messages = self.vhost.broker.store.read([ticket & _POSITION_MASK for ticket in tickets])
        self._paged_count -= len(tickets)
        for ticket, message in zip(reversed(tickets), reversed(messages), strict=True):
            size = (ticket >> _POSITION_BITS) & _SIZE_MASK
            self._paged_bytes -= size
            if message is None:
                self.ready_bytes -= size
                self.vhost.broker.store.settle_positions(self.store_id, [ticket & _POSITION_MASK])
                _log.error("%s lost a message: its record in the message log is damaged", self.description)
                continue
            message.sequence = ticket >> _SEQUENCE_SHIFT
            ready.appendleft(message)

    def _take_head(self) -> Message | None:
        if self._returning:
            self._merge_returning()
        ready = self._ready
        while ready:
            message = ready.popleft()
            if isinstance(message, int):
                self._load_page(message)
                continue
            self.ready_bytes -= message.body_size
            return message
        return None

    def _merge_returning(self) -> None:
        """Move the returned messages to their places: before the first ready message that was published later."""
        returning = self._returning
        returning.sort(key=_sequence_of)
        ready = self._ready
        last = returning[-1].sequence
        older: list[Message | int] = []
        while ready and _sequence_of(ready[0]) < last:
            older.append(ready.popleft())
        merged: list[Message | int] = [*returning, *older]
        if older:
            merged.sort(key=_sequence_of)
        ready.extendleft(reversed(merged))
        self._returning = []

    # Settling

    def _settle(self, message: Message) -> None:
        if self._returned:
            self._returned.pop(message.sequence, None)
        if self.store_id and message.properties.persistent:
            self.vhost.broker.store.settle(self.store_id, message)

    def _settle_ready(self) -> None:
        positions: list[int] = []
        for message in self._ready:
            if isinstance(message, int):
                positions.append(message & _POSITION_MASK)
                if self._returned:
                    self._returned.pop(message >> _SEQUENCE_SHIFT, None)
            else:
                self._settle(message)
        if positions:
            self.vhost.broker.store.settle_positions(self.store_id, positions)


def _sequence_of(entry: Message | int) -> int:
    return entry >> _SEQUENCE_SHIFT if isinstance(entry, int) else entry.sequence
