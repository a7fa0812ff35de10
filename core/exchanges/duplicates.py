"""Deduplication before routing, for an exchange of any type that was declared with `x-message-deduplication`.

Arguments: `x-cache-size` (how many values are remembered), `x-cache-ttl` (for how long, in milliseconds) and
`x-deduplication-header` (the header that holds the value, `x-deduplication-header` by default).  A message whose value
was seen before goes nowhere, and is confirmed; one without that header is never a duplicate.  A message that nothing
took (refused by a full queue, or without any target) doesn't count as seen, so that it may be sent again.

What was seen is kept in memory: after a restart every value is new.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from warren.core.errors import PreconditionFailed
from warren.core.limit_hits import limited
from warren.core.messages.deduplication import DeduplicationWindow, fingerprint

if TYPE_CHECKING:
    from warren.core.messages.field_table import FieldValue
    from warren.core.messages.message import Message

SWITCH: Final = "x-message-deduplication"
CACHE_SIZE: Final = "x-cache-size"
CACHE_TTL: Final = "x-cache-ttl"
HEADER: Final = "x-deduplication-header"

DEDUPLICATION_ARGUMENTS: Final = (SWITCH, CACHE_SIZE, CACHE_TTL, HEADER)

SIZE_DEFAULT: Final = 1000
"""Remembered values when neither a count nor a time is given."""

LIMIT_MAX: Final = 315_360_000_000
"""Ten years in milliseconds, as for the TTL of queues; as a count it is no bound at all."""


class DuplicateFilter:
    """The window of one exchange, and the header that it looks at."""

    __slots__ = ("_header", "_window")

    def __init__(self, window: DeduplicationWindow, header: str) -> None:
        self._window = window
        self._header = header

    def is_duplicate(self, message: Message, now_ms: int) -> bool:
        """True when the message's value was seen before; else it is now."""
        value = self.value_of(message)
        return value is not None and self._window.seen(value, now_ms)

    def knows(self, message: Message, now_ms: int) -> bool:
        """Whether `is_duplicate` would say True, without anything being remembered."""
        value = self.value_of(message)
        return value is not None and self._window.knows(value, now_ms)

    def forget(self, message: Message) -> None:
        """The message was not taken: it is no duplicate when it comes again."""
        value = self.value_of(message)
        if value is not None:
            self._window.forget(value)

    # For many messages together (core.routing.staged_duplicates)

    @property
    def size(self) -> int | None:
        """How many values are remembered at most; None for any number."""
        return self._window.size

    def knows_value(self, value: str, now_ms: int) -> bool:
        """As `knows`, of what a message is known by."""
        return self._window.knows(value, now_ms)

    def pushes_out(self, count: int) -> bool:
        """Whether so many new values would have the window forget others."""
        size = self._window.size
        return size is not None and len(self._window) + count > size

    def remember(self, value: str, now_ms: int) -> None:
        """A message with this value has been published."""
        self._window.seen(value, now_ms)

    def value_of(self, message: Message) -> str | None:
        """What the message is known by; None for one that never is a duplicate."""
        headers = message.properties.headers
        return fingerprint(headers.get(self._header)) if headers else None


def duplicate_filter(arguments: Mapping[str, FieldValue]) -> DuplicateFilter | None:
    """The filter that the arguments of a declaration ask for, if any.

    Raises PreconditionFailed (406) for an argument of another type or out of range, wanted or not.
    """
    if not any(name in arguments for name in DEDUPLICATION_ARGUMENTS):
        return None
    switched_on = arguments.get(SWITCH, False)
    if not isinstance(switched_on, bool):
        raise _invalid(SWITCH, f"{switched_on!r} is neither true nor false")
    size = _number(arguments, CACHE_SIZE)
    ttl_ms = _number(arguments, CACHE_TTL)
    header = arguments.get(HEADER, HEADER)
    if not isinstance(header, str):
        raise _invalid(HEADER, f"{header!r} is no string")
    if not switched_on:
        return None
    if size is None and ttl_ms is None:
        size = SIZE_DEFAULT
    return DuplicateFilter(DeduplicationWindow(size, ttl_ms), header)


def _number(arguments: Mapping[str, FieldValue], name: str) -> int | None:
    if name not in arguments:
        return None
    value = arguments[name]
    if isinstance(value, bool) or not isinstance(value, int):
        raise _invalid(name, f"{value!r} is no integer")
    if not 1 <= value <= LIMIT_MAX:
        raise limited(_invalid(name, f"{value} is not within 1 and {LIMIT_MAX}"), "values of arguments")
    return int(value)


def _invalid(name: str, reason: str) -> PreconditionFailed:
    return PreconditionFailed(f"invalid arg '{name}' for an exchange: {reason}")
