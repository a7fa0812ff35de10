"""A queue that a message would come to: what it would do with it, and where its dead letters go."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING, Final

from warren.core.administration.explaining.explanation import DeadLetters, QueueReached
from warren.core.errors import NotFound
from warren.core.exchanges.reasons import shown
from warren.core.messages.checks import extra_routing_keys, hidden_keys
from warren.core.queues.deaths import REJECTED

if TYPE_CHECKING:
    from warren.core.messages.message import Message
    from warren.core.queues.base import Queue
    from warren.core.queues.outlook import DeadLetterWay

SHOWN_MAX: Final = 5
"""Names in a sentence, and consumers of a queue."""

DEAD_LETTER_QUEUES_SHOWN_MAX: Final = 10


def reached_queue(queue: Queue, message: Message, *, is_delayed: bool) -> QueueReached:
    """What a queue would do with a message.  is_delayed: it would come when it is due."""
    outlook = queue.outlook(message)
    way = outlook.dead_letters
    return QueueReached(
        queue.name,
        queue.policy_type or queue.type_name,
        outlook.admission.value,
        queue.whose,
        queue.ready_count,
        [_consumer(each.tag, each.client.name) for each in islice(queue.consumers, SHOWN_MAX)],
        len(queue.consumers),
        is_delayed,
        outlook.notes,
        None if way is None else _dead_letters(queue, way, message),
    )


def _dead_letters(queue: Queue, way: DeadLetterWay, message: Message) -> DeadLetters:
    """As core.queues.dead_letter leads them, by today's bindings."""
    properties = message.properties
    overridden = way.routing_key is not None
    key = way.routing_key if way.routing_key is not None else message.address.routing_key
    extra = [] if overridden else [*extra_routing_keys(properties), *hidden_keys(properties)]
    reasons = list(way.reasons)
    start = f"What dies there ({', '.join(reasons)}) goes to exchange '{way.exchange or 'amq.default'}'"
    try:
        route = queue.vhost.route_with_visits(way.exchange, key, extra, properties, [])
    except NotFound:
        text = f"{start}, which doesn't exist: it is lost."
        return DeadLetters(way.exchange, [key, *extra], reasons, False, [], 0, text)
    start = f"{start} with the routing key '{shown(key)}'"
    names = [each.name for each in route.queues]
    if route.holders:
        text = f"{start}, which holds it until it is due."
    elif not names:
        text = f"{start}, which leads nowhere: it is lost."
    else:
        text = f"{start}, and on to {named(names)}."
        if queue in route.queues:
            text += f" It comes back to '{queue.name}' only if a consumer has rejected it ({REJECTED})."
    shown_names = names[:DEAD_LETTER_QUEUES_SHOWN_MAX]
    return DeadLetters(way.exchange, [key, *extra], reasons, True, shown_names, len(names), text)


def named(names: Sequence[str], count: int = 0) -> str:
    """Queues within a sentence.  count: how many there are, where not all are named."""
    count = max(count, len(names))
    if not names:
        return "no queue"
    listed = ", ".join(f"'{name}'" for name in names[:SHOWN_MAX])
    more = count - min(len(names), SHOWN_MAX)
    return f"{'queue' if count == 1 else 'the queues'} {listed}{f' and {more} more' if more > 0 else ''}"


def _consumer(tag: str, connection: str) -> str:
    return f"{tag} on {connection}" if tag else connection
