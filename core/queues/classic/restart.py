"""A queue and a restart of the broker: what it gets back, and what a clean stop remembers of it.

After a restart messages come back as tickets in queue order (see backlog.py).  Those up to `redelivered_until` may have
been delivered before.  What a crash made too many failed deliveries of leaves the queue once all queues are there.
"""

from __future__ import annotations

import logging
from bisect import bisect_left
from functools import partial
from itertools import compress
from typing import TYPE_CHECKING, Final

from warren.core.errors import StoreUnavailable
from warren.core.messages.message import Message
from warren.core.queues.backlog import (
    Backlog,
    Entry,
    position_of,
    sequence_of,
    size_of,
)
from warren.core.queues.classic import ruling
from warren.core.queues.deaths import DELIVERY_LIMIT
from warren.core.queues.packed_tickets import make_ticket

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from warren.core.queues.base import Stored
    from warren.core.queues.classic.queue import ClassicQueue

_log = logging.getLogger("warren.queue")

READ_AGAIN_MS: Final = 1000
"""After the store could not be read, when to try again."""


def restore(queue: ClassicQueue, stored: Stored) -> None:
    """Fill a queue that has just been made with what it had stored."""
    queue.returned.redelivered_until = stored.redelivered_until
    failures = stored.failures
    queue.returned.failures.update(failures)
    queue.remembers = queue.remembers or bool(failures)
    positions, sizes = stored.positions, stored.sizes
    body_bytes = stored.body_bytes or sum(sizes)
    spent = _spent(positions, sizes, failures, queue.rules.delivery_limit)
    if spent:
        gone = set(map(position_of, spent))
        is_left = [position not in gone for position in positions]
        positions, sizes = list(compress(positions, is_left)), list(compress(sizes, is_left))
        body_bytes -= sum(map(size_of, spent))
    queue.backlogs[0].add_stored(positions, sizes, body_bytes)
    queue.ready_bytes += body_bytes
    queue.counts.restore(queue.backlogs[0].count, queue.ready_bytes)
    if spent:
        queue.vhost.broker.at_end_of_batch(partial(_bury_spent, queue, spent))
    if len(queue.backlogs) > 1:
        _sort_into_levels(queue)
    # Their records know whether they expire; until they have been looked at, they may.
    queue.expiry.expecting = True
    if queue.present is not None:
        queue.present.restore(queue)
    ruling.mark_last(queue)
    queue.govern()
    queue.mark_dirty()


def _spent(positions: Sequence[int], sizes: Sequence[int], failures: Mapping[int, int], limit: int | None) -> list[int]:
    """The tickets of those that have failed too often."""
    if limit is None or limit < 0:
        return []
    found = []
    for position, count in failures.items():
        if count > limit:
            index = bisect_left(positions, position)
            if index < len(positions) and positions[index] == position:
                found.append(make_ticket(position, sizes[index], position))
    found.sort()
    return found


def note_ready(queue: ClassicQueue) -> None:
    """Tell the store what is with consumers, in case the broker crashes now.

    With priorities that is what comes before the first ready message of any priority; there may be more.  Nothing is
    known where that message is not stored.
    """
    heads = [head for backlog in queue.backlogs if (head := backlog.first()) is not None]
    first = min(heads, key=sequence_of) if heads else None
    entry = position_of(first) if isinstance(first, int) else first
    if isinstance(entry, Message) and not (queue.stores_transient or entry.properties.persistent):
        entry = 0
    if entry != queue.noted_ready if first is not None else queue.unacked_count:
        queue.noted_ready = entry
        queue.store.note_ready_from(queue.store_id, entry)


def noted(queue: ClassicQueue, dropped: int) -> int:
    """How many were dropped, now that the store knows what is with consumers."""
    if queue.store_id and queue.rules.delivery_limit is not None:
        note_ready(queue)
    return dropped


def delivered_position(queue: ClassicQueue) -> int:
    """The log position of the last ready message that was delivered before, 0 for none."""
    queue.merge_returning()
    returns = queue.returned
    if not returns.counts and not returns.redelivered_until:
        return 0
    last = 0
    for backlog in queue.backlogs:
        for entry in backlog.all():
            sequence = sequence_of(entry)
            if sequence <= returns.redelivered_until or sequence in returns.counts:
                last = max(last, _position_here(queue, entry))
    return last


def _position_here(queue: ClassicQueue, entry: Entry) -> int:
    """The log position of what this queue stores, 0 for what it doesn't, even if another queue does."""
    stored = isinstance(entry, int) or queue.stores_transient or entry.properties.persistent
    return position_of(entry) if stored else 0


def _bury_spent(queue: ClassicQueue, tickets: list[int]) -> None:
    """Messages that were with consumers when the broker crashed, which was once too often."""
    buried = queue.new_backlog()
    for ticket in tickets:
        buried.add_ticket(ticket)
        queue.ready_bytes += size_of(ticket)
    try:
        while not queue.closed and (message := buried.head()) is not None:
            queue.ready_bytes -= size_of(buried.entries.popleft())
            queue.bury(message, DELIVERY_LIMIT)
    except StoreUnavailable as error:
        _log.error("%s waits for its messages: %s", queue.description, error.text)
    left = [entry for entry in buried.all() if isinstance(entry, int)]
    queue.ready_bytes -= sum(map(size_of, left))
    if queue.closed:
        queue.store.settle_positions(queue.store_id, [position_of(ticket) for ticket in left])
    elif left:
        at_ms = queue.vhost.broker.now_ms + READ_AGAIN_MS
        queue.vhost.broker.deadlines.schedule(at_ms, lambda now_ms: _bury_spent(queue, left))


def _sort_into_levels(queue: ClassicQueue) -> None:
    """Priorities are in the records: read them all once, and keep in memory but the heads."""
    everything: Backlog = queue.new_backlog()
    for entry in queue.backlogs[0].clear():
        if isinstance(entry, int):
            everything.add_ticket(entry)
    queue.find_entries()
    paging = queue.vhost.broker.paging
    resident_bytes = [0] * len(queue.backlogs)
    while (message := everything.head()) is not None:
        everything.entries.popleft()
        level = queue.level_of(message)
        backlog = queue.backlogs[level]
        if len(backlog.entries) < paging.head_messages and resident_bytes[level] < paging.head_bytes:
            backlog.entries.append(message)
            resident_bytes[level] += message.body_size
        else:
            backlog.add_ticket(make_ticket(message.sequence, message.body_size, message.position))
    queue.vhost.broker.crowded_queues.add(queue)
