"""A setting that a policy may hold: its name, what it accepts, and how two values of it come together (spec G).

The kinds of values and the ways to merge are here, too, so that whoever obeys a setting declares it: an argument of a
queue that policies may set as well carries its setting (core/queues/classic/rules.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from warren.core.frozen import frozen
from warren.core.patterns.compiling import check_pattern

if TYPE_CHECKING:
    from warren.core.storage.definitions.store import JSON

INTEGER_MAX: Final = 2**63 - 1
"""What an AMQP table can hold; RabbitMQ's integers know no bound."""

NAME_BYTES_MAX: Final = 255
"""Names of exchanges and routing keys are short strings (AMQP 0-9-1, 4.2.5.3)."""

Merge = Callable[["JSON", "JSON"], "JSON"]
"""(value of the user policy, value of the operator policy) -> what counts."""


@frozen
class Setting:
    """One key of a policy's definition.

    meaning: what a value is, for texts such as `-1 is not a valid maximum length`.  allowed: completes "must be ...".
    merge: None when operator policies may not hold it.
    """

    name: str
    meaning: str
    allowed: str
    accepts: Callable[[JSON], bool]
    merge: Merge | None = None


# What values are accepted, and how that is said

FROM_0: Final = "an integer from 0"
FROM_1: Final = "an integer from 1"
NAME: Final = f"a string of at most {NAME_BYTES_MAX} bytes"
MILLISECONDS: Final = ", in milliseconds"


def integer(minimum: int | None, maximum: int = INTEGER_MAX) -> Callable[[JSON], bool]:
    """A whole number within these bounds."""
    lowest = -INTEGER_MAX if minimum is None else minimum

    def accepts(value: JSON) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and lowest <= value <= maximum

    return accepts


def one_of(*allowed: JSON) -> Callable[[JSON], bool]:
    """One of these values, of the same type."""
    return lambda value: any(type(value) is type(each) and value == each for each in allowed)


def words(allowed: Sequence[str]) -> str:
    """The text for `one_of` of these."""
    return "one of " + ", ".join(allowed)


def is_name(value: JSON) -> bool:
    """The name of an exchange, or a routing key."""
    return isinstance(value, str) and len(value.encode("utf-8", "surrogatepass")) <= NAME_BYTES_MAX


def is_text(value: JSON) -> bool:
    """Any string but the empty one."""
    return isinstance(value, str) and value != ""


def is_pattern(value: JSON) -> bool:
    """A regular expression."""
    try:
        return isinstance(value, str) and check_pattern(value) is not None
    except ValueError:
        return False


AGE_UNITS_MS: Final = {
    "Y": 365 * 86_400_000,
    "M": 30 * 86_400_000,
    "D": 86_400_000,
    "h": 3_600_000,
    "m": 60_000,
    "s": 1000,
}
"""RabbitMQ's years and months have so many days."""


def age_ms(text: str) -> int | None:
    """An age of RabbitMQ's streams, such as 7D, in milliseconds; None for what is none."""
    found = re.fullmatch("([0-9]{1,18})([YMDhms])", text)
    if found is None or not int(found[1]):
        return None
    return int(found[1]) * AGE_UNITS_MS[found[2]]


def is_max_age(value: JSON) -> bool:
    """The same as a test."""
    return isinstance(value, str) and age_ms(value) is not None


def anything(value: JSON) -> bool:
    """Whatever it is."""
    return True


# How values merge


def least(user: JSON, operator: JSON) -> JSON:
    """The smaller number: an operator bounds what users may ask for."""
    if isinstance(user, int) and isinstance(operator, int):
        return min(user, operator)
    return operator


def least_limit(user: JSON, operator: JSON) -> JSON:
    """A negative delivery limit means none, so it is the larger one whatever its value (spec G)."""
    if isinstance(user, int) and isinstance(operator, int) and (user < 0 or operator < 0):
        return max(user, operator)
    return least(user, operator)


def largest(user: JSON, operator: JSON) -> JSON:
    """The larger number."""
    if isinstance(user, int) and isinstance(operator, int):
        return max(user, operator)
    return operator


def operators_word(user: JSON, operator: JSON) -> JSON:
    """What the operator says."""
    return operator
