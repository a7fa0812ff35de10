"""What list_connections and list_channels show of AMQP connections beside what they show of all (spec F.8)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from warren.core.administration.listing.channels import ChannelRow
from warren.core.administration.listing.column import Column
from warren.core.administration.listing.connections import ConnectionRow

if TYPE_CHECKING:
    from warren.adapters.amqp091.channel import Channel
    from warren.adapters.amqp091.connection import Connection
    from warren.core.counters import SessionCounts


class AmqpConnectionRow(ConnectionRow):
    """One AMQP connection."""

    __slots__ = ("_connection",)

    def __init__(self, connection: Connection) -> None:
        super().__init__(
            connection.broker, connection, connection.transport, connection.client, connection.connected_at_ms
        )
        self._connection = connection

    @property
    def protocol_name(self) -> str:
        """The version that is spoken; 0-8 and 0-9 are shown as what they are served as."""
        return "AMQP 0-9-1"

    @Column
    def user_provided_name(self) -> str:
        """The client property connection_name."""
        return self._connection.agreed.provided_name

    @Column
    def state(self) -> str:
        """starting, running, flow, blocked, closing..."""
        return self.state_with_rate(self._connection.reported_state)

    @Column
    def channels(self) -> int:
        """How many channels are open."""
        return len(self._connection.channels.by_number)

    @Column
    def auth_mechanism(self) -> str:
        """The SASL mechanism."""
        return self._connection.agreed.mechanism

    @Column
    def timeout(self) -> int:
        """The heartbeat interval in seconds, 0 for none."""
        return self._connection.agreed.heartbeat_s

    @Column
    def frame_max(self) -> int:
        """The largest frame in bytes."""
        return self._connection.agreed.frame_max

    @Column
    def channel_max(self) -> int:
        """The highest channel number."""
        return self._connection.agreed.channel_max

    @Column
    def client_properties(self) -> Mapping[str, object]:
        """What the client says of itself."""
        return dict(self._connection.agreed.client_properties)


class AmqpChannelRow(ChannelRow):
    """One AMQP channel."""

    __slots__ = ("_channel",)

    def __init__(self, of: ConnectionRow, channel: Channel) -> None:
        super().__init__(of, channel.client)
        self._channel = channel

    @property
    def exists(self) -> bool:
        """False once the channel is closed, or its connection gone."""
        channel = self._channel
        return super().exists and channel.connection.channels.has(channel)

    @Column
    def number(self) -> int:
        """Its number on the connection."""
        return self._channel.number

    @property
    def counts(self) -> SessionCounts:
        """See ChannelRow.counts."""
        return self._channel.counts

    @Column
    def transactional(self) -> bool:
        """After tx.select."""
        return self._channel.transaction is not None

    @Column
    def confirm(self) -> bool:
        """After confirm.select."""
        return self._channel.confirms is not None

    @Column
    def consumer_count(self) -> int:
        """How many consumers it has."""
        return len(self._channel.consumers)

    @Column
    def messages_unacknowledged(self) -> int:
        """Messages that were delivered and aren't settled."""
        return len(self._channel.deliveries.unacked)

    @Column
    def messages_uncommitted(self) -> int:
        """Messages published in the transaction."""
        transaction = self._channel.transaction
        return len(transaction.publishes) if transaction else 0

    @Column
    def acks_uncommitted(self) -> int:
        """Acknowledgements in the transaction."""
        transaction = self._channel.transaction
        return transaction.uncommitted_acks if transaction else 0

    @Column
    def messages_unconfirmed(self) -> int:
        """Messages published and not confirmed."""
        confirms = self._channel.confirms
        return confirms.published - confirms.confirmed if confirms else 0

    @Column
    def prefetch_count(self) -> int:
        """basic.qos for each new consumer, 0 for no limit."""
        return self._channel.prefetch

    @Column
    def global_prefetch_count(self) -> int:
        """basic.qos for the channel, 0 for no limit."""
        return self._channel.shared_credit.limit

    @Column
    def state(self) -> str:
        """running or closing."""
        return "closing" if self._channel.closing else "running"
