"""The operation that moves messages from a queue to another, or publishes them anew.

Theory of operation
-------------------
A message is polled, appended to where it goes, and settled in its queue, all three within one group of the store: after
a crash it is in the one place or in the other.  Where a queue of the destination answers later (core.routing.receipt),
the message is settled when that has taken it, and a crash in between leaves it in both.

It is done in slices, one in each turn, from the head of the queue; at most as many as were ready at the beginning, so
that what comes back to its queue isn't moved for ever.  A move ends early with what its destination doesn't take, which
goes back to its place.  It goes on when whoever asked for it is gone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from warren.core.administration.operations import queues
from warren.core.declaring.actor import Administrator
from warren.core.errors import AccessRefused, BrokerError, PreconditionFailed, ResourceError
from warren.core.messages.checks import HIDDEN_COPIES, HIDDEN_DEATHS
from warren.core.messages.message import Message
from warren.core.routing.route import Route
from warren.core.routing.vhost import DEFAULT_EXCHANGE, Outcome

if TYPE_CHECKING:
    from warren.core.access.accounts import User
    from warren.core.broker import Broker
    from warren.core.messages.properties import Properties
    from warren.core.queues.answer import Answer, Polled
    from warren.core.queues.base import Queue

MOVED_PER_SLICE: Final = 100
"""Some ten to thirty microseconds each."""

MOVED_BYTES_PER_SLICE: Final = 4 * 1024 * 1024
"""Of bodies, which may be read from disk; a single larger message is a slice."""


class Moved(NamedTuple):
    """message_count: messages that were moved.  stopped: why not all, as a sentence; empty where nothing stopped it."""

    message_count: int
    stopped: str


class Destination(NamedTuple):
    """Where messages go: to one queue, past all bindings, with the address that they have; or where an exchange leads
    them, published anew with this routing key, None for their own."""

    queue: str | None = None
    exchange: str = DEFAULT_EXCHANGE
    routing_key: str | None = None


def move(
    broker: Broker,
    vhost: str,
    name: str,
    to: Destination,
    answer: Answer[Moved],
    *,
    count: int | None = None,
    user: User | str | None = None,
) -> None:
    """Move up to `count` ready messages, all that are ready now for None; the answer comes in a later turn.

    user: who has to have the permission to read the queue, and to write to the exchange (for a queue, to the default
    exchange); None for the broker's owner.  Raises NotFound, AccessRefused, ResourceLocked for another connection's
    exclusive queue, PreconditionFailed for a queue that would be moved to itself, and ResourceError while an alarm
    holds publishes back.
    """
    source = queues.existing(broker, vhost, name)
    actor = Administrator(source.vhost, user)
    actor.check("queue", name, "read")
    actor.check_owner(source)
    actor.check("exchange", to.exchange, "write")
    if to.queue is not None:
        target = source.vhost.queue(to.queue)
        actor.check_owner(target)
        if target is source:
            raise PreconditionFailed(f"queue '{name}' can't be moved to itself; name another one")
    elif to.exchange != DEFAULT_EXCHANGE and source.vhost.exchange(to.exchange).internal:
        raise AccessRefused(f"cannot publish to internal exchange '{to.exchange}' in vhost '{vhost}'")
    blocked = broker.alarms.blocked
    if blocked is not None:
        raise ResourceError(f"publishing is blocked: {blocked}; try again when there is room")
    source.catch_up()
    most = source.ready_count if count is None else min(count, source.ready_count)
    _Move(source, to, actor, most, answer).begin()


class _Move:
    """One that is under way.  _left: how many messages are still to be moved."""

    def __init__(self, source: Queue, to: Destination, actor: Administrator, count: int, answer: Answer[Moved]) -> None:
        self._source = source
        self._vhost = source.vhost
        self._broker = source.vhost.broker
        self._to = to
        self._actor = actor
        self._left = count
        self._answer = answer
        self._moved = 0
        self._is_over = False
        self._is_in_slice = False
        self._waits = False
        self._slice_bytes = 0

    def begin(self) -> None:
        self._broker.chores.add(self._do_slice)

    def _do_slice(self) -> bool:
        """Move some; False when it is over, or waits for somebody's answer, who begins it again."""
        self._is_in_slice = True
        self._slice_bytes = 0
        for _ in range(MOVED_PER_SLICE):
            if self._is_over or self._waits or self._slice_bytes >= MOVED_BYTES_PER_SLICE:
                break
            if not self._left:
                self._end()
                break
            self._left -= 1
            self._move_one()
        self._is_in_slice = False
        return not (self._is_over or self._waits)

    def _move_one(self) -> None:
        if self._vhost.queues.get(self._source.name) is not self._source:
            self._end(f"queue '{self._source.name}' has been deleted meanwhile.")
            return
        if self._broker.alarms.blocked is not None:
            self._end(f"publishing is blocked: {self._broker.alarms.blocked}.")
            return
        self._waits = True
        try:
            self._source.get(self._polled, no_ack=False)
        except BrokerError as error:
            self._polled(error)

    def _polled(self, polled: Polled | BrokerError) -> None:
        self._waits = False
        if isinstance(polled, BrokerError):
            self._end(f"{polled.text}.")
        elif polled is None:
            self._end()
        else:
            original = polled[0]
            self._slice_bytes += original.body_size
            try:
                self._hand_over(original)
            except BrokerError as error:
                self._source.requeue([original], failed=False)
                self._end(f"{error.text}.")
        self._go_on()

    def _hand_over(self, original: Message) -> None:
        """Append it and settle it.  Raises what keeps it from going anywhere, before anything is changed."""
        properties = _as_published(original.properties)
        route = self._route(original, properties)
        vhost, store = self._vhost, self._broker.store
        size = original.body_size
        message = Message(
            self._broker.next_sequence(), route.address, properties, original.body, 0, size, 0, self._broker.now_ms
        )
        receipt = route.receipt
        store.begin_group()
        try:
            if self._to.queue is None:
                outcome = vhost.deliver(route, message, (), receipt)
            else:
                outcome = vhost.deliver_to(route.queues[0], message, receipt)
            waits = receipt is not None and receipt.pending
            if outcome is not Outcome.REFUSED and not waits:
                self._source.acknowledge(original)
                self._moved += 1
        finally:
            store.end_group()
        if outcome is Outcome.REFUSED:
            self._refused(original, route.refusal)
        elif receipt is not None and waits:
            self._waits = True
            receipt.then(lambda taken: self._told(original, route.refusal, taken=taken))

    def _route(self, original: Message, properties: Properties) -> Route:
        to, vhost = self._to, self._vhost
        if to.queue is not None:
            return Route(original.address, (vhost.queue(to.queue),), routed=True, cacheable=False)
        key = original.address.routing_key if to.routing_key is None else to.routing_key
        exchange = vhost.exchanges.get(to.exchange)
        if exchange is not None and exchange.type_name == "topic":
            self._actor.check_topic(to.exchange, key, "write")
        route = vhost.route(to.exchange, key, properties.headers, (), properties)
        if not route.routed:
            shown = to.exchange or "amq.default"
            raise PreconditionFailed(f"exchange '{shown}' leads nowhere with the routing key '{key}'")
        return route

    def _told(self, original: Message, refusal: str, *, taken: bool) -> None:
        """A queue that answers later has answered."""
        self._waits = False
        if taken:
            self._source.acknowledge(original)
            self._moved += 1
        else:
            self._refused(original, refusal)
        self._go_on()

    def _refused(self, original: Message, refusal: str) -> None:
        self._source.requeue([original], failed=False)
        self._end(f"{refusal}.")

    def _go_on(self) -> None:
        """Somebody has answered, in a later turn than the slice that asked."""
        if not (self._is_in_slice or self._is_over or self._waits):
            self._broker.chores.add(self._do_slice)

    def _end(self, stopped: str = "") -> None:
        self._is_over = True
        self._answer(Moved(self._moved, stopped))


def _as_published(properties: Properties) -> Properties:
    """As they are, but for what the broker noted about the message's way until now."""
    headers = properties.headers
    gone = [name for name in (HIDDEN_COPIES, HIDDEN_DEATHS) if headers and name in headers]
    return properties.with_header_entries({}, gone) if gone else properties
