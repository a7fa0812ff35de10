"""A message of QoS 1 or 2 on its way to a client, from the moment it is given a packet identifier (MQTT 5 4.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from warren.core.messages.message import Message
    from warren.core.queues.base import Queue

WAITING: Final = 0
SENT: Final = 1
RELEASED_BY_CLIENT: Final = 2
"""States of an outgoing message: its packet identifier goes to disk first; PUBLISH was sent; PUBREC came."""


class Outgoing:
    """A message of QoS 1 or 2 on its way to the client.

    queue: where it is unacknowledged; None once it is the session's own (QoS 2).  source: the filter of the shared or
    queue subscription that it came by, empty for the session's own queue.  record: what stands for it under the
    outbound number.  message: None once it was released.  number: grows in the order of sending.
    """

    __slots__ = ("message", "number", "packet_id", "qos", "queue", "record", "source", "state")

    def __init__(self, packet_id: int, message: Message | None, queue: Queue | None, qos: int, source: str) -> None:
        self.number = 0
        self.packet_id = packet_id
        self.message = message
        self.queue = queue
        self.qos = qos
        self.source = source
        self.state = SENT
        self.record: Message | None = None

    def settle(self) -> None:
        """Its queue is done with it."""
        if self.queue is not None and self.message is not None:
            self.queue.acknowledge(self.message)
            self.queue = None
