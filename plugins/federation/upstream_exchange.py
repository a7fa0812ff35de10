"""The exchange x-federation-upstream: what a downstream broker binds to an exchange of ours that it federates.

It is a fanout with a gate (spec E.2).  Each broker that a message comes to over a link writes an entry in front of
the header `x-received-from`; the gate lets a message pass only if that names fewer brokers than `x-max-hops`, and
not the downstream that this exchange serves (`x-downstream-name`, `x-downstream-vhost`).  So a message doesn't go back
where it has been, and a ring of brokers ends every message's way.

The downstream declares such exchanges itself, as any client could, and a RabbitMQ does so like a Warren.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Final

from warren.core.errors import PreconditionFailed
from warren.core.exchanges.base import Exchange
from warren.core.exchanges.fanout import FanoutExchange
from warren.core.messages.field_names import field_type_name

if TYPE_CHECKING:
    from warren.core.exchanges.binding import Destination
    from warren.core.messages.field_table import FieldValue

MAX_HOPS: Final = "x-max-hops"
DOWNSTREAM_NAME: Final = "x-downstream-name"
DOWNSTREAM_VHOST: Final = "x-downstream-vhost"
"""Arguments of the declaration."""

RECEIVED_FROM: Final = "x-received-from"
"""The header, an array of tables, the latest broker first."""


class UpstreamExchange(FanoutExchange):
    """See the head of this file."""

    __slots__ = ("_downstream_name", "_downstream_vhost", "_max_hops")

    type_name: ClassVar[str] = "x-federation-upstream"
    depends_on_headers: ClassVar[bool] = True
    compared_arguments: ClassVar[tuple[str, ...]] = (*Exchange.compared_arguments, MAX_HOPS)

    def make_index(self) -> None:
        """See Exchange.make_index."""
        super().make_index()
        max_hops = self.arguments.get(MAX_HOPS)
        self._max_hops = max_hops if isinstance(max_hops, int) else 1
        self._downstream_name = self.arguments.get(DOWNSTREAM_NAME)
        self._downstream_vhost = self.arguments.get(DOWNSTREAM_VHOST)

    @classmethod
    def check_arguments(cls, arguments: Mapping[str, FieldValue]) -> None:
        """Refuse a number of hops that is missing or none."""
        super().check_arguments(arguments)
        if MAX_HOPS not in arguments:
            raise PreconditionFailed(
                f"Argument {MAX_HOPS} missing; it says how many brokers a message may have come through"
            )
        max_hops = arguments[MAX_HOPS]
        if isinstance(max_hops, bool) or not isinstance(max_hops, int):
            raise PreconditionFailed(f"Argument {MAX_HOPS} must be of type long, not {field_type_name(max_hops)}")

    def targets(self, routing_key: str, headers: Mapping[str, FieldValue] | None) -> tuple[Destination, ...]:
        """See Exchange.targets."""
        received_from = headers.get(RECEIVED_FROM) if headers else None
        if isinstance(received_from, list) and not self._lets_pass(received_from):
            return ()
        return super().targets(routing_key, headers)

    def _lets_pass(self, received_from: list[FieldValue]) -> bool:
        return len(received_from) < self._max_hops and not any(map(self._is_downstream, received_from))

    def _is_downstream(self, broker: FieldValue) -> bool:
        """Whether it names the downstream; one from before RabbitMQ 3.8.9 says its name alone, and is known by that."""
        if not isinstance(broker, dict) or self._downstream_name is None:
            return False
        return broker.get("cluster-name") == self._downstream_name and (
            self._downstream_vhost is None or broker.get("vhost") == self._downstream_vhost
        )
