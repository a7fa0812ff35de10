"""The fanout exchange: whatever the routing key, a message goes to all targets (AMQP 0-9-1, 3.1.3.2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from warren.core.compiled import mypyc_attr
from warren.core.exchanges.base import Exchange, distinct_targets
from warren.core.exchanges.binding import Binding, Destination
from warren.core.exchanges.registry import register

if TYPE_CHECKING:
    from warren.core.messages.field_table import FieldValue


@mypyc_attr(allow_interpreted_subclasses=True)
class FanoutExchange(Exchange):
    """All targets as one tuple, put together once, at the first use after a change."""

    __slots__ = ("_prepared",)

    type_name: ClassVar[str] = "fanout"

    def make_index(self) -> None:
        """See Exchange.make_index."""
        self._prepared: tuple[Destination, ...] | None = ()

    def targets(self, routing_key: str, headers: Mapping[str, FieldValue] | None) -> tuple[Destination, ...]:
        """See Exchange.targets."""
        if self._prepared is None:
            self._prepared = distinct_targets(self.bindings)
        return self._prepared

    def agreement(self, binding: Binding, routing_key: str) -> str:
        """See Exchange.agreement."""
        return "whatever the routing key is"

    def binding_added(self, binding: Binding) -> None:
        """See Exchange.binding_added."""
        self._prepared = None

    def binding_removed(self, binding: Binding) -> None:
        """See Exchange.binding_removed."""
        self._prepared = None


register(FanoutExchange)
