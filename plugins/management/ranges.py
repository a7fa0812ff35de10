"""Which samples a request wants: `msg_rates_age=600&msg_rates_incr=5` are ten minutes, a sample every five seconds.

There are four pairs of parameters, one for each sort of figure (spec F.1); without them an answer has the rate alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.core.frozen import frozen
from warren.plugins.management.errors import bad_request

if TYPE_CHECKING:
    from collections.abc import Mapping

MESSAGE_RATES: Final = "msg_rates"
LENGTHS: Final = "lengths"
DATA_RATES: Final = "data_rates"
NODE_STATS: Final = "node_stats"
SORTS: Final = (MESSAGE_RATES, LENGTHS, DATA_RATES, NODE_STATS)
"""RabbitMQ's prefixes: of counts of messages, of how many are in queues, of octets and churn, of the node's figures."""

LENGTH_NAMES: Final = ("messages", "messages_ready", "messages_unacknowledged")
"""The lengths of a queue, or of many."""

SAMPLES_MAX: Final = 1_000
"""Of one figure in one answer; a chart is no wider, and each takes some fifty bytes."""

_DIGITS_MAX: Final = 9
"""More digits are no number of seconds, and int() needn't see them."""


@frozen
class Span:
    """The latest `age_ms`, a sample every `step_ms`."""

    age_ms: int
    step_ms: int


Spans = dict[str, Span]
"""By the sort of figures; only those that are asked for."""


def spans_of(query: Mapping[str, str]) -> Spans:
    """What is asked for behind the `?`; ApiError for what is none."""
    found: Spans = {}
    for sort in SORTS:
        age, step = query.get(f"{sort}_age"), query.get(f"{sort}_incr")
        if age is None or step is None:
            continue
        if not (_is_number(age) and _is_number(step) and int(step) > 0 and int(age) // int(step) < SAMPLES_MAX):
            raise bad_request(
                f"Invalid range parameters: age {age:.20}, incr {step:.20}: both are numbers of seconds, incr from 1 "
                f"on, and there are at most {SAMPLES_MAX} samples"
            )
        found[sort] = Span(int(age) * 1000, int(step) * 1000)
    return found


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX
