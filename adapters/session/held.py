"""What one session holds back while an alarm blocks publishing: frames or packets, in the order in which they came.

Which have to wait is for the protocol to say: from the first publish under the alarm on, nearly everything, since what
comes behind a publish must not overtake it; acknowledgements don't, as they free what is short.  What is kept is
bounded: past `HELD_BYTES_MAX` the connection isn't read any more, and TCP holds back the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from warren.adapters.session.read_gate import HELD_BACK

if TYPE_CHECKING:
    from warren.adapters.session.read_gate import ReadGate

HELD_BYTES_MAX: Final = 1024 * 1024
"""Per connection; a publisher fills it in a moment."""

Item = TypeVar("Item")


class Held(Generic[Item]):
    """Of one session, or of what waits in it for one reason.

    size_of: how many bytes an item takes, roughly.  reason: why the connection isn't read when they are too many.
    """

    __slots__ = ("_bytes", "_gate", "_items", "_reason", "_size_of")

    def __init__(self, gate: ReadGate, size_of: Callable[[Item], int], reason: int = HELD_BACK) -> None:
        self._gate = gate
        self._reason = reason
        self._size_of = size_of
        self._items: list[Item] = []
        self._bytes = 0

    def __len__(self) -> int:
        """How many there are."""
        return len(self._items)

    def __bool__(self) -> bool:
        return len(self) > 0

    def add(self, item: Item) -> None:
        """Keep one more, behind the others."""
        self._items.append(item)
        self._bytes += self._size_of(item)
        if self._bytes > HELD_BYTES_MAX:
            self._gate.close(self._reason)

    def take(self) -> list[Item]:
        """All of them, which are held back no more."""
        items = self._items
        self._keep([])
        return items

    def release(self, handle: Callable[[list[Item]], int]) -> list[Item]:
        """Have `handle` take as many as it can, from the front; it says how many that were.  Gives what stays."""
        items = self._items
        self._items, self._bytes = [], 0
        left = items[handle(items) :]
        self._keep([*left, *self._items])
        return self._items

    def drop(self, is_void: Callable[[Item], bool]) -> None:
        """Forget those that are void."""
        self._keep([item for item in self._items if not is_void(item)])

    def clear(self) -> None:
        """The connection ends: nobody reads it any more, whatever the gate says."""
        self._items, self._bytes = [], 0

    def _keep(self, items: list[Item]) -> None:
        self._items = items
        self._bytes = sum(map(self._size_of, items))
        if self._bytes <= HELD_BYTES_MAX:
            self._gate.open(self._reason)
