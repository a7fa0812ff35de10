"""The kinds of listings of one broker: those that Warren brings, and what plugins add."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from operator import methodcaller
from typing import TYPE_CHECKING, Any, Final

from warren.core.errors import PreconditionFailed
from warren.core.queues.registry import queue_columns

if TYPE_CHECKING:
    from warren.core.administration.listing.column import Row
    from warren.core.administration.listing.kind import Kind
    from warren.core.administration.listing.selecting import Compute

BUILT_IN_NAMES: Final = (
    "vhosts",
    "queues",
    "exchanges",
    "stream_consumer_groups",
    "super_streams",
    "bindings",
    "connections",
    "channels",
    "consumers",
    "users",
    "permissions",
    "topic_permissions",
    "policies",
    "operator_policies",
    "parameters",
    "global_parameters",
    "limit_hits",
)
"""Those of built_in.py, in its order; they are loaded when somebody asks for a listing."""


QUEUES_NAME: Final = "queues"
"""The listing to whose columns queue types add theirs."""


class UnknownColumn(PreconditionFailed):
    """Somebody asked for a column that a listing hasn't."""


class Listings:
    """The kinds of one broker by name, with columns that were added to them."""

    __slots__ = ("_added", "_later", "_loaded", "_names")

    def __init__(self) -> None:
        self._loaded: dict[str, Kind] = {}
        self._later: list[Callable[[], Iterable[Kind]]] = [_built_in]
        self._names = set(BUILT_IN_NAMES)
        self._added: dict[str, dict[str, Compute]] = {}

    def register(self, kind: Kind) -> None:
        """Offer another listing; ValueError when there is one of this name."""
        self._take_names([kind.name])
        self._loaded[kind.name] = kind

    def register_later(self, names: Iterable[str], load: Callable[[], Iterable[Kind]]) -> None:
        """Offer the listings of these names, which are loaded when somebody asks for a listing: no start waits for
        them.  ValueError when there is one of such a name."""
        self._take_names(names)
        self._later.append(load)

    def _take_names(self, names: Iterable[str]) -> None:
        names = tuple(names)
        for name in names:
            if name in self._names:
                raise ValueError(f"there is a listing {name!r} already")
        self._names.update(names)

    def unregister(self, name: str) -> None:
        """Take a listing back that a plugin has registered; what was added to it goes with it."""
        self._kinds.pop(name, None)
        self._names.discard(name)
        self._added.pop(name, None)

    def add_column(self, what: str, name: str, compute: Callable[[Any], object]) -> None:
        """Offer another column in a listing; ValueError when it has one of this name.

        compute: gets the row, and through it the object: `row.queue`.
        """
        if name in self.column_names(what):
            raise ValueError(f"the listing {what!r} has a column {name!r} already")
        self._added.setdefault(what, {})[name] = compute

    def remove_column(self, what: str, name: str) -> None:
        """Take it back."""
        self._added.get(what, {}).pop(name, None)

    def kind(self, what: str) -> Kind:
        """The kind of this name; KeyError when there is none."""
        return self._kinds[what]

    def names(self) -> list[str]:
        """What can be listed."""
        return list(self._kinds)

    def column_names(self, what: str) -> list[str]:
        """The columns that may be asked for, those without a value here last.  KeyError for an unknown kind."""
        kind = self._kinds[what]
        found = [*kind.row.columns, *_of_subclasses(kind.row)]
        if what == QUEUES_NAME:
            found += queue_columns()
        return list(dict.fromkeys([*found, *self._added.get(what, ()), *kind.unknown]))

    def check_columns(self, what: str, names: Iterable[str]) -> None:
        """Raise UnknownColumn when one of the names is no column; the text names all that are."""
        known = self.column_names(what)
        unknown = [name for name in names if name.partition(".")[0] not in known]
        if unknown:
            raise UnknownColumn(f"unknown column {', '.join(unknown)}; the columns are {' '.join(known)}")

    def added_columns(self, what: str) -> Mapping[str, Compute]:
        """Those that were added to a listing."""
        return self._added.get(what, {})

    @property
    def _kinds(self) -> dict[str, Kind]:
        """Of all, loaded by now."""
        if self._later:
            found = {kind.name: kind for load in self._later for kind in load()}
            self._later.clear()
            self._loaded = {**found, **self._loaded}
        return self._loaded

    def compute(self, what: str, column: str) -> Compute:
        """The function that computes a known column of a row; `message_stats.publish` is one entry of a column."""
        name, _, entry = column.partition(".")
        added = self._added.get(what, {}).get(name)
        whole: Compute = _of_here(added) if added is not None else methodcaller("value", name)
        return _entry_of(whole, entry) if entry else whole


def _built_in() -> Iterable[Kind]:
    from warren.core.administration.listing.built_in import BUILT_IN

    return BUILT_IN


def _of_here(compute: Compute) -> Compute:
    """A column that was added, which knows nothing of what is another node's."""
    return lambda row: None if row.node_name else compute(row)


def _entry_of(compute: Compute, entry: str) -> Compute:
    """What a column of several values holds under a name, None where there is no such."""

    def compute_entry(row: Row) -> object:
        value = compute(row)
        return value.get(entry) if isinstance(value, Mapping) else None

    return compute_entry


def _of_subclasses(row: type[Row]) -> list[str]:
    """What more specific rows, those of one protocol for instance, know beside the common columns."""
    return [name for each in row.__subclasses__() for name in (*each.columns, *_of_subclasses(each))]
