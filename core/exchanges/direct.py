"""The direct exchange: a message goes where bindings have exactly its routing key (AMQP 0-9-1, 3.1.3.1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from warren.core.compiled import mypyc_attr
from warren.core.exchanges.base import Exchange, distinct_targets
from warren.core.exchanges.binding import Binding, BindingKey, Destination
from warren.core.exchanges.reasons import keys_differ
from warren.core.exchanges.registry import register

if TYPE_CHECKING:
    from warren.core.messages.field_table import FieldValue


@mypyc_attr(allow_interpreted_subclasses=True)
class DirectExchange(Exchange):
    """Bindings by routing key; the targets of a key are put together once, at its first use after a change.

    Only keys that have bindings are remembered, so publishing to ever new keys takes no memory.
    """

    __slots__ = ("_by_routing_key", "_prepared")

    type_name: ClassVar[str] = "direct"

    def make_index(self) -> None:
        """See Exchange.make_index."""
        self._by_routing_key: dict[str, dict[BindingKey, Binding]] = {}
        self._prepared: dict[str, tuple[Destination, ...]] = {}

    def targets(self, routing_key: str, headers: Mapping[str, FieldValue] | None) -> tuple[Destination, ...]:
        """See Exchange.targets."""
        prepared = self._prepared.get(routing_key)
        return self._prepare(routing_key) if prepared is None else prepared

    def difference(
        self, binding: Binding, routing_key: str, headers: Mapping[str, FieldValue] | None
    ) -> tuple[int, str]:
        """See Exchange.difference."""
        return keys_differ(binding.routing_key, routing_key)

    def binding_added(self, binding: Binding) -> None:
        """See Exchange.binding_added."""
        self._by_routing_key.setdefault(binding.routing_key, {})[binding.key] = binding
        self._prepared.pop(binding.routing_key, None)

    def binding_removed(self, binding: Binding) -> None:
        """See Exchange.binding_removed."""
        remaining = self._by_routing_key[binding.routing_key]
        del remaining[binding.key]
        if not remaining:
            del self._by_routing_key[binding.routing_key]
        self._prepared.pop(binding.routing_key, None)

    def _prepare(self, routing_key: str) -> tuple[Destination, ...]:
        bindings = self._by_routing_key.get(routing_key)
        if bindings is None:
            return ()
        prepared = distinct_targets(bindings.values())
        self._prepared[routing_key] = prepared
        return prepared


register(DirectExchange)
