"""Rows of other nodes of a cluster: what a node says of an object of its own, as values without the object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from warren.core.administration.listing.column import Row


class FarRow(Row):
    """An object of another node.

    node: its name.  cells: what that node shows of it, by column.  A column that it doesn't show has no value here.
    """

    __slots__ = ("cells", "node")

    def __init__(self, node: str, cells: Mapping[str, object]) -> None:
        self.node = node
        self.cells = cells

    @property
    def node_name(self) -> str:
        """See Row."""
        return self.node

    @property
    def is_elsewhere(self) -> bool:
        """See Row."""
        return True

    def value(self, name: str) -> object:
        """What a column holds."""
        return self.node if name == "node" else self.cells.get(name)

    def names(self) -> Sequence[str]:
        """What its node shows of it."""
        return list(self.cells)
