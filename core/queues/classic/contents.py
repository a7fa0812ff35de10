"""What is ready in a queue, looked at or dropped many at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from warren.core.queues.backlog import Backlog, Entry, position_of, sequence_of

if TYPE_CHECKING:
    from warren.core.messages.message import Message
    from warren.core.queues.classic.queue import ClassicQueue


def browse(backlogs: Sequence[Backlog], start: int, count: int) -> Iterator[Message]:
    """Up to `count` messages from index `start` on, in the order of delivery, without changing anything."""
    for backlog in backlogs:
        length = len(backlog.entries)
        if start >= length:
            start -= length
            continue
        yield from backlog.browse(start, count)
        count -= min(count, length - start)
        start = 0
        if not count:
            return


def purge(queue: ClassicQueue) -> int:
    """Drop everything that is in the backlogs; how many that were."""
    positions: list[int] = []
    count = 0
    for backlog in queue.backlogs:
        for entry in backlog.clear():
            count += 1
            if isinstance(entry, int):
                positions.append(position_of(entry))
                queue.returned.forget(sequence_of(entry))
            else:
                queue.settle(entry)
    if positions:
        queue.vhost.broker.store.settle_positions(queue.store_id, positions)
    queue.counts.remove(count, queue.ready_bytes)
    queue.ready_bytes = 0
    return count


def trim(queue: ClassicQueue, kept: int, keeps: Callable[[Message], bool]) -> int:
    """Drop ready messages from the tail of a queue without priorities; how many were dropped.

    kept: so many at the head stay unseen.  keeps: says of one behind them that it stays; one on disk does.
    """
    entries = queue.entries
    tail: list[Entry] = []
    dropped = 0
    while len(entries) > kept:
        entry = entries.pop()
        if isinstance(entry, int) or keeps(entry):
            tail.append(entry)
        else:
            dropped += 1
            queue.ready_bytes -= entry.body_size
            queue.counts.remove(1, entry.body_size)
            queue.settle(entry)
    tail.reverse()
    entries.extend(tail)
    return dropped
