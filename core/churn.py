"""How much comes and goes: RabbitMQ's `churn_rates` (spec F.3).

Each count is one addition where something is made or ends, and none for a message.
"""

from __future__ import annotations

from typing import Final

_NAMES: Final = (
    "channel_closed",
    "channel_created",
    "connection_closed",
    "connection_created",
    "queue_created",
    "queue_declared",
    "queue_deleted",
)


class ChurnCounts:
    """How much has come and gone since the broker's start: RabbitMQ's `churn_rates` (spec F.3).

    connections count from their login on.  queue_declared: declarations, also of queues that were there.
    """

    __slots__ = _NAMES

    def __init__(self) -> None:
        self.connection_created = 0
        self.connection_closed = 0
        self.channel_created = 0
        self.channel_closed = 0
        self.queue_declared = 0
        self.queue_created = 0
        self.queue_deleted = 0

    def snapshot(self) -> dict[str, int]:
        """All counts by name."""
        return {name: getattr(self, name) for name in _NAMES}
