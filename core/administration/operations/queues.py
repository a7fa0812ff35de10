"""Operations on queues."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple

from warren.core.administration.definitions_json.field_values import table_from_json
from warren.core.administration.operations import vhosts
from warren.core.administration.operations.far_messages import FarMessages
from warren.core.administration.steps import Steps
from warren.core.declaring import queues
from warren.core.declaring.actor import Administrator
from warren.core.errors import BrokerError
from warren.core.messages.field_table import encode_table
from warren.core.queues.answer import Answer, ignore
from warren.core.queues.browse import EVERYTHING, Browsed, MessageFilter, browse

if TYPE_CHECKING:
    from warren.core.access.accounts import User
    from warren.core.broker import Broker
    from warren.core.messages.message import Message
    from warren.core.queues.base import Queue
    from warren.core.storage.definitions.store import JSON

BROWSED_AT_ONCE: Final = 500
"""Messages looked at in one slice: on disk they take some ten microseconds each."""

BROWSED_BYTES_AT_ONCE: Final = 4 * 1024 * 1024
"""Of bodies, which are read from disk: a few milliseconds."""

PAGE_BYTES_MAX: Final = 16 * 1024 * 1024
"""Bodies on a page; a single larger one is a page."""

OUTSTANDING_LOOKED_AT: Final = 10_000
"""Deliveries of one channel, and of a slice: a millisecond or two."""

NO_ARGUMENTS: Final[Mapping[str, JSON]] = {}


class Page(NamedTuple):
    """Ready messages as they were found.  following: the position to go on from.  ready_count, unacked_count: of the
    queue, when the page was complete."""

    messages: list[Browsed]
    following: int
    ready_count: int
    unacked_count: int


class Outstanding(NamedTuple):
    """A message that was delivered and isn't settled.  consumer_tag, connection: who has it; both are empty for one
    that was polled for."""

    message: Message
    delivery_tag: int
    consumer_tag: str
    connection: str


def existing(broker: Broker, vhost: str, name: str) -> Queue:
    """The queue of this name; NotFound when there is none, or no such virtual host."""
    return vhosts.existing(broker, vhost).queue(name)


def declare(
    broker: Broker,
    vhost: str,
    name: str,
    *,
    durable: bool = True,
    auto_delete: bool = False,
    arguments: Mapping[str, JSON] = NO_ARGUMENTS,
    user: User | str | None = None,
) -> tuple[Queue, bool]:
    """Make a queue, or agree with the one that is there; the queue, and True when it was made.

    arguments: as JSON has them.  user: whose permissions count, None for the broker's owner.  Raises NotFound for an
    unknown virtual host, and what `core.declaring.queues.declare_queue` raises.
    """
    found = vhosts.existing(broker, vhost)
    before = len(found.queues)
    table = table_from_json(arguments)
    queue = queues.declare_queue(
        Administrator(found, user),
        name,
        durable=durable,
        auto_delete=auto_delete,
        arguments=table,
        arguments_raw=encode_table(table),
    )
    return queue, len(found.queues) > before or broker.has_just_made("queue", vhost, name)


def delete(
    broker: Broker,
    vhost: str,
    name: str,
    answer: Answer[int] = ignore,
    *,
    if_unused: bool = False,
    if_empty: bool = False,
    user: User | str | None = None,
) -> None:
    """Delete a queue; the answer is the number of ready messages that went with it, which may come later.

    user: as in `declare`.  Raises NotFound, PreconditionFailed when a condition doesn't hold, AccessRefused,
    ResourceLocked, NotImplementedByBroker for conditions that its type doesn't know.
    """
    queue = existing(broker, vhost, name)
    queues.delete_queue(Administrator(queue.vhost, user), name, answer, if_unused=if_unused, if_empty=if_empty)


def purge(
    broker: Broker, vhost: str, name: str, answer: Answer[int] = ignore, *, user: User | str | None = None
) -> None:
    """Drop the ready messages; the answer is the number dropped, which may come later.

    user: as in `declare`.  Raises NotFound, AccessRefused.
    """
    queue = existing(broker, vhost, name)
    queues.purge_queue(Administrator(queue.vhost, user), name, answer)


def messages(
    broker: Broker, vhost: str, name: str, *, start: int = 0, count: int, wanted: MessageFilter = EVERYTHING
) -> Steps[list[Browsed]]:
    """Look at up to `count` ready messages from position `start` on that `wanted` matches; they stay where they are.

    A filter may have to look at the whole queue, in slices; positions are those of the moment at which each message
    was found.  Raises NotFound, ValueError for negative numbers.
    """
    if start < 0 or count < 0:
        raise ValueError("positions and counts are not negative")
    return Steps(_messages(existing(broker, vhost, name), start, count, wanted))


def page(
    broker: Broker, vhost: str, name: str, *, start: int, count: int, user: User | str | None = None
) -> Steps[Page]:
    """Look at up to `count` ready messages from position `start` on; they stay where they are.

    A page ends early once its bodies have `PAGE_BYTES_MAX`; it says where to go on.  user: who has to have the
    permission to read the queue, None for the broker's owner.  Raises NotFound, AccessRefused, ResourceLocked for
    another connection's exclusive queue, ValueError for negative numbers.
    """
    if start < 0 or count < 0:
        raise ValueError("positions and counts are not negative")
    return Steps(_page(_readable(broker, vhost, name, user), start, count))


def page_elsewhere(
    broker: Broker,
    vhost: str,
    name: str,
    answer: Answer[Page],
    *,
    start: int,
    count: int,
    wanted: MessageFilter = EVERYTHING,
    user: User | str | None = None,
) -> None:
    """The same for a queue that another node of the cluster has (`Queue.is_remote`), which is asked; with a filter.

    Raises as `page` does; what keeps the other node from answering is the answer.
    """
    if start < 0 or count < 0:
        raise ValueError("positions and counts are not negative")
    queue = _readable(broker, vhost, name, user)

    def seen(looked: FarMessages | BrokerError) -> None:
        if isinstance(looked, BrokerError):
            answer(looked)
        else:
            ready = queue.ready_count
            answer(Page(looked.found, looked.position, ready, queue.kept_count - ready))

    FarMessages(queue, start, count, wanted, PAGE_BYTES_MAX, seen).begin()


def unacknowledged(
    broker: Broker, vhost: str, name: str, *, count: int, user: User | str | None = None
) -> Steps[list[Outstanding]]:
    """Up to `count` messages of a queue that were delivered and aren't settled, in the order of publishing.

    Of a channel that has more than `OUTSTANDING_LOOKED_AT` deliveries outstanding only so many, the oldest, are looked
    at.  user: as in `page`.  Raises NotFound, AccessRefused, ResourceLocked.
    """
    return Steps(_unacknowledged(broker, _readable(broker, vhost, name, user), count))


def _readable(broker: Broker, vhost: str, name: str, user: User | str | None) -> Queue:
    queue = existing(broker, vhost, name)
    actor = Administrator(queue.vhost, user)
    actor.check("queue", name, "read")
    actor.check_owner(queue)
    return queue


def _messages(queue: Queue, position: int, count: int, wanted: MessageFilter) -> Generator[None, None, list[Browsed]]:
    found: list[Browsed] = []
    while len(found) < count and position < queue.ready_count:
        more, following = browse(queue, position, count - len(found), wanted, scanned_max=_scanned_at_once(queue))
        found += more
        if following == position:
            break
        position = following
        yield
    return found


def _scanned_at_once(queue: Queue) -> int:
    """Fewer of large messages, which are read from disk with their bodies."""
    mean_bytes = queue.ready_bytes // max(queue.ready_count, 1)
    return max(1, min(BROWSED_AT_ONCE, BROWSED_BYTES_AT_ONCE // max(mean_bytes, 1)))


def _page(queue: Queue, position: int, count: int) -> Generator[None, None, Page]:
    found: list[Browsed] = []
    size = 0
    while len(found) < count and position < queue.ready_count and size < PAGE_BYTES_MAX:
        wanted = min(count - len(found), _scanned_at_once(queue))
        more, following = browse(queue, position, wanted, scanned_max=wanted)
        for number, each in enumerate(more):
            size += each.message.body_size
            found.append(each)
            if size >= PAGE_BYTES_MAX:
                following = position + number + 1
                break
        if following == position:
            break
        position = following
        yield
    return Page(found, position, queue.ready_count, queue.unacked_count)


def _unacknowledged(broker: Broker, queue: Queue, count: int) -> Generator[None, None, list[Outstanding]]:
    found: list[Outstanding] = []
    looked_at = 0
    for session in list(broker.sessions):
        for holder in list(session.ack_holders()):
            window = islice(holder.unacked.items(), OUTSTANDING_LOOKED_AT)
            for tag, (from_queue, message, consumer) in window:
                looked_at += 1
                if from_queue is queue:
                    client = None if consumer is None else consumer.client
                    found.append(
                        Outstanding(message, tag, consumer.tag if consumer else "", client.name if client else "")
                    )
            found.sort(key=_sequence_of)
            del found[count:]
            looked_at += 10
            if looked_at >= OUTSTANDING_LOOKED_AT:
                looked_at = 0
                yield
    return found


def _sequence_of(each: Outstanding) -> int:
    return each.message.sequence
