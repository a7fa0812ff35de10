"""A dry run of a publish: the checks, the walk from exchange to exchange, and what the queues would do.

Theory of operation
-------------------
Where the message goes is found by the code that routes (`VirtualHost.route_with_visits`), which notes what each
exchange said; permissions are checked by the code that a publish is checked by.  Nothing here decides; it asks, and
puts answers into words.  What would change something (a duplicate is remembered, a queue makes room) has a question
beside it that changes nothing: `DuplicateFilter.knows`, `Queue.outlook`.

An exchange that holds a message is passed in a second walk, that of the moment at which it is due, by today's bindings.
An exchange that picks a target by chance may pick another one the next time.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Final

from warren.core.administration.explaining.bindings import look_at_bindings
from warren.core.administration.explaining.explanation import (
    DROPPED,
    DUPLICATE,
    HELD,
    REFUSED,
    ROUTED,
    UNROUTABLE,
    Explanation,
    QueueReached,
    Step,
)
from warren.core.administration.explaining.queues import named, reached_queue
from warren.core.errors import AccessRefused, BrokerError
from warren.core.exchanges.delaying.exchange import DelayedMessageExchange
from warren.core.exchanges.delaying.headers import due_at_ms
from warren.core.exchanges.reasons import shown
from warren.core.frozen import frozen
from warren.core.messages.address import Address, short_key
from warren.core.messages.checks import check_copies, check_expiration, extra_routing_keys, without_bcc
from warren.core.messages.internal_headers import without_internal
from warren.core.messages.message import Message
from warren.core.queues.base import Admission
from warren.core.routing.publish import check_publish, read_special
from warren.core.routing.vhost import DEFAULT_EXCHANGE, REPLY_PREFIX

if TYPE_CHECKING:
    from warren.core.access.accounts import User
    from warren.core.exchanges.base import Exchange
    from warren.core.messages.properties import Properties
    from warren.core.queues.base import Queue
    from warren.core.routing.route import Route
    from warren.core.routing.vhost import VirtualHost
    from warren.core.routing.walk import Visit

QUEUES_SHOWN_MAX: Final = 200
"""Queues that are described; a fanout to more says how many there are."""

QUEUES_PER_SLICE: Final = 20
"""Each with a look at where its dead letters go."""

KEYS_SHOWN_MAX: Final = 5

OF_PUBLISH: Final = "publish"


@frozen
class DryPublish:
    """What would be published.  body_size: in bytes."""

    exchange: str
    routing_key: str
    properties: Properties
    body_size: int = 0


@frozen
class _Publisher:
    """A user without a connection."""

    vhost: VirtualHost
    user: User

    @property
    def tags(self) -> frozenset[str]:
        return self.user.tags


def explain(vhost: VirtualHost, wanted: DryPublish, user: User | None) -> Generator[None, None, Explanation]:
    """See the head of this file.  user: whose permissions count; None for nobody's."""
    return (yield from _DryRun(vhost, wanted, user).run())


