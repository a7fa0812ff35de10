"""Dead-lettering: a message leaves its queue for the queue's dead letter exchange (spec A.7).

The dead letter is a new message with the old body, whose headers say what happened (deaths.py).

It is appended to its queues before the original is settled, within the same flush, so that a crash can double it but
not lose it.

A message that would come back to a queue where it died since it was published, without anybody having rejected it in
between, is dropped for that queue: it could go round for ever.  Whatever nobody takes is lost, unless the queue's dead
letter strategy is at-least-once; the log says so (one line a minute of each queue and cause), and the queue counts it:

    dead_letter_lost_cycle          it would have come back to where it died
    dead_letter_lost_no_exchange    the dead letter exchange doesn't exist
    dead_letter_lost_no_queue       the exchange leads to no queue
    dead_letter_lost_refused        a full queue refused it, or dropped it as a duplicate; others may have taken it
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from warren.core.errors import NotFound
from warren.core.messages.checks import HIDDEN_COPIES, HIDDEN_DEATHS, extra_routing_keys, hidden_keys
from warren.core.messages.field_table import FieldValue, Timestamp
from warren.core.messages.message import Message
from warren.core.queues.base import Queue
from warren.core.queues.deaths import COUNT_MAX, DELIVERY_LIMIT, Death, cycling_queues, deaths_in, own_count, take

if TYPE_CHECKING:
    from warren.core.queues.classic.rules import QueueRules
    from warren.core.routing.route import Route

_log = logging.getLogger("warren.queue")

CYCLE: Final = "cycle"
NO_EXCHANGE: Final = "no_exchange"
NO_QUEUE: Final = "no_queue"
REFUSED: Final = "refused"
"""Why nobody took a dead letter; the ends of the names of counters."""

_CAUSES: Final = {
    CYCLE: "it would come back to a queue where it has died since it was published, and nobody has rejected it in "
    "between; let a consumer reject it on the way, or lead it elsewhere",
    NO_EXCHANGE: "its dead letter exchange '%s' doesn't exist; declare it, or give the queue another one",
    NO_QUEUE: "its dead letter exchange '%s' leads to no queue with this routing key; bind one",
    REFUSED: "a queue behind its dead letter exchange '%s' is full and refuses messages, or has dropped it as a "
    "duplicate",
}
_NAMES_NO_EXCHANGE: Final = (CYCLE,)


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter that is to be published later, together with others.

    queue, reason: where it died, and why.  keys: further routing keys.  barred: names of queues that it mustn't go to.
    """

    queue: Queue
    reason: str
    message: Message
    keys: Sequence[str]
    barred: Collection[str]

    def route(self) -> Route:
        """Where it goes now; NotFound without its exchange."""
        address, properties = self.message.address, self.message.properties
        return self.queue.vhost.route(address.exchange, address.routing_key, properties.headers, self.keys, properties)

    def publish(self) -> None:
        """Now, as if the message had died at this moment."""
        exchange = self.message.address.exchange
        try:
            route = self.route()
        except NotFound:
            _not_taken(self.queue, exchange, self.reason, NO_EXCHANGE)
            return
        _deliver(self.queue, route, self.message, self.reason, self.barred)

    def not_taken(self) -> None:
        """A queue that it should have gone to is full."""
        _not_taken(self.queue, self.message.address.exchange, self.reason, REFUSED)


