"""Who wants to know that a stream is deleted, beside its consumers: publishers of its own protocol."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from warren.core.chores import Chores

TOLD_PER_SLICE: Final = 500
"""In one turn, some microseconds each."""


class WhenGone:
    """Of one stream; what is called raises nothing."""

    __slots__ = ("_calls",)

    def __init__(self) -> None:
        self._calls: dict[Callable[[], None], None] = {}

    def add(self, call: Callable[[], None]) -> None:
        """Have it called."""
        self._calls[call] = None

    def remove(self, call: Callable[[], None]) -> None:
        """Undo `add`."""
        self._calls.pop(call, None)

    def tell(self, chores: Chores) -> None:
        """The stream is deleted: call some of them now, and the others in later turns."""
        if self._tell_some():
            chores.add(self._tell_some)

    def _tell_some(self) -> bool:
        for call in list(self._calls)[:TOLD_PER_SLICE]:
            self._calls.pop(call, None)
            call()
        return bool(self._calls)
