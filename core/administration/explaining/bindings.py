"""The bindings of an exchange on a message's way: which lead it on, and which came near, in slices."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from heapq import heappush, heapreplace
from itertools import islice
from typing import TYPE_CHECKING, Final

from warren.core.administration.definitions_json.field_values import table_to_json
from warren.core.administration.explaining.explanation import BindingSeen, Step
from warren.core.exchanges.reasons import Reason

if TYPE_CHECKING:
    from warren.core.exchanges.base import Exchange
    from warren.core.exchanges.binding import Binding, Destination
    from warren.core.messages.properties import Properties
    from warren.core.routing.walk import Visit

LOOKED_AT_MAX: Final = 20_000
"""Bindings of one exchange that are compared: half a second's work, in slices.  What the message goes by is known
without them; only its reasons and the near misses are looked for."""

SHOWN_MAX: Final = 50
"""Bindings that are listed of each sort; more than that nobody reads."""

SLICE_WORK: Final = 4000
"""In words and headers that are compared, and as many for each binding as it takes to look at it at all: two
milliseconds."""

WORK_OF_ONE: Final = 30


def look_at_bindings(
    step: Step, exchange: Exchange, visits: Sequence[Visit], properties: Properties
) -> Generator[None, None, None]:
    """Put into `step` what the bindings of `exchange` have to do with a message whose walk noted `visits` there."""
    keys = [visit.routing_key for visit in visits]
    targets = {id(target) for visit in visits for target in visit.targets}
    nearest: list[tuple[int, int, Binding, str]] = []
    work = 0
    work_of_one = WORK_OF_ONE + len(properties.headers or ()) + sum(key.count(".") + 1 for key in keys)
    # A copy, since others bind and unbind while this gives way.
    bindings = list(islice(exchange.bindings, LOOKED_AT_MAX))
    step.binding_count = len(exchange.bindings)
    for number, binding in enumerate(bindings):
        reason = _reason(exchange, binding, keys, targets, properties)
        step.looked_at += 1
        if reason.matches:
            step.matched_count += 1
            if len(step.matched) < SHOWN_MAX:
                step.matched.append(_seen(binding, reason.text, matched=True))
        else:
            step.missed_count += 1
            entry = (-reason.distance, -number, binding, reason.text)
            if len(nearest) < SHOWN_MAX:
                heappush(nearest, entry)
            elif entry > nearest[0]:
                heapreplace(nearest, entry)
        work += work_of_one
        if work >= SLICE_WORK:
            work = 0
            yield
    nearest.sort(reverse=True)
    step.missed = [_seen(binding, text, matched=False) for _, _, binding, text in nearest]


def _reason(
    exchange: Exchange, binding: Binding, keys: Sequence[str], targets: set[int], properties: Properties
) -> Reason:
    if exchange.picks_one:
        return _picked(exchange, binding.target, targets)
    reasons = [exchange.reason(binding, key, properties.headers, properties) for key in keys]
    return min(reasons, key=lambda reason: (not reason.matches, reason.distance))


def _picked(exchange: Exchange, target: Destination, targets: set[int]) -> Reason:
    if id(target) in targets:
        how = "by chance, this time" if "random" in exchange.type_name else "by the hash of the message"
        return Reason(True, 0, f"the exchange picks one target, and it is this one, {how}")
    return Reason(False, 1, "the exchange picks one target, and it is another one")


def _seen(binding: Binding, reason: str, *, matched: bool) -> BindingSeen:
    return BindingSeen(
        binding.target.name,
        binding.target.kind,
        binding.routing_key,
        dict(table_to_json(binding.arguments)),
        binding.properties_key,
        matched,
        reason,
    )
