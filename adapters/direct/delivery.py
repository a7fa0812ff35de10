"""One message in a program's hands, to be settled by it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from warren.adapters.session.deliveries import Verdict
    from warren.core.messages.message import Message
    from warren.core.messages.properties import Properties


class DeliveryHolder(Protocol):
    """Whoever gave the delivery out and settles it: a consumer, or the session for what was polled."""

    def settle(self, tag: int, verdict: Verdict, *, multiple: bool) -> None:
        """See consumer.py."""


class Delivery:
    """A message with what the broker says of this delivery.

    tag: its number, in the order of delivery, within its consumer.  redelivered: it was delivered before.
    properties: as consumers see them, with x-delivery-count where deliveries are counted.  published_at_ms: in
    milliseconds since 1970.

    Settling never waits, so it is a plain call, which also works where a task is being cancelled.  It raises
    PreconditionFailed for what was settled before, ConsumerEnded or ClientClosed for what has gone back to its queue
    meanwhile.  `up_to` settles everything unsettled of the same consumer up to this delivery.
    """

    __slots__ = ("_holder", "body", "exchange", "properties", "published_at_ms", "redelivered", "routing_key", "tag")

    def __init__(
        self,
        holder: DeliveryHolder,
        tag: int,
        message: Message,
        *,
        redelivered: bool,
        properties: Properties,
    ) -> None:
        self._holder = holder
        self.tag = tag
        self.redelivered = redelivered
        self.body = message.body
        self.properties = properties
        self.exchange = message.address.exchange
        self.routing_key = message.address.routing_key
        self.published_at_ms = message.published_at_ms

    def ack(self, *, up_to: bool = False) -> None:
        """It is done with."""
        self._holder.settle(self.tag, "ack", multiple=up_to)

    def nack(self, *, requeue: bool = True, up_to: bool = False) -> None:
        """Give it back to its place in the queue, which counts as no failure; or, without `requeue`, discard it.

        It is no failure whatever `delivery_limit_counts` says: that is for protocols that can't say which it is.
        """
        self._holder.settle(self.tag, "untouched" if requeue else "discard", multiple=up_to)

    def reject(self, *, requeue: bool = False) -> None:
        """It can't be used: it is dead-lettered or dropped; with `requeue` it goes back, as a failed delivery."""
        self._holder.settle(self.tag, "requeue" if requeue else "discard", multiple=False)

    def requeue(self) -> None:
        """Give it back as a failed delivery, which counts towards a delivery limit."""
        self.reject(requeue=True)

    def __repr__(self) -> str:
        return f"<delivery {self.tag} of {len(self.body)} bytes by '{self.exchange}' '{self.routing_key}'>"
