"""Percentiles of times, as figures."""

from __future__ import annotations

from collections.abc import Sequence

SHARES = {"p50 ms": 0.5, "p99 ms": 0.99, "p99.9 ms": 0.999}


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    """The median and what one in a hundred and one in a thousand exceeds, in milliseconds."""
    ordered = sorted(seconds)
    return {name: 1000 * ordered[min(int(len(ordered) * share), len(ordered) - 1)] for name, share in SHARES.items()}
