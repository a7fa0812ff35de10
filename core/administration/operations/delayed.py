"""Operations on what x-delayed-message exchanges hold."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from heapq import merge
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple

from warren.core.administration.listing.kind import Vhosts, vhosts_among
from warren.core.administration.operations import exchanges
from warren.core.administration.steps import Steps
from warren.core.declaring.actor import Administrator
from warren.core.errors import NotFound
from warren.core.exchanges.delaying.exchange import DelayedMessageExchange

if TYPE_CHECKING:
    from warren.core.access.accounts import User
    from warren.core.broker import Broker
    from warren.core.exchanges.delaying.messages import DelayedMessage, DelayedMessages
    from warren.core.messages.message import Message

READ_AT_ONCE: Final = 100
"""Messages read from disk in one slice, with their bodies."""


PAGED_MAX: Final = 10_000
"""So far a page may reach."""


class Pending(NamedTuple):
    """A message that is held.  due_at_ms: in milliseconds since 1970.  None: the message can't be read any more."""

    id: str
    due_at_ms: int
    routing_key: str | None
    message_id: str | None
    body_bytes: int


class Held(NamedTuple):
    """A message with where it is held."""

    vhost: str
    exchange: str
    message: Pending


class HeldPage(NamedTuple):
    """Some messages, those due first, and how many there are."""

    messages: list[Held]
    total: int


class Cancelled(NamedTuple):
    """message_count: messages that were dropped.  unknown: ids of messages that aren't pending (any more)."""

    message_count: int
    unknown: list[str]


def pending(broker: Broker, vhost: str, exchange: str, count: int) -> Steps[list[Pending]]:
    """Up to `count` messages that an exchange holds, those due first.

    Raises NotFound when there is no such exchange, or it is of a type that holds nothing.
    """
    return Steps(_pending(_held(broker, vhost, exchange), count))


def pending_in(broker: Broker, vhosts: Vhosts, *, start: int, count: int) -> Steps[HeldPage]:
    """What all exchanges of some virtual hosts hold, or of all for None: up to `count` messages from place `start` on.

    Raises ValueError for a page that isn't within the first `PAGED_MAX`.
    """
    if start < 0 or count < 0 or start + count > PAGED_MAX:
        raise ValueError(f"a page of delayed messages is within the first {PAGED_MAX}")
    return Steps(_pending_in(broker, vhosts, start, count))


def cancel(
    broker: Broker, vhost: str, exchange: str, ids: Iterable[str], *, user: User | str | None = None
) -> Cancelled:
    """Drop messages that an exchange holds; NotFound as with `pending`.

    user: who has to have the permission to write to the exchange, None for the broker's owner.  Raises AccessRefused.
    """
    held = _held(broker, vhost, exchange)
    Administrator(broker.vhosts[vhost], user).check("exchange", exchange, "write")
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


def _pending_in(broker: Broker, vhosts: Vhosts, start: int, count: int) -> Generator[None, None, HeldPage]:
    first: list[tuple[int, int, str, str, DelayedMessage]] = []
    total = 0
    for number, exchange in enumerate(_delaying(broker, vhosts)):
        total += exchange.messages_delayed
        vhost = exchange.vhost
        if vhost is None or not exchange.messages_delayed:
            continue
        earliest = islice(exchange.delayed.pending(), start + count)
        found = ((each.due_at_ms, number, vhost.name, exchange.name, each) for each in earliest)
        first = list(islice(merge(first, found, key=_due_at), start + count))
        yield
    messages: list[Held] = []
    for _, _, vhost_name, name, each in first[start:]:
        exchange_there = broker.vhosts[vhost_name].exchanges.get(name) if vhost_name in broker.vhosts else None
        if isinstance(exchange_there, DelayedMessageExchange):
            described = [_described(*found) for found in exchange_there.delayed.with_content([each])]
            messages += (Held(vhost_name, name, pending) for pending in described)
        if len(messages) % READ_AT_ONCE == 0:
            yield
    return HeldPage(messages, total)


def _delaying(broker: Broker, vhosts: Vhosts) -> Iterator[DelayedMessageExchange]:
    for vhost in vhosts_among(broker, vhosts):
        for exchange in list(vhost.exchanges.values()):
            if isinstance(exchange, DelayedMessageExchange):
                yield exchange


def _due_at(entry: tuple[int, int, str, str, DelayedMessage]) -> int:
    return entry[0]


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
