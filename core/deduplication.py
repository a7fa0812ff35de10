"""Remembering what was seen before: the window of message deduplication.

A window is bounded by count, by time, or by both; the oldest values go first.  Seeing a value again doesn't renew it:
the window is about the first time, so a stream of duplicates lets the value through once per window.
"""

from __future__ import annotations


class DeduplicationWindow:
    """Values seen lately.

    size: how many are remembered at most, None for any number.  ttl_ms: for how long, in milliseconds, None for ever.
    """

    __slots__ = ("_seen_at_ms", "_size", "_ttl_ms")

    def __init__(self, size: int | None, ttl_ms: int | None) -> None:
        self._size = size
        self._ttl_ms = ttl_ms
        self._seen_at_ms: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._seen_at_ms)

    def seen(self, value: str, now_ms: int) -> bool:
        """True when `value` is in the window; else it is from now on."""
        known = self._seen_at_ms
        if self._ttl_ms is not None:
            self._forget_until(now_ms - self._ttl_ms)
        if value in known:
            return True
        if self._size is not None and len(known) >= self._size:
            del known[next(iter(known))]
        known[value] = now_ms
        return False

    def _forget_until(self, horizon_ms: int) -> None:
        known = self._seen_at_ms
        while known:
            oldest = next(iter(known))
            if known[oldest] > horizon_ms:
                return
            del known[oldest]
