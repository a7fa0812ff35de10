"""Filters by properties and application properties (AMQP Filter Expressions 1.0, 4.2.4 and 4.2.5).

A filter is a map of names to what is wanted of them; a message passes if each of them agrees.  A string that begins
with `&p:` asks for what begins with the rest of it, with `&s:` for what ends so, and `&&` stands for one `&` at the
beginning.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from uuid import UUID

from warren.core.selectors.grammar import PROPERTY_NAMES
from warren.core.selectors.nodes import are_equal
from warren.core.selectors.selector import Selector, SelectorError

if TYPE_CHECKING:
    from warren.core.selectors.fields import Fields

NAMES_MAX: Final = 16
"""Of one filter, as in RabbitMQ."""

WORK_PER_NAME: Final = 5
"""What comparing one takes, as `Selector.work`."""

_EQUAL: Final = "="
_BEGINS: Final = "&p:"
_ENDS: Final = "&s:"


class PropertyFilter:
    """What is wanted of one section.  Raises SelectorError."""

    def __init__(self, wanted: object, *, applications: bool) -> None:
        self.applications = applications
        if not isinstance(wanted, dict) or not 0 < len(wanted) <= NAMES_MAX:
            raise SelectorError(f"a property filter is a map with at least one and at most {NAMES_MAX} names")
        self._wanted: list[tuple[str, str, object]] = []
        for name, value in wanted.items():
            if not isinstance(name, str):
                raise SelectorError(f"a name of a property filter is no {type(name).__name__}")
            if value is None:
                # It matches everything (4.1.1).
                continue
            self._wanted.append((self._named(name), *_read(name, value)))

    @property
    def size(self) -> int:
        """So many names are compared."""
        return len(self._wanted)

    @property
    def text(self) -> str:
        """What it wants, for comparing."""
        return f"{self.applications} {self._wanted!r}"

    def agrees(self, fields: Fields) -> bool:
        """Whether all that is wanted is so."""
        found = fields.applications if self.applications else fields.sections
        return all(_agrees(how, value, found.get(name)) for name, how, value in self._wanted)

    def _named(self, name: str) -> str:
        if self.applications:
            return name
        plain = name.replace("-", "_")
        if plain not in PROPERTY_NAMES:
            raise SelectorError(f"there is no property {name!r}")
        return f"properties.{plain}"


class PropertySelector(Selector):
    """Wants what agrees with every filter."""

    __slots__ = ("_filters",)

    def __init__(self, filters: list[PropertyFilter]) -> None:
        super().__init__()
        self._filters = filters
        self.work = WORK_PER_NAME * sum(each.size for each in filters)

    @property
    def text(self) -> str:
        return "\0".join(["", *(each.text for each in self._filters)])

    def matches(self, fields: Fields) -> bool:
        return all(each.agrees(fields) for each in self._filters)


def _read(name: str, value: object) -> tuple[str, object]:
    """How a value is compared, and with what."""
    if isinstance(value, UUID):
        return _EQUAL, value.bytes
    if isinstance(value, str) and value.startswith("&"):
        if value.startswith("&&"):
            return _EQUAL, value[1:]
        for how in (_BEGINS, _ENDS):
            if value.startswith(how):
                return how, value[len(how) :]
        raise SelectorError(f"what is wanted of {name!r} begins with & and neither with &p: nor &s: nor &&")
    if not isinstance(value, bool | int | float | str | bytes):
        raise SelectorError(f"{name!r} can't be compared with a {type(value).__name__}")
    return _EQUAL, value


def _agrees(how: str, wanted: object, found: object) -> bool:
    if how == _EQUAL:
        return isinstance(found, bool | int | float | str | bytes) and are_equal(wanted, found)  # type: ignore[arg-type]  # _read saw to it
    if not isinstance(found, str) or not isinstance(wanted, str):
        return False
    return found.startswith(wanted) if how == _BEGINS else found.endswith(wanted)
