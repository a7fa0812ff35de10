"""Operations on messages that are set aside because their queue's definition is lost (core.declaring.quarantine)."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Final, NamedTuple

from warren.core.administration.operations import queues
from warren.core.administration.steps import Steps
from warren.core.errors import NotFound, PreconditionFailed, StorageError, StoreUnavailable
from warren.core.messages.message import Message

if TYPE_CHECKING:
    from warren.core.broker import Broker
    from warren.core.declaring.quarantine import SetAside
    from warren.core.queues.base import Queue
    from warren.core.storage.engine import Owner

MOVED_AT_ONCE: Final = 100
"""Messages read from disk and given to a queue in one slice, with their bodies."""

SETTLED_AT_ONCE: Final = 10_000
"""Entries settled in one slice, unread."""


class Quarantined(NamedTuple):
    """What is set aside under one number.

    kind, vhost, name: whose it was, empty where that is lost, too.  exchange, routing_key: of the first message, which
    may tell; empty when it can't be read.
    """

    number: int
    kind: str
    vhost: str
    name: str
    messages: int
    message_bytes: int
    exchange: str
    routing_key: str


def quarantined(broker: Broker) -> list[Quarantined]:
    """All that is set aside; of a stream the messages are looked for when it is asked."""
    return [_described(broker, each) for each in broker.quarantine.entries.values()] + [
        _stream(broker, number, owner) for number, owner in broker.quarantine.streams.items()
    ]


def restore(broker: Broker, number: int, vhost: str, queue: str) -> Steps[int]:
    """Give the messages of a number to a queue, behind what it holds; the result is how many there were.

    Raises NotFound for a number or queue that isn't there, PreconditionFailed for a stream's number.
    """
    if number in broker.quarantine.streams:
        raise PreconditionFailed(
            f"{number} is a stream's, with files of its own: declare it again, by its name and as a stream, and it has "
            "them"
        )
    return Steps(_restore(broker, _existing(broker, number), queues.existing(broker, vhost, queue)))


def delete(broker: Broker, number: int) -> Steps[int]:
    """Drop the messages of a number; the result is how many there were.  Raises NotFound."""
    if number in broker.quarantine.streams:
        return Steps(_delete_stream(broker, number))
    return Steps(_delete(broker, _existing(broker, number)))


def _stream(broker: Broker, number: int, owner: Owner | None) -> Quarantined:
    kind, vhost, name = owner or ("queue", "", "")
    try:
        count = broker.streams.messages_in(number)
    except StorageError:
        count = 0
    return Quarantined(number, kind, vhost, name, count, 0, "", "")


def _delete_stream(broker: Broker, number: int) -> Generator[None, None, int]:
    try:
        count = broker.streams.messages_in(number)
    except StorageError:
        count = 0
    yield
    if broker.quarantine.streams.pop(number, None) is None:
        raise NotFound(f"nothing is set aside under the number {number} any more")
    broker.streams.delete_files(number)
    broker.numbers.deleted(number)
    return count


def _described(broker: Broker, found: SetAside) -> Quarantined:
    kind, vhost, name = found.owner or ("", "", "")
    try:
        (first,) = broker.store.read(found.positions[:1])
    except StoreUnavailable:
        first = None
    exchange, routing_key = (first.address.exchange, first.address.routing_key) if first is not None else ("", "")
    return Quarantined(found.number, kind, vhost, name, len(found.positions), found.body_bytes, exchange, routing_key)


def _existing(broker: Broker, number: int) -> SetAside:
    found = broker.quarantine.entries.get(number)
    if found is None:
        raise NotFound(f"nothing is set aside under the number {number}; warren ctl list_quarantined shows numbers")
    return found


def _restore(broker: Broker, found: SetAside, queue: Queue) -> Generator[None, None, int]:
    queue.check_usable()
    broker.quarantine.take(found.number)
    count = 0
    for start in range(0, len(found.positions), MOVED_AT_ONCE):
        positions = found.positions[start : start + MOVED_AT_ONCE]
        try:
            if queue.vhost.queues.get(queue.name) is not queue:
                raise NotFound(f"{queue.description} was deleted; what it didn't get yet is still set aside")
            messages = broker.store.read(positions)
        except (NotFound, StoreUnavailable):
            found.drop_first(start)
            broker.quarantine.hold(found)
            raise
        # Both or neither: a crash must not double them, and can't lose them.
        broker.store.begin_group()
        for message in messages:
            if message is not None:
                _give(broker, message, queue)
                count += 1
        broker.store.settle_positions(found.number, positions)
        broker.store.end_group()
        yield
    broker.numbers.deleted(found.number)
    return count


def _give(broker: Broker, read: Message, queue: Queue) -> None:
    message = Message(
        broker.next_sequence(),
        read.address,
        read.properties,
        read.content,
        read.body_at,
        read.body_size,
        read.framed_for,
        read.published_at_ms,
    )
    if queue.store_id and not queue.keeps_messages:
        broker.store.append(message, (queue.store_id,))
    queue.append(message)


def _delete(broker: Broker, found: SetAside) -> Generator[None, None, int]:
    broker.quarantine.take(found.number)
    for start in range(0, len(found.positions), SETTLED_AT_ONCE):
        broker.store.settle_positions(found.number, found.positions[start : start + SETTLED_AT_ONCE])
        yield
    broker.numbers.deleted(found.number)
    return len(found.positions)
