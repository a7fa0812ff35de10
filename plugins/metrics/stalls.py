"""How often and how long nobody was served because of what somebody had done (core/stalls.py), as metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.plugins.metrics.encoding import Family, Series

if TYPE_CHECKING:
    from collections.abc import Iterator

    from warren.core.stalls import Stalls


def stall_families(stalls: Stalls) -> Iterator[Family]:
    """Three families of one series."""
    often = "How often something took a tenth of a second or more, in which nobody was served."
    yield Family("warren_stalls_total", "counter", often, (Series({}, stalls.count),))
    yield Family("warren_stall_seconds_total", "counter", "How long those took.", (Series({}, stalls.total_s),))
    longest = "How long the longest of them took."
    yield Family("warren_longest_stall_seconds", "gauge", longest, (Series({}, stalls.longest_s),))
