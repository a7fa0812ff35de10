"""What connections and virtual hosts have counted that are no more: sums over all that there was never go back.

Each adds what it has when it ends, so that nothing is counted twice and none of it costs a message anything.  Dead
letters are few enough to be counted as they come.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from warren.core.counters import Counts, add
from warren.core.given import add_by_type

if TYPE_CHECKING:
    from warren.core.clients.client import Client
    from warren.core.clients.transport import Transport
    from warren.core.routing.vhost import VirtualHost


class Ended:
    """received_bytes, sent_bytes, received_packets, sent_packets: of connections.  queue_counts: of virtual hosts'
    queues."""

    __slots__ = (
        "_by_type",
        "_counts",
        "queue_counts",
        "received_bytes",
        "received_packets",
        "sent_bytes",
        "sent_packets",
    )

    def __init__(self) -> None:
        self._counts: dict[str, Counts] = {}
        self._by_type: dict[str, dict[str, Counts]] = {}
        self.queue_counts: Counts = {}
        self.received_bytes = 0
        self.sent_bytes = 0
        self.received_packets = 0
        self.sent_packets = 0

    @property
    def counts(self) -> Mapping[str, Mapping[str, int]]:
        """Of clients' messages (core/counters.py), by protocol."""
        return self._counts

    @property
    def by_type(self) -> Mapping[str, Mapping[str, Mapping[str, int]]]:
        """Of what clients were given: by protocol, and by the queues' types."""
        return self._by_type

    def client_gone(self, client: Client) -> None:
        """A client was logged in, and is no more."""
        add(self._counts.setdefault(client.protocol, {}), client.counts.snapshot())
        add_by_type(self._by_type.setdefault(client.protocol, {}), client.counts.by_type())

    def vhost_gone(self, vhost: VirtualHost) -> None:
        """A virtual host is no more, nor are its queues."""
        add(self.queue_counts, vhost.counts.gone)

    def transport_gone(self, transport: Transport) -> None:
        """A connection has ended, on which this came and went."""
        self.received_bytes += transport.received_bytes
        self.sent_bytes += transport.sent_bytes
        self.received_packets += transport.received_packets
        self.sent_packets += transport.sent_packets


class DeadLetters:
    """Of a broker: dead letters that were made since it started, also by queues that are gone.

    Each is counted one by one, as its queue counts it, by the queue's type, how sure it is to arrive, and why it died.
    """

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts: dict[tuple[str, bool, str], int] = {}

    def count(self, queue_type: str, at_least_once: bool, reason: str) -> None:
        """A message was given to the dead letter exchange.  at_least_once: it stays in its queue until it is taken."""
        key = (queue_type, at_least_once, reason)
        self._counts[key] = self._counts.get(key, 0) + 1

    def snapshot(self) -> dict[tuple[str, bool, str], int]:
        """All counts by type, whether it is at least once, and reason."""
        return dict(self._counts)
