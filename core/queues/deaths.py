"""A message's history of deaths, as its headers tell it (spec A.7).

`x-death` is an array with one table per (queue, reason), the latest first; beside it stand `x-first-death-*` and
`x-last-death-*`.  The history travels in the headers, so it survives whatever the message goes through, and one that a
client carried over by publishing a dead letter again is continued: its counts go on, as applications expect that retry
by republishing.

What a client says is never a reason to lose a message, though.  Which of the deaths the broker made itself since the
message was last published is in a header of the broker's own (`HIDDEN_DEATHS`), which is taken off whatever clients
publish: so many entries at the beginning of `x-death` are its own.  Only those bar a queue (`cycling_queues`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from warren.core.messages.checks import HIDDEN_DEATHS

if TYPE_CHECKING:
    from warren.core.messages.field_table import FieldValue
    from warren.core.messages.properties import Properties

REJECTED: Final = "rejected"
EXPIRED: Final = "expired"
MAXLEN: Final = "maxlen"
DELIVERY_LIMIT: Final = "delivery_limit"

COUNT_MAX: Final = 2**63 - 1
"""What the table's integers hold; a client may carry over any number."""

DEATH_HEADERS: Final = (
    "x-death",
    *(f"x-{which}-death-{what}" for which in ("first", "last") for what in ("reason", "queue", "exchange")),
)
"""All headers of the history."""

Death = dict[str, "FieldValue"]
"""One table of `x-death`."""


def without_deaths(properties: Properties) -> Properties:
    """The properties without what a message's former life left in its headers."""
    headers = properties.headers
    carried = [name for name in DEATH_HEADERS if name in headers] if headers else []
    return properties.with_header_entries({}, remove=carried) if carried else properties


def deaths_in(headers: Mapping[str, FieldValue]) -> list[Death]:
    """The whole history, the latest death first; what isn't shaped like one counts as none."""
    found = headers.get("x-death")
    if not isinstance(found, list):
        return []
    return [dict(death) for death in found if isinstance(death, dict)]


def own_count(headers: Mapping[str, FieldValue]) -> int:
    """How many of the latest deaths the broker made since the message was published."""
    found = headers.get(HIDDEN_DEATHS)
    return found if isinstance(found, int) else 0


def own_deaths(properties: Properties) -> list[Death]:
    """The deaths since the message was last published, whatever its publisher says of earlier ones; latest first."""
    headers = properties.headers
    count = own_count(headers) if headers else 0
    return deaths_in(headers)[:count] if headers and count else []


def take(deaths: list[Death], queue: str, reason: str) -> tuple[int, Death] | None:
    """Remove the death of this queue and reason: its index and itself, with a count that can go on; None without."""
    for index, death in enumerate(deaths):
        if death.get("queue") == queue and death.get("reason") == reason:
            count = death.get("count")
            death["count"] = max(count, 0) if isinstance(count, int) else 0
            del deaths[index]
            return index, death
    return None


def cycling_queues(own: Sequence[Death], reason: str) -> frozenset[str]:
    """Queues that a message may not enter which dies for `reason`: it died in them, and nobody rejected it since.

    own: the deaths that the broker made since the message was published, this one included, the latest first.
    """
    if reason == REJECTED:
        return frozenset()
    barred: set[str] = set()
    for death in own:
        if death.get("reason") == REJECTED:
            break
        queue = death.get("queue")
        if isinstance(queue, str):
            barred.add(queue)
    return frozenset(barred)
