"""Which segments of a stream are old enough to go: always whole ones, always the oldest, and never the last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple


class Retention(NamedTuple):
    """What a stream keeps; None: without bound.

    bytes_max: of all its segments.  age_max_ms: since the last message of a segment was stored, in milliseconds.
    """

    bytes_max: int | None = None
    age_max_ms: int | None = None


KEEP_ALL: Final = Retention()


class Kept(NamedTuple):
    """What has to be known of a segment: its size in bytes, and when its last message was stored."""

    size: int
    last_ms: int


def expired(retention: Retention, segments: Sequence[Kept], now_ms: int) -> int:
    """How many of the segments, oldest first, are to go; whichever bound says so (spec H.2)."""
    going = 0
    size = sum(each.size for each in segments)
    for segment in segments[:-1]:
        is_too_much = retention.bytes_max is not None and size > retention.bytes_max
        is_too_old = retention.age_max_ms is not None and segment.last_ms < now_ms - retention.age_max_ms
        if not (is_too_much or is_too_old):
            break
        size -= segment.size
        going += 1
    return going


def next_expiry_ms(retention: Retention, segments: Sequence[Kept]) -> int | None:
    """When the oldest segment will be too old, in milliseconds since 1970; None where that doesn't come by itself."""
    if retention.age_max_ms is None or len(segments) < 2:
        return None
    return segments[0].last_ms + retention.age_max_ms + 1
