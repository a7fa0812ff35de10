"""Which of many bindings of a headers exchange match a message, without looking at each.

What a binding asks for is entries, a name with a value, and names alone; all of it must be there, or any.  A binding
is found by the headers that the message has:

    any of several      under each of its entries and names: whoever finds it there knows that it matches
    all of one          likewise
    all of several      under one of them, that which fewest others are under; then the rest is looked at
    all of none         matches every message;  any of none matches none

Where finding is enough, bindings stand by their targets, since very many may lead to one.  So a message costs its own
headers, the targets that it goes to, and those bindings that share with it what is rarest of theirs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, TypeAlias

from warren.core.exchanges.binding import Binding, BindingKey, Destination, canonical_value

if TYPE_CHECKING:
    from warren.core.messages.field_table import FieldValue

MATCH: Final = "x-match"

Entry: TypeAlias = "str | tuple[str, object]"
"""What is asked for: a name, or a name with a canonical value."""

ByTarget: TypeAlias = "dict[Destination, dict[BindingKey, int]]"
"""Bindings that are known to match, with their sequences, in that order."""


class Criteria:
    """What one binding asks of a message's headers: names in `present`, entries of `equal`; all or any.

    sequence: its place among the bindings of the exchange.  place: what an index has it under, of all that it asks for.
    """

    __slots__ = ("any_suffices", "equal", "place", "present", "sequence", "target")

    def __init__(self, arguments: Mapping[str, FieldValue], target: Destination, sequence: int = 0) -> None:
        mode = arguments.get(MATCH, "all")
        skips_x = mode in ("all", "any")
        self.any_suffices = mode in ("any", "any-with-x")
        self.target = target
        self.sequence = sequence
        self.place: Entry | None = None
        self.present: set[str] = set()
        self.equal: dict[str, object] = {}
        for name, value in arguments.items():
            if name == MATCH or (skips_x and name.startswith("x-")):
                continue
            if value is None:
                self.present.add(name)
            else:
                self.equal[name] = canonical_value(value)

    @property
    def entries(self) -> list[Entry]:
        """All that it asks for."""
        return [*self.equal.items(), *self.present]

    def all_there(self, headers: dict[str, object]) -> bool:
        """Whether these headers, whose values are canonical, have all of it."""
        return self.equal.items() <= headers.items() and self.present <= headers.keys()


class HeadersIndex:
    """Of one exchange; see the head of this file."""

    __slots__ = ("_always", "_asking", "_criteria", "_sure")

    def __init__(self) -> None:
        self._criteria: dict[BindingKey, Criteria] = {}
        self._always: ByTarget = {}
        self._sure: dict[Entry, ByTarget] = {}
        self._asking: dict[Entry, dict[BindingKey, Criteria]] = {}

    def add(self, binding: Binding) -> None:
        """Find this binding, too."""
        key = binding.key
        criteria = self._criteria[key] = Criteria(binding.arguments, binding.target, binding.sequence)
        entries = criteria.entries
        if criteria.any_suffices or len(entries) == 1:
            for entry in entries:
                _put(self._sure.setdefault(entry, {}), criteria, key)
        elif entries:
            criteria.place = min(entries, key=self._others_under)
            self._asking.setdefault(criteria.place, {})[key] = criteria
        else:
            _put(self._always, criteria, key)

    def remove(self, binding: Binding) -> None:
        """Undo `add`."""
        key = binding.key
        criteria = self._criteria.pop(key)
        entries = criteria.entries
        if criteria.place is not None:
            asking = self._asking[criteria.place]
            del asking[key]
            if not asking:
                del self._asking[criteria.place]
        elif criteria.any_suffices or entries:
            for entry in entries:
                found = self._sure[entry]
                _take(found, criteria, key)
                if not found:
                    del self._sure[entry]
        else:
            _take(self._always, criteria, key)

    def targets(self, headers: dict[str, object]) -> tuple[Destination, ...]:
        """Where a message with these headers, whose values are canonical, goes, by the order of adding."""
        found: dict[Destination, int] = {}
        if self._always:
            _find(self._always, found)
        sure, asking = self._sure, self._asking
        for entry in (*headers.items(), *headers):
            if entry in sure:
                _find(sure[entry], found)
            if entry in asking:
                for criteria in asking[entry].values():
                    sequence = found.get(criteria.target)
                    if (sequence is None or criteria.sequence < sequence) and criteria.all_there(headers):
                        found[criteria.target] = criteria.sequence
        if len(found) < 2:
            return tuple(found)
        return tuple(sorted(found, key=found.__getitem__))

    def _others_under(self, entry: Entry) -> int:
        return len(self._asking.get(entry, ()))


def _put(found: ByTarget, criteria: Criteria, key: BindingKey) -> None:
    found.setdefault(criteria.target, {})[key] = criteria.sequence


def _take(found: ByTarget, criteria: Criteria, key: BindingKey) -> None:
    bindings = found[criteria.target]
    del bindings[key]
    if not bindings:
        del found[criteria.target]


def _find(matching: ByTarget, found: dict[Destination, int]) -> None:
    for target, bindings in matching.items():
        first = next(iter(bindings.values()))
        sequence = found.get(target)
        if sequence is None or first < sequence:
            found[target] = first
