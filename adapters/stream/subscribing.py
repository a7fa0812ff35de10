"""Subscribe, Credit, Unsubscribe: who is sent chunks of which stream, from where on (spec H.2).

The chunk that holds the offset which a client asks for comes whole, and so does one that holds any of the values it
filters by: the client leaves out what it doesn't want.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.adapters.stream.codec.commands import Credit, CreditAnswer, Subscribe, Unsubscribe
from warren.adapters.stream.codec.errors import Refused
from warren.adapters.stream.codec.keys import Code
from warren.adapters.stream.places import place_of
from warren.adapters.stream.properties import wants_to_be_single
from warren.adapters.stream.single_active import check, join
from warren.adapters.stream.streams import stream_of
from warren.adapters.stream.subscription import StreamSubscription
from warren.core.declaring.queues import end_consumer, end_consumers
from warren.core.queues.stream.arguments import Wanted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from warren.adapters.stream.codec.kinds import OffsetSpec
    from warren.adapters.stream.session import StreamSession

_FILTER: Final = "filter."
_UNFILTERED: Final = "match-unfiltered"

CREDIT_MAX: Final = 0x7FFF
"""Of one Credit: RabbitMQ takes the number for a signed one, and clients give a few."""


class Subscriptions:
    """Of one connection, by the client's numbers."""

    __slots__ = ("_by_id", "_session")

    def __init__(self, session: StreamSession) -> None:
        self._session = session
        self._by_id: dict[int, StreamSubscription] = {}

    def __len__(self) -> int:
        """How many there are."""
        return len(self._by_id)

    def __bool__(self) -> bool:
        return len(self) > 0

    def all(self) -> list[StreamSubscription]:
        """All of them."""
        return list(self._by_id.values())

    def get(self, id: int) -> StreamSubscription | None:
        """The one of this number; None if there is none."""
        return self._by_id.get(id)

    def begin(self, subscription: StreamSubscription) -> None:
        """Have it sent chunks; errors of the queue are raised, and it hasn't begun then."""
        if wants_to_be_single(subscription.properties):
            subscription.turns = join(self._session, subscription)
        else:
            subscription.queue.add_consumer(subscription)
        self._by_id[subscription.id] = subscription
        if subscription.turns is not None:
            subscription.turns.look()

    def remove(self, id: int) -> StreamSubscription | None:
        """The one of this number, which is no longer the connection's."""
        subscription = self._by_id.pop(id, None)
        if subscription is not None and subscription.turns is not None:
            subscription.turns.leave()
        return subscription

    def stream_gone(self, subscription: StreamSubscription) -> None:
        """A subscription has ended, with its stream or the right to read it: the client is told."""
        self.remove(subscription.id)
        self._session.tell_gone(subscription.queue.name)

    def end(self, begin: Callable[[Iterator[None]], None]) -> None:
        """The connection ends.  begin: takes what is too much for a turn."""
        subscriptions = [each for each in map(self.remove, list(self._by_id)) if each is not None]
        end_consumers([each for each in subscriptions if each.is_consuming], begin)


def subscribe(session: StreamSession, command: Subscribe) -> None:
    """Chunks come behind the answer."""
    if session.subscriptions.get(command.subscription_id) is not None:
        raise Refused(Code.SUBSCRIPTION_EXISTS, f"there is a subscription {command.subscription_id} already")
    queue = stream_of(session, command.stream, "read")
    properties = command.properties or {}
    subscription = StreamSubscription(
        session, queue, command.subscription_id, wanted_of(command.offset, properties), command.credit, properties
    )
    if wants_to_be_single(properties):
        check(session, subscription)
    session.ok(command)
    session.subscriptions.begin(subscription)


def wanted_of(offset: OffsetSpec, properties: Mapping[str, str]) -> Wanted:
    """What a reader asks for."""
    values = tuple(value for name, value in properties.items() if name.startswith(_FILTER))
    unfiltered = not values or properties.get(_UNFILTERED, "").lower() == "true"
    return Wanted(place_of(offset), values, unfiltered)


def credit(session: StreamSession, command: Credit) -> None:
    """More chunks may come; only what is wrong is answered."""
    subscription = session.subscriptions.get(command.subscription_id)
    if subscription is None:
        session.send(CreditAnswer(Code.NO_SUBSCRIPTION, command.subscription_id))
        raise Refused(Code.NO_SUBSCRIPTION, f"there is no subscription {command.subscription_id}")
    if command.credit > CREDIT_MAX:
        session.send(CreditAnswer(Code.PRECONDITION_FAILED, command.subscription_id))
        raise Refused(Code.PRECONDITION_FAILED, f"a credit of {command.credit}, {CREDIT_MAX} are possible at once")
    subscription.add_credit(command.credit)


def unsubscribe(session: StreamSession, command: Unsubscribe) -> None:
    """No more chunks; those that are on their way come before the answer."""
    subscription = session.subscriptions.remove(command.subscription_id)
    if subscription is None:
        raise Refused(Code.NO_SUBSCRIPTION, f"there is no subscription {command.subscription_id}")
    if subscription.is_consuming:
        end_consumer(subscription)
    session.ok(command)
