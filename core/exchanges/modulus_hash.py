"""The exchange x-modulus-hash: each message to one of the targets, by the hash of its routing key modulo their number.

Targets count in the order of their names, so that the outcome doesn't depend on the order of binding; binding keys are
ignored.  Unlike x-consistent-hash it moves nearly all keys when a target comes or goes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from warren.core.compiled import mypyc_attr
from warren.core.exchanges.base import Exchange, distinct_targets
from warren.core.exchanges.binding import Binding, Destination
from warren.core.exchanges.registry import register
from warren.core.exchanges.stable_hash import stable_hash

if TYPE_CHECKING:
    from warren.core.messages.field_table import FieldValue


@mypyc_attr(allow_interpreted_subclasses=True)
class ModulusHashExchange(Exchange):
    """The targets in order, put together once, at the first use after a change."""

    __slots__ = ("_prepared",)

    type_name: ClassVar[str] = "x-modulus-hash"

    def make_index(self) -> None:
        """See Exchange.make_index."""
        self._prepared: tuple[Destination, ...] | None = ()
        self.picks_one = True

    def targets(self, routing_key: str, headers: Mapping[str, FieldValue] | None) -> tuple[Destination, ...]:
        """See Exchange.targets."""
        prepared = self._prepared
        if prepared is None:
            in_order = sorted(distinct_targets(self.bindings), key=lambda target: (target.kind, target.name))
            self._prepared = prepared = tuple(in_order)
        return (prepared[stable_hash(routing_key) % len(prepared)],) if prepared else ()

    def binding_added(self, binding: Binding) -> None:
        """See Exchange.binding_added."""
        self._prepared = None

    def binding_removed(self, binding: Binding) -> None:
        """See Exchange.binding_removed."""
        self._prepared = None

    def target_gone(self, target: Destination) -> None:
        """See Exchange.target_gone."""
        self._prepared = None


register(ModulusHashExchange)
