"""What is ready in a queue, looked at or dropped many at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain, islice
from typing import TYPE_CHECKING, Final

from warren.core.queues.backlog import Backlog, Entry, position_of, sequence_of

if TYPE_CHECKING:
    from warren.core.messages.message import Message
    from warren.core.queues.answer import Answer
    from warren.core.queues.classic.queue import ClassicQueue

SETTLED_AT_ONCE: Final = 2000
"""Messages of a purge that are settled in one turn: about a microsecond each, some more on disk."""


def browse(backlogs: Sequence[Backlog], start: int, count: int) -> Iterator[Message]:
    """Up to `count` messages from index `start` on, in the order of delivery, without changing anything."""
    for backlog in backlogs:
        length = backlog.count
        if start >= length:
            start -= length
            continue
        yield from backlog.browse(start, count)
        count -= min(count, length - start)
        start = 0
        if not count:
            return


def in_memory(queue: ClassicQueue, most: int) -> Iterator[Message] | None:
    """The ready messages that are no tickets; None where they are more than `most`, or between more entries than that.

    They are noted now, at once: most queues have few, and where there are very many tickets, what isn't one stands at
    the head and at the tail.
    """
    if queue.resident_count > most:
        return None
    found: list[Message] = list(queue.returned.waiting)
    for backlog in queue.backlogs:
        entries = backlog.entries
        if len(entries) <= most:
            found += [entry for entry in entries if not isinstance(entry, int)]
        else:
            head = _until_ticket(entries)
            tail = _until_ticket(reversed(entries)) if len(head) < len(entries) else []
            passed_count = 0 if backlog.passed is None else sum(1 for _ in backlog.passed.in_memory())
            if len(head) + len(tail) + passed_count < backlog.resident_count:
                return None
            found += head
            found += tail
        if backlog.passed is not None:
            found += backlog.passed.in_memory()
    return iter(found)


def _until_ticket(entries: Iterable[Entry]) -> list[Message]:
    found: list[Message] = []
    for entry in entries:
        if isinstance(entry, int):
            break
        found.append(entry)
    return found


def purge(queue: ClassicQueue) -> int:
    """Drop everything that is ready; how many that were.

    They are out of the queue when this returns.  That they are settled follows in later turns if they are many: a crash
    in between brings some back to a queue that is still there, but no stop in good order does.
    """
    count = queue.ready_count
    taken = chain(*[backlog.clear() for backlog in queue.backlogs], queue.returned.drop())
    queue.find_entries()
    queue.counts.remove(count, queue.ready_bytes)
    queue.ready_bytes = 0
    if queue.picking is not None:
        queue.picking.trimmed()
    if count <= SETTLED_AT_ONCE:
        _settle(queue, taken)
    else:
        queue.burials.leaving.append((taken, _nothing))
        if len(queue.burials.leaving) == 1:
            queue.vhost.broker.chores.add(partial(_settle_some, queue), to_the_end=True)
    return count


def _settle_some(queue: ClassicQueue) -> bool:
    """A slice of what purges have left; False when that was the last one."""
    taken, then = queue.burials.leaving[0]
    if not _settle(queue, islice(taken, SETTLED_AT_ONCE)):
        queue.burials.leaving.popleft()
        then()
    return bool(queue.burials.leaving)


def _settle(queue: ClassicQueue, entries: Iterator[Entry]) -> int:
    """They have left the queue; how many that were."""
    positions: list[int] = []
    count = 0
    for entry in entries:
        count += 1
        if isinstance(entry, int):
            positions.append(position_of(entry))
            queue.forget(sequence_of(entry))
        else:
            queue.settle(entry)
    if positions:
        queue.store.settle_positions(queue.store_id, positions)
    return count


def _nothing() -> None:
    return


def trim(queue: ClassicQueue, until: int, keeps: Callable[[Message], bool], fits: Callable[[], bool]) -> int:
    """Drop ready messages from the tail of a queue without priorities, the last first; how many were dropped.

    until: messages of this sequence and before it stay unseen.  keeps: says of one behind them that it stays; one on
    disk does.  fits: asked before each; nothing goes any more once it says True.
    """
    entries = queue.entries
    tail: list[Entry] = []
    dropped = 0
    while entries and sequence_of(entries[-1]) > until and not fits():
        entry = entries.pop()
        if isinstance(entry, int) or keeps(entry):
            tail.append(entry)
        else:
            dropped += 1
            _drop(queue, entry)
    tail.reverse()
    entries.extend(tail)
    return dropped


def trim_head(queue: ClassicQueue, count: int, keeps: Callable[[Message], bool]) -> int:
    """Drop what doesn't stay of the first `count` messages of a queue without priorities; how many were dropped."""
    entries, backlog = queue.entries, queue.backlogs[0]
    head: list[Entry] = []
    dropped = 0
    for _ in range(min(count, backlog.count)):
        entry = backlog.pop_first()
        if isinstance(entry, int) or keeps(entry):
            head.append(entry)
        else:
            dropped += 1
            _drop(queue, entry)
    entries.extendleft(reversed(head))
    return dropped


def _drop(queue: ClassicQueue, message: Message) -> None:
    """It has been taken out."""
    queue.ready_bytes -= message.body_size
    queue.counts.remove(1, message.body_size)
    queue.settle(message)


def purge_and_tell(queue: ClassicQueue, answer: Answer[int]) -> None:
    """Drop all ready messages, and answer how many there were."""
    count = queue.drop_ready()
    if queue.present is not None and queue.burials.leaving:
        # Until it is settled, what has left is dropped as a duplicate: as if it were published before the purge.
        queue.burials.leaving.append((iter(()), lambda: answer(count)))
    else:
        answer(count)


def close(queue: ClassicQueue, answer: Answer[int]) -> None:
    """The queue is deleted, with all that is ready in it; answers how many messages that were."""
    count = queue.drop_ready()
    broker = queue.vhost.broker
    queue.closed = True
    if queue.store_id:
        queue.store.forget_queue(queue.store_id)
    broker.crowded_queues.discard(queue)
    queue.expiry.stop()
    queue.disuse.stop()
    if queue.withheld is not None:
        queue.withheld.give_up(broker.chores.add)
    answer(count)
