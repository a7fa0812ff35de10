"""Whether certificates will be valid for long enough; who has them, tells until when each is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

DAYS: Final = {"day": 1, "week": 7, "month": 30, "year": 365}
"""Of each unit, which may have an `s` behind it."""

DAY_MS: Final = 86_400_000

_DIGITS_MAX: Final = 4
"""More digits are no time that anybody plans for, and int() needn't see them."""

SYNTAX: Final = "a number, and days, weeks, months or years, such as 1 month"


def days_of(number: str, unit: str) -> int:
    """How many days that is; ValueError, with the syntax, for what is no time."""
    days = DAYS.get(unit.lower().removesuffix("s"))
    if days is None or not (number.isascii() and number.isdigit() and len(number) <= _DIGITS_MAX):
        raise ValueError(SYNTAX)
    return int(number) * days


def expiring(valid_until_ms: Mapping[str, int], days: int, now_ms: int) -> dict[str, int]:
    """Those that aren't valid any more in so many days; times in milliseconds since 1970."""
    then_ms = now_ms + days * DAY_MS
    return {name: at_ms for name, at_ms in valid_until_ms.items() if at_ms <= then_ms}
