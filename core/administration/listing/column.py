"""Rows and columns: a view of one object, and functions that say something of it.

    class QueueRow(Row):
        __slots__ = ("queue",)

        @Column
        def messages(self) -> int:
            "Ready and unacknowledged messages together."
            return self.queue.ready_count + self.queue.unacked_count

`row.messages` computes the value with its type; `row.value("messages")` does so by name.  Nothing is computed before,
and nothing is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Generic, TypeVar, overload

V = TypeVar("V", covariant=True)


class Column(Generic[V]):
    """One column; made by decorating the function that computes it of a row.

    name: RabbitMQ's, where it has the like (spec F.3, F.8).  about: what it means.  on_request: who asks for all
    columns doesn't get this one, which costs more than looking.
    """

    __slots__ = ("about", "compute", "name", "on_request")

    def __init__(self, compute: Callable[[Any], V], name: str | None = None, *, on_request: bool = False) -> None:
        self.compute = compute
        self.name = name or compute.__name__
        self.on_request = on_request
        self.about = (compute.__doc__ or "").strip()

    @overload
    def __get__(self, row: None, owner: type[Row]) -> Column[V]: ...
    @overload
    def __get__(self, row: Row, owner: type[Row]) -> V: ...
    def __get__(self, row: Row | None, owner: type[Row]) -> Column[V] | V:
        return self if row is None else self.compute(row)


def named(name: str) -> Callable[[Callable[[Any], V]], Column[V]]:
    """A column whose name is no name in Python: `@named("apply-to")`."""
    return lambda compute: Column(compute, name)


def on_request(compute: Callable[[Any], V]) -> Column[V]:
    """A column that is computed only for who names it."""
    return Column(compute, on_request=True)


class Row:
    """A view of one object, for as long as it is there; subclasses define its columns."""

    __slots__ = ()

    columns: ClassVar[Mapping[str, Column[object]]] = {}
    """By name, those of the base classes first."""

    usual_names: ClassVar[Sequence[str]] = ()
    """Those of them that aren't on request."""

    slow_names: ClassVar[frozenset[str]] = frozenset()
    """Those of them that would take too long to be computed at once: who asks for one calls `prepare` before."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        own = (each for each in vars(cls).values() if isinstance(each, Column))
        cls.columns = {**cls.columns, **{each.name: each for each in own}}
        cls.usual_names = [name for name, each in cls.columns.items() if not each.on_request]

    @property
    def exists(self) -> bool:
        """False once the object has gone, after which its columns mean nothing."""
        return True

    @property
    def node_name(self) -> str:
        """The other node of a cluster that says this of an object of its own; empty for objects that are known here."""
        return ""

    @property
    def is_elsewhere(self) -> bool:
        """Whether the object is another node's, which shows and counts it, too."""
        return False

    def prepare(self) -> Iterator[None]:
        """Work out in slices what `slow_names` are computed from."""
        return iter(())

    def value(self, name: str) -> object:
        """What a column holds; None for one that an object of this sort hasn't."""
        found = self.columns.get(name)
        return found.compute(self) if found is not None else None

    def names(self) -> Sequence[str]:
        """The columns of this object that who asks for all gets."""
        return self.usual_names
