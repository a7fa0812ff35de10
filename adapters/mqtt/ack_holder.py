"""A client's unacknowledged messages, as the watch of the acknowledgement timeout wants to see them.

MQTT can't end a subscription from the broker's side, so a client that keeps a message too long is disconnected (spec
C.5); what it didn't acknowledge is sent again, to another consumer where there is one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.adapters.mqtt.codec import reason_codes

if TYPE_CHECKING:
    from collections.abc import Callable

    from warren.adapters.mqtt.subscriptions import Subscriptions
    from warren.core.queues.consumer import Consumer
    from warren.core.queues.unacked import Unacked


class MqttAckHolder:
    """A core.queues.ack_timeout.AckHolder.  disconnect: ends the connection, with a reason code and a text."""

    __slots__ = ("_disconnect", "_subscriptions", "delivery_notes")

    def __init__(self, subscriptions: Subscriptions, disconnect: Callable[[int, str], None]) -> None:
        self._subscriptions = subscriptions
        self._disconnect = disconnect
        self.delivery_notes: list[tuple[int, int]] = []

    @property
    def unacked(self) -> Unacked:
        """What was sent and belongs to a queue still, in the order of sending."""
        subscriptions = self._subscriptions
        found: Unacked = {}
        for outgoing in subscriptions.session.outgoing.values():
            if outgoing.queue is not None and outgoing.message is not None:
                consumer = subscriptions.consumer_of(outgoing.source)
                found[outgoing.number] = (outgoing.queue, outgoing.message, consumer)
        return found

    @property
    def delivery_tag(self) -> int:
        """The number of the last message that was sent."""
        return self._subscriptions.session.sent_number

    def acknowledgement_timed_out(self, consumer: Consumer, timeout_ms: int) -> None:
        """Disconnect."""
        self._disconnect(
            reason_codes.IMPLEMENTATION_SPECIFIC_ERROR,
            f"a message from {consumer.queue.description} was not acknowledged within {timeout_ms} ms",
        )
