"""What the headers of a message say about when it is to be delivered by an x-delayed-message exchange.

`x-deliver-at` is a point in time: a timestamp (seconds since 1970), or an integer or decimal string in milliseconds
since 1970.  `x-delay` is a duration in milliseconds from the publish on: an integer of any width, a decimal string, or
a float, which is cut to an integer.  When both are usable, `x-deliver-at` counts.  Anything else in them, a duration
that isn't positive and a time that isn't ahead mean: at once (as in RabbitMQ's plugin).

On delivery `x-delay` is negated, so that consumers see that the message was delayed, and one that is published again
as it came isn't delayed again.  An `x-deliver-at` is in the past then and needs no change.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from warren.core.messages.field_table import Encodable, Typed
from warren.core.messages.timestamp import Timestamp

if TYPE_CHECKING:
    from warren.core.messages.field_table import FieldValue
    from warren.core.messages.properties import Properties

DELAY: Final = "x-delay"
DELIVER_AT: Final = "x-deliver-at"

TIME_MS_MAX: Final = (1 << 63) - 1
"""292 million years after 1970, the latest time that a record in the message log can hold; later ones mean this."""

DIGITS_MAX: Final = 19
"""A longer number is later than `TIME_MS_MAX`, and not worth converting."""

_INT32_MAX: Final = (1 << 31) - 1


def due_at_ms(headers: Mapping[str, FieldValue] | None, now_ms: int) -> int | None:
    """When a message with these headers, published now, is due, in milliseconds since 1970; None: at once."""
    if not headers:
        return None
    at_ms = _deliver_at_ms(headers.get(DELIVER_AT))
    if at_ms is None:
        delay_ms = _number(headers.get(DELAY))
        if delay_ms is None or delay_ms <= 0:
            return None
        at_ms = now_ms + delay_ms
    return min(at_ms, TIME_MS_MAX) if at_ms > now_ms else None


def counts_from_publish(headers: Mapping[str, FieldValue] | None) -> bool:
    """Whether the time when a message with these headers is due depends on when it is published."""
    return not headers or _deliver_at_ms(headers.get(DELIVER_AT)) is None


def with_delay_negated(properties: Properties) -> Properties:
    """The properties as the consumers of a delayed message see them."""
    headers = properties.headers
    value = headers.get(DELAY) if headers else None
    delay_ms = _number(value)
    if delay_ms is None or delay_ms <= 0:
        return properties
    negated: Encodable
    if delay_ms <= _INT32_MAX:
        negated = Typed("I", -delay_ms)
    elif delay_ms <= TIME_MS_MAX:
        negated = -delay_ms
    else:
        negated = str(-delay_ms)
    return properties.with_header_entries({DELAY: negated})


def _deliver_at_ms(value: FieldValue) -> int | None:
    return int(value) * 1000 if isinstance(value, Timestamp) else _number(value)


def _number(value: FieldValue) -> int | None:
    """The integer that a header means, None when it means none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return int(value) if math.isfinite(value) else None
    if isinstance(value, str):
        return _decimal(value)
    return None


def _decimal(text: str) -> int | None:
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()):
        return None
    digits = digits.lstrip("0") or "0"
    number = int(digits) if len(digits) <= DIGITS_MAX else 10**DIGITS_MAX
    return -number if text.startswith("-") else number
