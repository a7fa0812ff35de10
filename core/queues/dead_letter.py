"""Dead-lettering: a message leaves its queue for the queue's dead letter exchange (spec A.7).

The dead letter is a new message with the old body, whose headers say what happened: `x-death`, an array with one table
per (queue, reason), the latest first, and `x-first-death-*` / `x-last-death-*`.  The history travels in the headers, so
that it survives whatever the message goes through; one that a client carried over by publishing a dead letter again is
continued, as applications expect that retry by republishing.  A broker that is told to start afresh
(`continue_client_deaths`) takes such headers off what clients publish (`without_deaths`).

The dead letter is appended to its queues before the original is settled, within the same flush, so that a crash can
double it but not lose it.

A message that would come back to a queue it died in before, without anybody having rejected it in between, is dropped
for that queue: it could go round for ever.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from warren.core.errors import NotFound
from warren.core.messages.checks import HIDDEN_COPIES, extra_routing_keys, hidden_keys
from warren.core.messages.field_table import FieldValue, Timestamp
from warren.core.messages.message import Message

if TYPE_CHECKING:
    from warren.core.messages.properties import Properties
    from warren.core.queues.base import Queue
    from warren.core.queues.classic.rules import QueueRules

REJECTED: Final = "rejected"
EXPIRED: Final = "expired"
MAXLEN: Final = "maxlen"
DELIVERY_LIMIT: Final = "delivery_limit"

COUNT_MAX: Final = 2**63 - 1
"""What the table's integers hold; a client may carry over any number."""

_DEATH_HEADERS: Final = (
    "x-death",
    *(f"x-{which}-death-{what}" for which in ("first", "last") for what in ("reason", "queue", "exchange")),
)


def without_deaths(properties: Properties) -> Properties:
    """The properties without what a message's former life left in its headers."""
    headers = properties.headers
    carried = [name for name in _DEATH_HEADERS if name in headers] if headers else []
    return properties.with_header_entries({}, remove=carried) if carried else properties


def dead_letter(queue: Queue, rules: QueueRules, message: Message, reason: str, *, unless_full: bool = False) -> bool:
    """Publish `message`, which left `queue` for `reason`, to the dead letter exchange of `rules`, if there is one.

    A missing exchange drops the message.  The caller settles the original afterwards.  unless_full: publish nothing
    when one of the queues that it goes to would refuse it.  False when it should go somewhere, but nothing took it.
    """
    exchange_name = rules.dead_letter_exchange
    if exchange_name is None:
        return True
    vhost = queue.vhost
    broker = vhost.broker
    properties = message.properties
    headers = properties.headers or {}
    own_key = message.address.routing_key
    extra_keys = extra_routing_keys(properties)
    overridden = rules.dead_letter_routing_key is not None
    routing_key = rules.dead_letter_routing_key if rules.dead_letter_routing_key is not None else own_key
    deaths = _deaths(headers)
    death = _take(deaths, queue.name, reason)
    if death is None:
        death = {
            "count": 0,
            "reason": reason,
            "queue": queue.name,
            "time": Timestamp(broker.now_ms // 1000),
            "exchange": message.address.exchange,
            "routing-keys": [own_key, *extra_keys],
        }
        if properties.expiration is not None:
            death = {"original-expiration": properties.expiration, **death}
    count = death.get("count")
    death["count"] = min((count if isinstance(count, int) else 0) + 1, COUNT_MAX)
    deaths.insert(0, death)
    changes: dict[str, FieldValue] = {
        "x-death": list(deaths),
        "x-last-death-reason": reason,
        "x-last-death-queue": queue.name,
        "x-last-death-exchange": message.address.exchange,
    }
    if "x-first-death-reason" not in headers:
        changes["x-first-death-reason"] = reason
        changes["x-first-death-queue"] = queue.name
        changes["x-first-death-exchange"] = message.address.exchange
    removed = ["CC", "BCC", HIDDEN_COPIES] if overridden else ["BCC"]
    all_keys = () if overridden else (*extra_keys, *hidden_keys(properties))
    properties = properties.with_header_entries(changes, [name for name in removed if name in headers])
    if properties.expiration is not None:
        properties = properties.with_changes(expiration=None)
    try:
        route = vhost.route(exchange_name, routing_key, properties.headers, all_keys, properties)
    except NotFound:
        return False
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
    barred = _cycling_queues(deaths, reason)
    targets = [target for target in route.queues if target.name not in barred]
    if unless_full and any(target.has_no_room_for(letter) for target in targets):
        return False
    queue.counts.dead_letter(reason)
    vhost.deliver(route, letter, barred)
    return bool(targets or route.holders)


def _deaths(headers: Mapping[str, FieldValue]) -> list[dict[str, FieldValue]]:
    """The history in `x-death`; what isn't shaped like one counts as none."""
    found = headers.get("x-death")
    if not isinstance(found, list):
        return []
    return [dict(death) for death in found if isinstance(death, dict)]


def _take(deaths: list[dict[str, FieldValue]], queue: str, reason: str) -> dict[str, FieldValue] | None:
    """Remove and return the entry of this queue and reason."""
    for index, death in enumerate(deaths):
        if death.get("queue") == queue and death.get("reason") == reason:
            return deaths.pop(index)
    return None


def _cycling_queues(deaths: list[dict[str, FieldValue]], reason: str) -> frozenset[str]:
    """Queues that this message may not enter: it died in them, and nobody rejected it since."""
    if reason == REJECTED:
        return frozenset()
    barred: set[str] = set()
    for death in deaths:
        if death.get("reason") == REJECTED:
            break
        queue = death.get("queue")
        if isinstance(queue, str):
            barred.add(queue)
    return frozenset(barred)
