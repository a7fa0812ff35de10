"""The exchange x-random: each message to one of the targets, any of them with the same chance; keys are ignored."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from warren.core.compiled import mypyc_attr
from warren.core.exchanges.base import Exchange, distinct_targets
from warren.core.exchanges.binding import Binding, Destination
from warren.core.exchanges.registry import register

if TYPE_CHECKING:
    from warren.core.messages.field_table import FieldValue


@mypyc_attr(allow_interpreted_subclasses=True)
class RandomExchange(Exchange):
    """The targets to choose from, put together once, at the first use after a change."""

    __slots__ = ("_prepared",)

    type_name: ClassVar[str] = "x-random"

    def make_index(self) -> None:
        """See Exchange.make_index."""
        self._prepared: tuple[Destination, ...] | None = ()
        self.picks_one = True
        self.cacheable = False

    def targets(self, routing_key: str, headers: Mapping[str, FieldValue] | None) -> tuple[Destination, ...]:
        """See Exchange.targets."""
        prepared = self._prepared
        if prepared is None:
            self._prepared = prepared = distinct_targets(self.bindings)
        return (prepared[int(random.random() * len(prepared))],) if prepared else ()

    def binding_added(self, binding: Binding) -> None:
        """See Exchange.binding_added."""
        self._prepared = None

    def binding_removed(self, binding: Binding) -> None:
        """See Exchange.binding_removed."""
        self._prepared = None

    def target_gone(self, target: Destination) -> None:
        """See Exchange.target_gone."""
        self._prepared = None


register(RandomExchange)
