"""Making a failing run short: as few of its actions as still fail in the same way (delta debugging).

Zeller and Hildebrandt's ddmin: parts of the list are left out, halves first, then smaller ones, until leaving out any
single action makes the failure go away.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

Item = TypeVar("Item")


def shrink(items: Sequence[Item], fails: Callable[[Sequence[Item]], bool], tries_max: int = 2_000) -> list[Item]:
    """As few of the items, in their order, as `fails` is still true of; after `tries_max` calls what is left then."""
    kept = list(items)
    parts = 2
    tries = 0
    while len(kept) > 1:
        size = max(1, len(kept) // parts)
        for start in range(0, len(kept), size):
            if tries >= tries_max:
                return kept
            tries += 1
            rest = kept[:start] + kept[start + size :]
            if fails(rest):
                kept = rest
                parts = max(parts - 1, 2)
                break
        else:
            if size == 1:
                return kept
            parts = min(parts * 2, len(kept))
    return kept
