"""The definition store of `--in-memory`: rows live as long as the object.

It keeps the letter of the contract (order, copies, refused values, `dirty`), so that parts tested with it
behave the same over SQLite.  There is nothing to sync, and what is not committed is as present as what is.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, ClassVar

from warren.core.storage.definitions.deletions import NAMES_PER_SLICE, Deletion
from warren.core.storage.definitions.encoding import decode_value, encode_value
from warren.core.storage.definitions.store import JSON, DefinitionStore, Row

if TYPE_CHECKING:
    from collections.abc import Mapping

    from warren.core.chores import Slice

_Key = tuple[str, str, str]


class MemoryDefinitionStore(DefinitionStore):
    """Rows in dicts, one for each virtual host and kind, with their positions in the order of first insertion."""

    __slots__ = ("_deletions", "_dirty", "_last_ids", "_last_position", "_rows")

    durable: ClassVar[bool] = False

    def __init__(self) -> None:
        self._rows: dict[str, dict[str, dict[str, tuple[int, str]]]] = {}
        self._last_position = 0
        self._last_ids: dict[str, int] = {}
        self._deletions: list[Deletion] = []
        self._dirty = False

    def put(self, kind: str, vhost: str, name: str, value: Mapping[str, JSON]) -> None:
        text = encode_value(value)
        rows = self._rows.setdefault(vhost, {}).setdefault(kind, {})
        position = rows[name][0] if name in rows else 0
        if not position or self._is_leaving(kind, vhost, name, position):
            self._last_position = position = self._last_position + 1
        rows[name] = position, text
        self._dirty = True

    def delete(self, kind: str, vhost: str, name: str) -> None:
        self._rows.get(vhost, {}).get(kind, {}).pop(name, None)
        self._dirty = True

    def delete_beginning(self, kind: str, vhost: str, beginning: str) -> Slice | None:
        return self._delete_all(kind, vhost, beginning)

    def delete_vhost(self, vhost: str) -> Slice | None:
        if not vhost:
            raise ValueError("rows that belong to no vhost can't be deleted as a vhost")
        return self._delete_all(None, vhost, "")

    def clear(self) -> None:
        self._rows.clear()
        self._deletions.clear()
        self._dirty = True

    def load(self) -> Iterator[Row]:
        found = [
            (position, kind, vhost, name, text)
            for vhost, kinds in self._rows.items()
            for kind, rows in kinds.items()
            for name, (position, text) in rows.items()
            if not self._is_leaving(kind, vhost, name, position)
        ]
        found.sort()
        return ((kind, vhost, name, decode_value(text)) for _, kind, vhost, name, text in found)

    def next_id(self, counter: str) -> int:
        identifier = self._last_ids.get(counter, 0) + 1
        self._last_ids[counter] = identifier
        return identifier

    def skip_ids(self, counter: str, last: int) -> None:
        self._last_ids[counter] = max(last, self._last_ids.get(counter, 0))

    def has_room(self, value_bytes: int = 0) -> bool:
        return True

    def damage(self) -> list[str]:
        return []

    def damage_seen_to(self) -> None:
        pass

    @property
    def dirty(self) -> bool:
        return self._dirty

    def commit(self) -> None:
        self._dirty = False

    @property
    def unsynced(self) -> bool:
        return False

    def sync(self) -> None:
        pass

    def close(self) -> None:
        pass

    def _is_leaving(self, kind: str, vhost: str, name: str, position: int) -> bool:
        return any(each.covers(kind, vhost, name, position) for each in self._deletions)

    def _delete_all(self, kind: str | None, vhost: str, beginning: str) -> Slice | None:
        kinds = self._rows.get(vhost, {})
        names = ((each, name) for each in list(kinds) if kind in (None, each) for name in list(kinds[each]))
        deletion = Deletion(kind, vhost, beginning, self._last_position + 1)
        self._deletions.append(deletion)
        rest = partial(self._delete_some, deletion, names)
        return rest if rest() else None

    def _delete_some(self, deletion: Deletion, names: Iterator[tuple[str, str]]) -> bool:
        """Look at the next names, and delete those that are to go; False when those were the last."""
        if deletion not in self._deletions:
            return False
        kinds = self._rows.get(deletion.vhost, {})
        count = 0
        for kind, name in islice(names, NAMES_PER_SLICE):
            count += 1
            row = kinds.get(kind, {}).get(name)
            if row is not None and deletion.covers(kind, deletion.vhost, name, row[0]):
                del kinds[kind][name]
        self._dirty = True
        if count < NAMES_PER_SLICE:
            self._deletions.remove(deletion)
        return count == NAMES_PER_SLICE
