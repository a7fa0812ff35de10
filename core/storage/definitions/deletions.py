"""Rows that go by one call, and are too many for one turn: bit by bit, while everybody else goes on.

They are gone for `load` from the call on.  What is put under one of their names afterwards is a new row, at the end of
the order, and stays.  On disk a row of its own (`MARKER_KIND`), put behind all that it concerns, says what is to go;
its place tells the two apart.  Whoever opens the store next goes on with it first, so a crash keeps nothing of a
deletion that was committed.
"""

from __future__ import annotations

import json
from typing import Final

MARKER_KIND: Final = "deletion"
"""The kind of the rows that say what is to go; no `load` gives them."""

ROWS_PER_SLICE: Final = 500
"""Deleted in one turn: two or three microseconds each, and as much for the pages that are written."""

NAMES_PER_SLICE: Final = 5000
"""Names looked at in one turn where there is no index of them: a tenth of a microsecond each."""


class Deletion:
    """All rows of a virtual host, or those of a kind, whose names begin so, as far as they were put before `until`.

    kind: None for every kind.  until: a position, that of the marker.
    """

    __slots__ = ("beginning", "kind", "until", "vhost")

    def __init__(self, kind: str | None, vhost: str, beginning: str, until: int) -> None:
        self.kind = kind
        self.vhost = vhost
        self.beginning = beginning
        self.until = until

    @classmethod
    def from_marker(cls, name: str, position: int) -> Deletion:
        """The one that a marker's row, of this name and position, tells of; ValueError for what is none."""
        kind, vhost, beginning = json.loads(name)
        return cls(kind, vhost, beginning, position)

    @property
    def marker_name(self) -> str:
        """The name of its marker's row."""
        return json.dumps([self.kind, self.vhost, self.beginning])

    def covers(self, kind: str, vhost: str, name: str, position: int) -> bool:
        """Whether this row is one of those."""
        return (
            position < self.until
            and vhost == self.vhost
            and self.kind in (None, kind)
            and name.startswith(self.beginning)
        )