class _DryRun:
    def __init__(self, vhost: VirtualHost, wanted: DryPublish, user: User | None) -> None:
        self._vhost = vhost
        self._wanted = wanted
        self._user = user
        self._properties = wanted.properties
        self._extra_keys: list[str] = []
        self._steps: list[Step] = []

    def run(self) -> Generator[None, None, Explanation]:
        try:
            self._check()
        except BrokerError as error:
            kind = "permission" if isinstance(error, AccessRefused) else OF_PUBLISH
            self._steps.append(Step(kind, error.text, ok=False, exchange=self._wanted.exchange))
            return Explanation(REFUSED, False, f"The publish would be refused: {error.text}", self._steps, [], 0)
        message = self._message()
        visits: list[Visit] = []
        route, closed = self._route(message, visits)
        found: list[tuple[Queue, bool]] = [(queue, False) for queue in route.queues]
        yield from self._tell_way(route, visits, closed)
        for holder in route.holders:
            later: list[Visit] = []
            then = self._due(holder, later)
            yield from self._tell_way(then, later, set(), behind=holder)
            known = {id(queue) for queue, _ in found}
            found += [(queue, True) for queue in then.queues if id(queue) not in known]
        reached: list[QueueReached] = []
        for number, (queue, is_delayed) in enumerate(found[:QUEUES_SHOWN_MAX]):
            if queue.vhost.queues.get(queue.name) is queue or queue.name.startswith(REPLY_PREFIX):
                reached.append(reached_queue(queue, message, is_delayed=is_delayed))
            if number % QUEUES_PER_SLICE == QUEUES_PER_SLICE - 1:
                yield
        return self._explanation(route, closed, reached, len(found))

    # The checks of a publish

    def _check(self) -> None:
        vhost, wanted = self._vhost, self._wanted
        blocked = vhost.broker.alarms.blocked
        if blocked is not None:
            self._steps.append(
                Step("alarm", f"Publishes are held back until the alarm is over: {blocked}.", exchange=wanted.exchange)
            )
        if self._user is None:
            self._check_for_nobody()
        else:
            self._check_for(self._user)
        if self._extra_keys:
            keys = ", ".join(f"'{shown(key)}'" for key in self._extra_keys[:KEYS_SHOWN_MAX])
            more = len(self._extra_keys) - KEYS_SHOWN_MAX
            text = f"The headers CC and BCC add the routing keys {keys}{f' and {more} more' if more > 0 else ''}."
            self._steps.append(Step("copies", text, routing_keys=list(self._extra_keys)))

    def _check_for_nobody(self) -> None:
        exchange_name = self._wanted.exchange
        if exchange_name != DEFAULT_EXCHANGE and self._vhost.exchange(exchange_name).internal:
            raise AccessRefused(
                f"exchange '{exchange_name}' is internal: only other exchanges lead to it, nobody can publish to it"
            )
        properties = self._properties
        check_expiration(properties)
        check_copies(properties)
        self._extra_keys = extra_routing_keys(properties)
        self._properties = without_bcc(without_internal(properties))

    def _check_for(self, user: User) -> None:
        vhost, wanted = self._vhost, self._wanted
        if not vhost.broker.users.may_access_vhost(user, vhost.name):
            raise AccessRefused(f"user '{user.name}' may not enter vhost '{vhost.name}': it has no permissions there")
        publisher = _Publisher(vhost, user)
        check_publish(publisher, wanted.exchange, wanted.routing_key)
        if self._properties.special:
            self._properties, self._extra_keys = read_special(publisher, wanted.exchange, self._properties)
        exchange = wanted.exchange or "amq.default"
        text = f"User '{user.name}' may write to exchange '{exchange}' with this routing key."
        self._steps.append(Step("permission", text, exchange=wanted.exchange))

    # The way

    def _message(self) -> Message:
        """One that is never published: it has no number, and no bytes."""
        wanted = self._wanted
        address = Address(wanted.exchange, short_key(wanted.routing_key))
        return Message(0, address, self._properties, b"", 0, wanted.body_size, 0, self._vhost.broker.now_ms)

    def _find(self, visits: list[Visit], closed: set[str]) -> Route:
        wanted = self._wanted
        return self._vhost.route_with_visits(
            wanted.exchange, wanted.routing_key, self._extra_keys, self._properties, visits, closed=closed
        )

    def _route(self, message: Message, visits: list[Visit]) -> tuple[Route, set[str]]:
        """Where it goes, past exchanges that would drop it as a duplicate, which are named."""
        closed: set[str] = set()
        route = self._find(visits, closed)
        asked: set[str] = set()
        while (observer := _next_to_ask(route, asked)) is not None:
            asked.add(observer.name)
            duplicates = observer.duplicates
            if duplicates is not None and duplicates.knows(message, self._vhost.broker.now_ms):
                closed.add(observer.name)
                visits.clear()
                route = self._find(visits, closed)
        return route, closed

    def _due(self, holder: Exchange, visits: list[Visit]) -> Route:
        return self._vhost.route_with_visits(
            holder.name, self._wanted.routing_key, self._extra_keys, self._properties, visits, behind=holder
        )

    def _tell_way(
        self, route: Route, visits: list[Visit], closed: set[str], behind: Exchange | None = None
    ) -> Generator[None, None, None]:
        wanted = self._wanted
        if wanted.exchange == DEFAULT_EXCHANGE:
            self._tell_default(route)
            return
        by_exchange: dict[str, list[Visit]] = {}
        for visit in visits:
            by_exchange.setdefault(visit.exchange.name, []).append(visit)
        for name in closed:
            text = f"Exchange '{name}' has seen the deduplication header's value before, and drops the message."
            self._steps.append(Step("duplicate", text, ok=False, exchange=name))
        for holder in route.holders if behind is None else ():
            self._tell_held(holder, by_exchange)
        for of_exchange in by_exchange.values():
            yield from self._tell_exchange(of_exchange, by_exchange, behind)

    def _tell_default(self, route: Route) -> None:
        keys = [self._wanted.routing_key, *self._extra_keys]
        for key in keys:
            found = [queue.name for queue in route.queues if queue.name == key]
            step = Step("default_exchange", "", exchange="", exchange_type="direct", routing_keys=[key])
            if found:
                step.text = f"The default exchange leads to the queue of the routing key's name, '{shown(key)}'."
            elif key.startswith(REPLY_PREFIX):
                step.text = f"'{shown(key)}' is the address of a direct reply-to consumer."
            else:
                step.ok = False
                near = self._near_queue(key)
                advice = f"; there is one named '{near}'" if near else ""
                step.text = f"The default exchange finds no queue named '{shown(key)}'{advice}."
            self._steps.append(step)

    def _near_queue(self, key: str) -> str:
        """A queue whose name differs only in how it is written."""
        for name in (key.strip(), key.lower(), key.upper(), key.strip().lower()):
            if name != key and name in self._vhost.queues:
                return name
        return ""

    def _tell_held(self, holder: Exchange, by_exchange: dict[str, list[Visit]]) -> None:
        at_ms = due_at_ms(self._properties.headers, self._vhost.broker.now_ms)
        step = Step("held", f"Exchange '{holder.name}' holds the message until it is due.", exchange=holder.name)
        step.exchange_type = holder.type_name
        if at_ms is not None:
            step.text = (
                f"Exchange '{holder.name}' holds the message for {at_ms - self._vhost.broker.now_ms} ms, until it is "
                "due; what follows is then, by today's bindings."
            )
        self._steps.append(step)

    def _tell_exchange(
        self, visits: Sequence[Visit], by_exchange: dict[str, list[Visit]], behind: Exchange | None
    ) -> Generator[None, None, None]:
        exchange = visits[0].exchange
        is_due = exchange is behind
        step = Step("due" if is_due else "exchange", "", exchange=exchange.name, exchange_type=_type_of(exchange))
        step.routing_keys = [visit.routing_key for visit in visits]
        way, came_from = self._way_to(exchange, by_exchange)
        if way == "alternate":
            step.kind = "alternate_exchange"
        yield from look_at_bindings(step, exchange, visits, self._properties)
        goes_on = any(visit.targets for visit in visits)
        step.ok = goes_on or exchange.alternate in self._vhost.exchanges
        step.text = _text_of(exchange, step, came_from, way, is_due=is_due)
        if not goes_on and exchange.alternate is not None:
            there = exchange.alternate in self._vhost.exchanges
            ending = "" if there else ", which doesn't exist, so the message is dropped"
            step.text += f" It hands over to its alternate exchange '{exchange.alternate}'{ending}."
        self._steps.append(step)

    def _way_to(self, exchange: Exchange, by_exchange: dict[str, list[Visit]]) -> tuple[str, str]:
        """How the message came here (binding or alternate), and from where; empty for where it was published to."""
        if exchange.name == self._wanted.exchange:
            return "", ""
        for name, visits in by_exchange.items():
            if any(exchange is target for visit in visits for target in visit.targets):
                return "binding", name
        for name, visits in by_exchange.items():
            if visits[0].exchange.alternate == exchange.name and not any(visit.targets for visit in visits):
                return "alternate", name
        return "", ""

    # All of it

    def _explanation(
        self, route: Route, closed: set[str], reached: list[QueueReached], queue_count: int
    ) -> Explanation:
        now = [each for each in reached if not each.delayed]
        taking = [each.name for each in now if each.takes == Admission.TAKE.value]
        refusing = [each.name for each in now if each.takes == Admission.REFUSE.value]
        if route.holders:
            names = ", ".join(f"'{each.name}'" for each in route.holders)
            outcome, text = HELD, f"The message is held by exchange {names} until it is due."
        elif refusing:
            outcome = REFUSED
            text = f"The publish is refused: {named(refusing)} would not take the message."
            if taking:
                text += f" The others do: {named(taking)}."
        elif taking:
            outcome, text = ROUTED, f"The message goes to {named(taking, queue_count)}."
        elif now:
            outcome, text = DROPPED, f"The message is dropped: {named([each.name for each in now])} would not take it."
        elif route.routed:
            outcome, text = ROUTED, "The message goes to a direct reply-to consumer, if it is still there."
        elif closed:
            outcome, text = DUPLICATE, "The message is dropped as a duplicate, and confirmed."
        else:
            outcome = UNROUTABLE
            text = "The message goes nowhere: a mandatory publish is returned to its publisher, others are dropped."
        if outcome == UNROUTABLE:
            self._steps.append(Step("unroutable", text, ok=False))
        return Explanation(outcome, route.routed, text, self._steps, reached, queue_count)


