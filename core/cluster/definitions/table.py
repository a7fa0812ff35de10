"""What the bucket holds, as far as this node knows, and what of it counts.

A value counts while everything that it belongs to (`Item.of`) is there, and is what it was then.  That is a function of
the last values of all keys, so all nodes that know the same values come to the same, in whatever order they have heard
of them.  What doesn't count any more is an orphan; it is cleared away some time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from warren.core.cluster.definitions.items import Item

MARKERS_KEPT_MS: Final = 2 * 60 * 60 * 1000
"""How long it is known at which revision a key has gone; the bucket itself forgets it earlier."""


class Known(NamedTuple):
    """Of one key.  item: None where it is gone."""

    revision: int
    item: Item | None


class Table:
    """See the head of this file."""

    __slots__ = ("_belonging", "_gone", "_known")

    def __init__(self) -> None:
        self._known: dict[str, Known] = {}
        self._gone: dict[str, tuple[int, int]] = {}
        self._belonging: dict[str, dict[str, None]] = {}

    def __len__(self) -> int:
        """How many values there are."""
        return len(self._known)

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._known))

    def item(self, key: str) -> Item | None:
        """What a key holds, whether it counts or not."""
        known = self._known.get(key)
        return None if known is None else known.item

    def revision(self, key: str) -> int:
        """The key's; that of its marker where it is gone, 0 where nothing is known of it."""
        known = self._known.get(key)
        return known.revision if known is not None else self._gone.get(key, (0, 0))[0]

    def put(self, key: str, item: Item, revision: int) -> None:
        """A key has a value."""
        self._leave(key)
        self._gone.pop(key, None)
        self._known[key] = Known(revision, item)
        for other in item.of:
            self._belonging.setdefault(other, {})[key] = None

    def remove(self, key: str, revision: int, now_ms: int) -> Item | None:
        """A key is gone; what it held.  revision: its marker's, 0 where there is none."""
        before = self.item(key)
        self._leave(key)
        self._known.pop(key, None)
        if revision:
            self._gone[key] = revision, now_ms
        else:
            self._gone.pop(key, None)
        return before

    def counts(self, key: str) -> bool:
        """Whether it has a value that counts."""
        item = self.item(key)
        return item is not None and all(self._is_still(other, made) for other, made in item.of.items())

    def belonging_to(self, key: str) -> Iterator[str]:
        """What belongs to a key, and what belongs to that, whether it counts or not."""
        for other in list(self._belonging.get(key, ())):
            yield other
            yield from self.belonging_to(other)

    def orphans(self) -> list[str]:
        """Keys whose values don't count any more."""
        return [key for key in self._known if not self.counts(key)]

    def tidy(self, now_ms: int) -> None:
        """Forget markers that the bucket has forgotten."""
        for key in [key for key, (_, at_ms) in self._gone.items() if at_ms < now_ms - MARKERS_KEPT_MS]:
            del self._gone[key]

    def _is_still(self, key: str, made: int) -> bool:
        item = self.item(key)
        return item is not None and item.made == made and self.counts(key)

    def _leave(self, key: str) -> None:
        item = self.item(key)
        for other in () if item is None else item.of:
            belonging = self._belonging.get(other, {})
            belonging.pop(key, None)
            if not belonging:
                self._belonging.pop(other, None)
