"""Operations on what x-delayed-message exchanges hold."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple

from warren.core.administration.operations import exchanges
from warren.core.administration.steps import Steps
from warren.core.errors import NotFound
from warren.core.exchanges.delaying.exchange import DelayedMessageExchange

if TYPE_CHECKING:
    from warren.core.broker import Broker
    from warren.core.exchanges.delaying.messages import DelayedMessage, DelayedMessages
    from warren.core.messages.message import Message

READ_AT_ONCE: Final = 100
"""Messages read from disk in one slice, with their bodies."""


class Pending(NamedTuple):
    """A message that is held.  due_at_ms: in milliseconds since 1970.  None: the message can't be read any more."""

    id: str
    due_at_ms: int
    routing_key: str | None
    message_id: str | None
    body_bytes: int


class Cancelled(NamedTuple):
    """message_count: messages that were dropped.  unknown: ids of messages that aren't pending (any more)."""

    message_count: int
    unknown: list[str]


def pending(broker: Broker, vhost: str, exchange: str, count: int) -> Steps[list[Pending]]:
    """Up to `count` messages that an exchange holds, those due first.

    Raises NotFound when there is no such exchange, or it is of a type that holds nothing.
    """
    return Steps(_pending(_held(broker, vhost, exchange), count))


def cancel(broker: Broker, vhost: str, exchange: str, ids: Iterable[str]) -> Cancelled:
    """Drop messages that an exchange holds; NotFound as with `pending`."""
    held = _held(broker, vhost, exchange)
    wanted = list(dict.fromkeys(ids))
    unknown = [each for each in wanted if not held.cancel(each)]
    return Cancelled(len(wanted) - len(unknown), unknown)


def _pending(held: DelayedMessages, count: int) -> Generator[None, None, list[Pending]]:
    first = list(islice(held.pending(), count))
    found: list[Pending] = []
    for start in range(0, len(first), READ_AT_ONCE):
        found += (_described(*each) for each in held.with_content(first[start : start + READ_AT_ONCE]))
        yield
    return found


def _described(held: DelayedMessage, message: Message | None) -> Pending:
    return Pending(
        held.id,
        held.due_at_ms,
        message.address.routing_key if message else None,
        message.properties.message_id if message else None,
        held.body_size,
    )


def _held(broker: Broker, vhost: str, name: str) -> DelayedMessages:
    exchange = exchanges.existing(broker, vhost, name)
    if not isinstance(exchange, DelayedMessageExchange):
        raise NotFound(f"exchange '{name}' in vhost '{vhost}' is of type {exchange.type_name}, which delays nothing")
    return exchange.delayed
