"""The exchange x-local-random: as x-random, among the classic queues of the node that was published to.

On one node every classic queue is local.  Bindings to anything else, and with a binding key, are refused, as in
RabbitMQ 4.0.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Final

from warren.core.compiled import mypyc_attr
from warren.core.errors import PreconditionFailed
from warren.core.exchanges.binding import Destination
from warren.core.exchanges.random_exchange import RandomExchange
from warren.core.exchanges.registry import register

if TYPE_CHECKING:
    from warren.core.messages.field_table import FieldValue

QUEUE_TYPE: Final = "classic"


@mypyc_attr(allow_interpreted_subclasses=True)
class LocalRandomExchange(RandomExchange):
    """Says no to more bindings than x-random does."""

    __slots__ = ()

    type_name: ClassVar[str] = "x-local-random"

    def check_binding(self, routing_key: str, arguments: Mapping[str, FieldValue]) -> None:
        """Refuse a binding key."""
        if routing_key:
            raise PreconditionFailed(f"Non empty binding '{routing_key}' key not permitted; bind with an empty key")

    def check_destination(self, target: Destination) -> None:
        """Refuse exchanges, and queues of other types."""
        if target.kind != "queue":
            raise PreconditionFailed(
                f"exchange '{target.name}' not valid for this exchange type; bind classic queues to it"
            )
        type_name = getattr(target, "type_name", QUEUE_TYPE)
        if type_name != QUEUE_TYPE:
            raise PreconditionFailed(
                f"Queue type {type_name} not valid for this exchange type; bind classic queues to it"
            )


register(LocalRandomExchange)
