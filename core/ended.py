"""What connections and virtual hosts have counted that are no more: sums over all that there was never go back.

Each adds what it has when it ends, so that nothing is counted twice and none of it costs a message anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from warren.core.counters import Counts, add

if TYPE_CHECKING:
    from warren.core.clients.client import Client
    from warren.core.clients.transport import Transport
    from warren.core.routing.vhost import VirtualHost


class Ended:
    """received_bytes, sent_bytes, received_packets, sent_packets: of connections.  queue_counts: of virtual hosts'
    queues."""

    __slots__ = ("_counts", "queue_counts", "received_bytes", "received_packets", "sent_bytes", "sent_packets")

    def __init__(self) -> None:
        self._counts: dict[str, Counts] = {}
        self.queue_counts: Counts = {}
        self.received_bytes = 0
        self.sent_bytes = 0
        self.received_packets = 0
        self.sent_packets = 0

    @property
    def counts(self) -> Mapping[str, Mapping[str, int]]:
        """Of clients' messages (core/counters.py), by protocol."""
        return self._counts

    def client_gone(self, client: Client) -> None:
        """A client was logged in, and is no more."""
        add(self._counts.setdefault(client.protocol, {}), client.counts.snapshot())

    def vhost_gone(self, vhost: VirtualHost) -> None:
        """A virtual host is no more, nor are its queues."""
        add(self.queue_counts, vhost.counts.gone)

    def transport_gone(self, transport: Transport) -> None:
        """A connection has ended, on which this came and went."""
        self.received_bytes += transport.received_bytes
        self.sent_bytes += transport.sent_bytes
        self.received_packets += transport.received_packets
        self.sent_packets += transport.sent_packets
