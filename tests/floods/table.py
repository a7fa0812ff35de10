"""All floods by name: what is done, at full size by hand, and at a small one whenever the tests run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tests.floods.stage import Stage


@dataclass(frozen=True, slots=True)
class Flood:
    """size: how much of it is asked for at full size; small: in the tests.

    calls: of functions that a step may make at the small size: about twice what it makes, and far less than all of it
    takes.  0: it isn't cut into turns, as docs/floods.md says, and isn't among the tests.
    """

    name: str
    do: Callable[[Stage], None]
    size: int
    small: int
    calls: int


FLOODS: Final[dict[str, Flood]] = {}


def flood(size: int, *, small: int, calls: int) -> Callable[[Callable[[Stage], None]], Callable[[Stage], None]]:
    """Enter a function into the table."""

    def enter(do: Callable[[Stage], None]) -> Callable[[Stage], None]:
        FLOODS[do.__name__] = Flood(do.__name__, do, size, small, calls)
        return do

    return enter
