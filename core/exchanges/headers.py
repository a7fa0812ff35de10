"""The headers exchange: binding arguments are matched against headers (AMQP 0-9-1, 3.1.3.4).

The argument `x-match` says how: `all` (also when it is missing) or `any` of the other arguments must match.
Both skip arguments whose names begin with `x-`; `all-with-x` and `any-with-x` skip only `x-match` itself.
An argument of type void is matched by a header of that name, whatever its value; any other by a header with
the same value in the sense of `core.exchanges.binding.canonical_value`.  Without arguments to consider, `all` matches
everything and `any` nothing.

What can be worked out beforehand is: when a binding is added its arguments become names to be present and canonical
values to be equal, by which it is found (headers_index.py), and a message's headers are made canonical once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from warren.core.compiled import mypyc_attr
from warren.core.errors import PreconditionFailed
from warren.core.exchanges.base import Exchange
from warren.core.exchanges.binding import Binding, Destination, canonical_value
from warren.core.exchanges.headers_index import MATCH, Criteria, HeadersIndex
from warren.core.exchanges.reasons import headers_differ
from warren.core.exchanges.registry import register
from warren.core.messages.field_names import field_type_name, term

if TYPE_CHECKING:
    from warren.core.messages.field_table import FieldValue

MATCH_MODES = ("all", "any", "all-with-x", "any-with-x")

NO_HEADERS: Mapping[str, FieldValue] = {}


@mypyc_attr(allow_interpreted_subclasses=True)
class HeadersExchange(Exchange):
    """An index of what all bindings ask for."""

    __slots__ = ("_index",)

    type_name: ClassVar[str] = "headers"
    depends_on_headers: ClassVar[bool] = True

    def make_index(self) -> None:
        """See Exchange.make_index."""
        self._index = HeadersIndex()

    def targets(self, routing_key: str, headers: Mapping[str, FieldValue] | None) -> tuple[Destination, ...]:
        """See Exchange.targets."""
        return self._index.targets({name: canonical_value(value) for name, value in (headers or NO_HEADERS).items()})

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
        self._index.add(binding)

    def binding_removed(self, binding: Binding) -> None:
        """See Exchange.binding_removed."""
        self._index.remove(binding)


register(HeadersExchange)
