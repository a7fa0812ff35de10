"""The definition store of `--in-memory`: rows live as long as the object.

It keeps the letter of the contract (order, copies, refused values, `dirty`), so that parts tested with it
behave the same over SQLite.  There is nothing to sync, and what is not committed is as present as what is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from warren.core.storage.definitions.encoding import decode_value, encode_value
from warren.core.storage.definitions.store import JSON, DefinitionStore, Row


class MemoryDefinitionStore(DefinitionStore):
    """Rows in a dict, which keeps the order of first insertion as the contract asks."""

    __slots__ = ("_dirty", "_last_ids", "_rows")

    durable: ClassVar[bool] = False

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str, str], str] = {}
        self._last_ids: dict[str, int] = {}
        self._dirty = False

    def put(self, kind: str, vhost: str, name: str, value: Mapping[str, JSON]) -> None:
        self._rows[kind, vhost, name] = encode_value(value)
        self._dirty = True

    def delete(self, kind: str, vhost: str, name: str) -> None:
        self._rows.pop((kind, vhost, name), None)
        self._dirty = True

    def delete_beginning(self, kind: str, vhost: str, beginning: str) -> None:
        for key in [key for key in self._rows if key[:2] == (kind, vhost) and key[2].startswith(beginning)]:
            del self._rows[key]
        self._dirty = True

    def delete_vhost(self, vhost: str) -> None:
        if not vhost:
            raise ValueError("rows that belong to no vhost can't be deleted as a vhost")
        for key in [key for key in self._rows if key[1] == vhost]:
            del self._rows[key]
        self._dirty = True

    def clear(self) -> None:
        self._rows.clear()
        self._dirty = True

    def load(self) -> Iterator[Row]:
        rows = list(self._rows.items())
        return ((kind, vhost, name, decode_value(text)) for (kind, vhost, name), text in rows)

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