def dead_letter(queue: Queue, rules: QueueRules, message: Message, reason: str, *, unless_full: bool = False) -> bool:
    """Publish `message`, which left `queue` for `reason`, to the dead letter exchange of `rules`, if there is one.

    The caller settles the original afterwards.  unless_full: publish nothing unless all queues that it goes to take it,
    and at least one does.  False when it should go somewhere, but nothing took it.
    """
    exchange_name = rules.dead_letter_exchange
    if exchange_name is None:
        if reason == DELIVERY_LIMIT:
            text = "%s: a message is dropped: it was delivered in vain more often than %d times (x-delivery-limit)"
            what = (queue.description, rules.delivery_limit)
            queue.vhost.broker.limit_hits.warn("x-delivery-limit", (queue.vhost.name, queue.name), _log, text, *what)
        return True
    vhost = queue.vhost
    broker = vhost.broker
    properties = message.properties
    headers = properties.headers or {}
    own_key = message.address.routing_key
    extra_keys = extra_routing_keys(properties)
    overridden = rules.dead_letter_routing_key is not None
    routing_key = rules.dead_letter_routing_key if rules.dead_letter_routing_key is not None else own_key
    deaths = deaths_in(headers)
    is_first = not deaths or "x-first-death-reason" not in headers
    own = own_count(headers)
    found = take(deaths, queue.name, reason)
    if found is None:
        death = _new_death(queue, message, reason, [own_key, *extra_keys])
        own += 1
    else:
        index, death = found
        own += index >= own
    count = death["count"]
    death["count"] = min((count if isinstance(count, int) else 0) + 1, COUNT_MAX)
    deaths.insert(0, death)
    changes: dict[str, FieldValue] = {
        "x-death": list(deaths),
        "x-last-death-reason": reason,
        "x-last-death-queue": queue.name,
        "x-last-death-exchange": message.address.exchange,
        HIDDEN_DEATHS: own,
    }
    if is_first:
        changes["x-first-death-reason"] = reason
        changes["x-first-death-queue"] = queue.name
        changes["x-first-death-exchange"] = message.address.exchange
    removed = ["CC", "BCC", HIDDEN_COPIES] if overridden else ["BCC"]
    all_keys = () if overridden else (*extra_keys, *hidden_keys(properties))
    properties = properties.with_header_entries(changes, [name for name in removed if name in headers])
    # What it would be decoded to again.
    headers = {**{name: value for name, value in headers.items() if name not in removed}, **changes}
    if properties.expiration is not None:
        properties = properties.with_changes(expiration=None)
    try:
        route = vhost.route(exchange_name, routing_key, headers, all_keys, properties)
    except NotFound:
        return _not_taken(queue, exchange_name, reason, NO_EXCHANGE, waits=unless_full)
    letter = Message(
        broker.next_sequence(),
        route.address,
        properties,
        message.body,
        0,
        message.body_size,
        0,
        broker.now_ms,
    )
    barred = cycling_queues(deaths[:own], reason)
    targets = [target for target in route.queues if target.name not in barred]
    is_cycle = len(targets) < len(route.queues)
    if unless_full:
        if any(target.has_no_room_for(letter) for target in targets):
            return _not_taken(queue, exchange_name, reason, REFUSED, waits=True)
        if not (targets or route.holders):
            return _not_taken(queue, exchange_name, reason, CYCLE if is_cycle else NO_QUEUE, waits=True)
    queue.counts.dead_letter(reason)
    broker.dead_letters.count(queue.counted_as, unless_full, reason)
    if vhost.letters is not None and not unless_full and targets and not is_cycle:
        vhost.letters.append(Letter(queue, reason, letter, tuple(all_keys), barred))
        return True
    _deliver(queue, route, letter, reason, barred)
    # It waits in a queue now: decoded, a history is half a dozen objects that collections of garbage walk through.
    properties.drop_decoded()
    return bool(targets or route.holders)


def _deliver(queue: Queue, route: Route, letter: Message, reason: str, barred: Collection[str]) -> None:
    """Publish it, and say why if it doesn't get where it should."""
    vhost = queue.vhost
    exchange_name = letter.address.exchange
    target_count = sum(target.name not in barred for target in route.queues)
    taken = vhost.exchange_counts(exchange_name).publish_out
    vhost.deliver(route, letter, barred)
    taken = vhost.exchange_counts(exchange_name).publish_out - taken
    if target_count < len(route.queues):
        _not_taken(queue, exchange_name, reason, CYCLE)
    if not (route.queues or route.holders):
        _not_taken(queue, exchange_name, reason, NO_QUEUE)
    elif taken < target_count:
        _not_taken(queue, exchange_name, reason, REFUSED)


def _new_death(queue: Queue, message: Message, reason: str, keys: list[str]) -> Death:
    """The first death of its kind."""
    death: Death = {
        "count": 0,
        "reason": reason,
        "queue": queue.name,
        "time": Timestamp(queue.vhost.broker.now_ms // 1000),
        "exchange": message.address.exchange,
        "routing-keys": list[FieldValue](keys),
    }
    expiration = message.properties.expiration
    return death if expiration is None else {"original-expiration": expiration, **death}


def _not_taken(queue: Queue, exchange: str, reason: str, cause: str, *, waits: bool = False) -> bool:
    """Say why a dead letter didn't go where it should.  waits: it stays with the queue, and will be tried again."""
    broker = queue.vhost.broker
    if not waits:
        queue.counts.dead_letter_lost(cause)
    what = "waits in the queue" if waits else "is dropped"
    text = f"%s: a dead letter (%s) {what}: {_CAUSES[cause]}"
    arguments = (queue.description, reason) if cause in _NAMES_NO_EXCHANGE else (queue.description, reason, exchange)
    broker.rationed_log.warning(_log, (cause, queue.vhost.name, queue.name), broker.now_ms, text, *arguments)
    return False
