"""Operations on queues."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Final

from warren.core.administration.definitions_json.field_values import table_from_json
from warren.core.administration.operations import vhosts
from warren.core.administration.steps import Steps
from warren.core.declaring import queues
from warren.core.declaring.actor import Administrator
from warren.core.messages.field_table import encode_table
from warren.core.queues.answer import Answer, ignore
from warren.core.queues.browse import EVERYTHING, Browsed, MessageFilter, browse

if TYPE_CHECKING:
    from warren.core.broker import Broker
    from warren.core.queues.base import Queue
    from warren.core.storage.definitions.store import JSON

BROWSED_AT_ONCE: Final = 500
"""Messages looked at in one slice: on disk they take some ten microseconds each."""

NO_ARGUMENTS: Final[Mapping[str, JSON]] = {}


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
    user: str | None = None,
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
    return queue, len(found.queues) > before


def delete(
    broker: Broker,
    vhost: str,
    name: str,
    answer: Answer[int] = ignore,
    *,
    if_unused: bool = False,
    if_empty: bool = False,
    user: str | None = None,
) -> None:
    """Delete a queue; the answer is the number of ready messages that went with it, which may come later.

    user: as in `declare`.  Raises NotFound, PreconditionFailed when a condition doesn't hold, AccessRefused,
    ResourceLocked, NotImplementedByBroker for conditions that its type doesn't know.
    """
    queue = existing(broker, vhost, name)
    queues.delete_queue(Administrator(queue.vhost, user), name, answer, if_unused=if_unused, if_empty=if_empty)


def purge(broker: Broker, vhost: str, name: str, answer: Answer[int] = ignore, *, user: str | None = None) -> None:
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


def _messages(queue: Queue, position: int, count: int, wanted: MessageFilter) -> Generator[None, None, list[Browsed]]:
    found: list[Browsed] = []
    while len(found) < count and position < queue.ready_count:
        more, following = browse(queue, position, count - len(found), wanted, scanned_max=BROWSED_AT_ONCE)
        found += more
        if following == position:
            break
        position = following
        yield
    return found
