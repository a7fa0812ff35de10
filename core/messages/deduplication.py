"""Remembering what was seen before: the window of message deduplication.

A window is bounded by count, by time, or by both; the oldest values go first.  Seeing a value again doesn't renew it:
the window is about the first time, so a stream of duplicates lets the value through once per window.

`_seen_at_ms` answers whether a value is known, `_order` which one is the oldest: looking for the first key of a dict
that keeps losing its first keys would walk over ever more holes.  What was forgotten out of turn stays in `_order`
until it gets to its front, where its time tells it from the same value seen again.
"""

from __future__ import annotations

from collections import deque
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from warren.core.messages.field_table import FieldValue

FINGERPRINT_CHARACTERS_MAX: Final = 64
"""Longer values are remembered by their hash, so that a window's memory is bounded by its count."""

HASH_SIZE_BYTES: Final = 24
"""192 bits: two different values never hash alike by chance."""


class DeduplicationWindow:
    """Values seen lately.

    size: how many are remembered at most, None for any number.  ttl_ms: for how long, in milliseconds, None for ever.
    """

    __slots__ = ("_order", "_seen_at_ms", "_ttl_ms", "size")

    def __init__(self, size: int | None, ttl_ms: int | None) -> None:
        self.size = size
        self._ttl_ms = ttl_ms
        self._seen_at_ms: dict[str, int] = {}
        self._order: deque[tuple[str, int]] = deque()

    def __len__(self) -> int:
        return len(self._seen_at_ms)

    def __bool__(self) -> bool:
        return len(self) > 0

    def seen(self, value: str, now_ms: int) -> bool:
        """True when `value` is in the window; else it is from now on.  Constant time on average.

        now_ms: the time, which must not run backwards from call to call.
        """
        known = self._seen_at_ms
        if self._ttl_ms is not None:
            self._forget_until(now_ms - self._ttl_ms)
        if value in known:
            return True
        known[value] = now_ms
        self._order.append((value, now_ms))
        if self.size is not None:
            while len(known) > self.size or len(self._order) > 2 * self.size + 1:
                self._forget_oldest()
        return False

    def knows(self, value: str, now_ms: int) -> bool:
        """Whether `seen` would say True, without anything being remembered."""
        at_ms = self._seen_at_ms.get(value)
        return at_ms is not None and (self._ttl_ms is None or at_ms > now_ms - self._ttl_ms)

    def forget(self, value: str) -> None:
        """Let `value` through next time, because what it came with was not taken after all."""
        self._seen_at_ms.pop(value, None)

    def _forget_until(self, horizon_ms: int) -> None:
        order = self._order
        while order and order[0][1] <= horizon_ms:
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        value, at_ms = self._order.popleft()
        if self._seen_at_ms.get(value) == at_ms:
            del self._seen_at_ms[value]


def fingerprint(value: FieldValue) -> str | None:
    """What a header's value is remembered by; None for a void, which marks nothing.

    Texts and numbers that read alike are alike.  The fingerprint of a long value is short.
    """
    if value is None:
        return None
    text = value if isinstance(value, str) else str(value)
    if len(text) <= FINGERPRINT_CHARACTERS_MAX:
        return text
    return "#" + blake2b(text.encode("utf-8", "surrogateescape"), digest_size=HASH_SIZE_BYTES).hexdigest()
