"""Which part of a long list a request asks for, where that isn't one of objects: `?offset=0&count=100`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.plugins.management.errors import bad_request

if TYPE_CHECKING:
    from warren.plugins.management.endpoint import Call

NUMBER_DIGITS_MAX: Final = 12
"""More digits are no place, and int() needn't see them."""

COUNT_DEFAULT: Final = 100


def number(call: Call, name: str) -> int | None:
    """A number from 0 on behind the `?`; None where it isn't there, ApiError for what is none."""
    text = call.query.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= NUMBER_DIGITS_MAX):
        raise bad_request(f"{name} must be a number from 0 on, not '{text:.50}'")
    return int(text)


def offset_and_count(call: Call, count_max: int, reach_max: int | None = None) -> tuple[int, int]:
    """The place to begin at, and how many at most; ApiError for what can't be.

    count_max: the most that are given at a time.  reach_max: the place that isn't gone beyond.
    """
    offset = number(call, "offset") or 0
    given = number(call, "count")
    count = min(COUNT_DEFAULT, count_max) if given is None else given
    if not 1 <= count <= count_max:
        raise bad_request(f"count must be a number from 1 to {count_max}")
    if reach_max is not None and offset + count > reach_max:
        raise bad_request(f"offset and count together go beyond {reach_max}: ask for less, or more narrowly")
    return offset, count
