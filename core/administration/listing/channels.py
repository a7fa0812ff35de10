"""Channels, and whatever comes nearest to them in other protocols, as list_channels shows them (spec F.3, F.8)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from warren.core.administration.listing.column import Column, Row, on_request
from warren.core.administration.listing.connections import node_of
from warren.core.administration.listing.kind import Kind, Vhosts

if TYPE_CHECKING:
    from warren.core.administration.listing.connections import ConnectionRow
    from warren.core.broker import Broker
    from warren.core.clients.client import Client
    from warren.core.counters import SessionCounts


class ChannelRow(Row):
    """One channel of a connection that is logged in; an adapter's subclass says what it is doing."""

    __slots__ = ("client", "of")

    def __init__(self, of: ConnectionRow, client: Client) -> None:
        self.of = of
        self.client = client

    @property
    def exists(self) -> bool:
        """False once the connection is gone."""
        return self.of.exists

    @property
    def counts(self) -> SessionCounts:
        """What is counted of it; of the connection, where the protocol has no channels."""
        return self.client.counts.own

    @Column
    def message_stats(self) -> Mapping[str, int]:
        """What happened to its messages: counts by name (core/counters.py)."""
        return self.counts.snapshot()

    @on_request
    def node(self) -> str:
        """The node of a cluster that it is on; empty without a cluster."""
        return node_of(self.client.vhost.broker)

    @on_request
    def message_rates(self) -> Mapping[str, float]:
        """How fast these counts grow, per second; sampled from the first time on that somebody asks."""
        broker = self.client.vhost.broker
        return broker.rates.of(self.counts, self.counts.snapshot, broker.now_ms)

    @Column
    def pid(self) -> str:
        """RabbitMQ's process; here the name again."""
        return self.name

    @Column
    def connection(self) -> str:
        """The name of the connection it is on."""
        return self.of.name

    @Column
    def connection_details(self) -> Mapping[str, object]:
        """The connection, as the management API shows it."""
        return {"name": self.of.name, "peer_host": self.of.peer_host, "peer_port": self.of.peer_port}

    @Column
    def name(self) -> str:
        """`PEER:PORT -> HOST:PORT (NUMBER)`."""
        return f"{self.of.name} ({self.number})"

    @Column
    def number(self) -> int:
        """Its number on the connection."""
        return 1

    @Column
    def user(self) -> str:
        """Who is logged in."""
        return self.client.user.name

    @Column
    def vhost(self) -> str:
        """The virtual host that was opened."""
        return self.client.vhost.name

    @Column
    def transactional(self) -> bool:
        """Whether a transaction is open."""
        return False

    @Column
    def confirm(self) -> bool:
        """Whether publishes are confirmed."""
        return True

    @Column
    def consumer_count(self) -> int:
        """How many consumers it has."""
        return 0

    @Column
    def messages_unacknowledged(self) -> int:
        """Messages that were delivered and aren't settled."""
        return 0

    @Column
    def messages_uncommitted(self) -> int:
        """Messages published in a transaction that is open."""
        return 0

    @Column
    def acks_uncommitted(self) -> int:
        """Acknowledgements in a transaction that is open."""
        return 0

    @Column
    def messages_unconfirmed(self) -> int:
        """Messages published and not confirmed."""
        return 0

    @Column
    def prefetch_count(self) -> int:
        """The limit of unacknowledged messages for each new consumer, 0 for none."""
        return 0

    @Column
    def global_prefetch_count(self) -> int:
        """The limit of unacknowledged messages on all of it, 0 for none."""
        return 0

    @Column
    def state(self) -> str:
        """running or closing."""
        return "running"


def _rows(broker: Broker, vhosts: Vhosts) -> Iterator[ChannelRow]:
    for session in list(broker.sessions):
        for row in session.channel_rows():
            if vhosts is None or row.vhost in vhosts:
                yield row


def _count(broker: Broker, vhosts: Vhosts) -> int:
    if vhosts is None:
        return broker.channel_count
    return sum(1 for _ in _rows(broker, vhosts))


CHANNELS = Kind(
    "channels",
    ChannelRow,
    _rows,
    _count,
    shown=("pid", "user", "consumer_count", "messages_unacknowledged"),
)
