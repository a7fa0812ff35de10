"""Rows beside each other in the index of the definitions: those of a long deletion, and where its slices end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from warren.core.storage.definitions.encoding import encode_name

if TYPE_CHECKING:
    from warren.core.storage.definitions.deletions import Deletion

Place: TypeAlias = tuple[str, bytes]
"""Kind and name of a row of some virtual host, in their order."""

RANGE: Final = "vhost = ? AND (kind, name) >= (?, ?) AND (kind, name) < (?, ?)"
"""Rows of a virtual host from one place up to another."""

NTH: Final = f"SELECT kind, name FROM definitions WHERE {RANGE} ORDER BY kind, name LIMIT 1 OFFSET ?"

MARKERS: Final = "SELECT position, name FROM definitions WHERE vhost = x'' AND kind = ? ORDER BY position"


def rows_of(deletion: Deletion) -> tuple[Place, Place]:
    """Where its rows begin and end, the end exclusive."""
    # No name has the byte 0xFF in it (UTF-8), so all that begin so lie between these two; no kind has U+10FFFF.
    least = encode_name(deletion.beginning)
    if deletion.kind is None:
        return ("", b""), ("\U0010ffff", b"")
    return (deletion.kind, least), (deletion.kind, least + b"\xff")