def _next_to_ask(route: Route, asked: set[str]) -> Exchange | None:
    for observer in route.observers:
        if observer.duplicates is not None and observer.name not in asked:
            return observer
    return None


def _type_of(exchange: Exchange) -> str:
    if isinstance(exchange, DelayedMessageExchange):
        return f"{exchange.type_name} ({exchange.inner.type_name})"
    return exchange.type_name


def _text_of(exchange: Exchange, step: Step, came_from: str, way: str, *, is_due: bool) -> str:
    keys = ", ".join(f"'{shown(key)}'" for key in step.routing_keys[:KEYS_SHOWN_MAX])
    start = f"Exchange '{exchange.name}' ({step.exchange_type})"
    if is_due:
        start = f"When the message is due, {start[0].lower()}{start[1:]}"
    elif way == "binding":
        start = f"By a binding from '{came_from}', {start[0].lower()}{start[1:]}"
    elif way == "alternate":
        start = f"As the alternate exchange of '{came_from}', {start[0].lower()}{start[1:]}"
    if not step.binding_count:
        return f"{start} has no bindings."
    if step.looked_at < step.binding_count:
        compared = f"{step.looked_at} of its {step.binding_count} bindings were compared"
        return f"{start} was asked for the routing key {keys}; {compared}."
    return f"{start} has {step.matched_count} of {step.binding_count} bindings that lead the routing key {keys} on."
