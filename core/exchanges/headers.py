"""The headers exchange: binding arguments are matched against headers (AMQP 0-9-1, 3.1.3.4).

The argument `x-match` says how: `all` (also when it is missing) or `any` of the other arguments must match.
Both skip arguments whose names begin with `x-`; `all-with-x` and `any-with-x` skip only `x-match` itself.
An argument of type void is matched by a header of that name, whatever its value; any other by a header with
the same value in the sense of `core.exchanges.binding.canonical_value`.  Without arguments to consider, `all` matches
everything and `any` nothing.

Every binding is looked at for every message, so what can be worked out beforehand is: when a binding is
added its arguments become two collections, names to be present and canonical values to be equal, and a
message's headers are made canonical once.  A binding is then one or two comparisons of dict views.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from warren.core.errors import PreconditionFailed
from warren.core.exchanges.base import Exchange
from warren.core.exchanges.binding import Binding, BindingKey, Destination, canonical_value
from warren.core.exchanges.reasons import headers_differ
from warren.core.exchanges.registry import register
from warren.core.messages.field_names import field_type_name, term

if TYPE_CHECKING:
    from warren.core.messages.field_table import FieldValue

MATCH = "x-match"

MATCH_MODES = ("all", "any", "all-with-x", "any-with-x")

NO_HEADERS: Mapping[str, FieldValue] = {}


class Criteria:
    """What one binding asks of a message's headers: names in `present`, entries of `equal`; all or any."""

    __slots__ = ("any_suffices", "equal", "present", "target")

    def __init__(self, arguments: Mapping[str, FieldValue], target: Destination) -> None:
        mode = arguments.get(MATCH, "all")
        skips_x = mode in ("all", "any")
        self.any_suffices = mode in ("any", "any-with-x")
        self.target = target
        self.present: set[str] = set()
        self.equal: dict[str, object] = {}
        for name, value in arguments.items():
            if name == MATCH or (skips_x and name.startswith("x-")):
                continue
            if value is None:
                self.present.add(name)
            else:
                self.equal[name] = canonical_value(value)

    def match(self, headers: dict[str, object]) -> bool:
        """Whether a message with these headers, whose values are canonical, goes by the binding."""
        if self.any_suffices:
            return not (self.equal.items().isdisjoint(headers.items()) and self.present.isdisjoint(headers.keys()))
        return self.equal.items() <= headers.items() and self.present <= headers.keys()


class HeadersExchange(Exchange):
    """The criteria of all bindings, in the order of adding."""

    __slots__ = ("_criteria",)

    type_name: ClassVar[str] = "headers"
    depends_on_headers: ClassVar[bool] = True

    def make_index(self) -> None:
        """See Exchange.make_index."""
        self._criteria: dict[BindingKey, Criteria] = {}

    def targets(self, routing_key: str, headers: Mapping[str, FieldValue] | None) -> tuple[Destination, ...]:
        """See Exchange.targets."""
        canonical = {name: canonical_value(value) for name, value in (headers or NO_HEADERS).items()}
        found: dict[Destination, None] = {}
        for criteria in self._criteria.values():
            if criteria.target not in found and criteria.match(canonical):
                found[criteria.target] = None
        return tuple(found)

    def agreement(self, binding: Binding, routing_key: str) -> str:
        """See Exchange.agreement."""
        criteria = Criteria(binding.arguments, binding.target)
        if not (criteria.equal or criteria.present):
            return "it asks for no headers"
        return "one of the headers that it asks for is there" if criteria.any_suffices else "the headers are there"

    def difference(
        self, binding: Binding, routing_key: str, headers: Mapping[str, FieldValue] | None
    ) -> tuple[int, str]:
        """See Exchange.difference."""
        criteria = Criteria(binding.arguments, binding.target)
        canonical = {name: canonical_value(value) for name, value in (headers or NO_HEADERS).items()}
        return headers_differ(
            criteria.equal, criteria.present, binding.arguments, canonical, any_suffices=criteria.any_suffices
        )

    def check_binding(self, routing_key: str, arguments: Mapping[str, FieldValue]) -> None:
        """Refuse an `x-match` that isn't one of the four modes."""
        mode = arguments.get(MATCH, "all")
        if not isinstance(mode, str):
            raise PreconditionFailed(
                f"Invalid x-match field type {field_type_name(mode)} (value {term(mode)}); expected longstr"
            )
        if mode not in MATCH_MODES:
            raise PreconditionFailed(
                f"Invalid x-match field value {term(mode)}; expected all, any, all-with-x, or any-with-x"
            )

    def binding_added(self, binding: Binding) -> None:
        """See Exchange.binding_added."""
        self._criteria[binding.key] = Criteria(binding.arguments, binding.target)

    def binding_removed(self, binding: Binding) -> None:
        """See Exchange.binding_removed."""
        del self._criteria[binding.key]


register(HeadersExchange)
