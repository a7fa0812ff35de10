"""What list_connections, list_channels and list_amqp10_connections show of AMQP 1.0 (spec F.8).

A session is shown as a channel, as it counts towards the limits on them; list_amqp10_sessions shows what
RabbitMQ's management API does of a connection's sessions.  Links are in link_listing.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from warren.adapters.amqp10.codec.constants import PROTOCOL
from warren.core.administration.listing.channels import ChannelRow
from warren.core.administration.listing.column import Column, on_request
from warren.core.administration.listing.connections import ConnectionRow, connections_of
from warren.core.administration.listing.kind import Kind

if TYPE_CHECKING:
    from warren.adapters.amqp10.amqp_session import AmqpSession
    from warren.adapters.amqp10.connection import Connection
    from warren.core.administration.listing.kind import Vhosts
    from warren.core.broker import Broker
    from warren.core.counters import SessionCounts


class Amqp10ConnectionRow(ConnectionRow):
    """One AMQP 1.0 connection."""

    __slots__ = ("_connection",)

    def __init__(self, connection: Connection) -> None:
        super().__init__(
            connection.broker, connection, connection.transport, connection.client, connection.connected_at_ms
        )
        self._connection = connection

    @property
    def protocol_name(self) -> str:
        """The version that is spoken."""
        return PROTOCOL

    @Column
    def user_provided_name(self) -> str:
        """The container id."""
        return self._connection.agreed.container_id

    @Column
    def container_id(self) -> str:
        """What the client calls itself in open."""
        return self._connection.agreed.container_id

    @Column
    def state(self) -> str:
        """securing, opening, running, flow, blocked, closing..."""
        connection = self._connection
        is_blocked = connection.state == "running" and connection.is_blocked
        return "blocked" if is_blocked else self.state_with_rate(connection.state)

    @Column
    def channels(self) -> int:
        """How many sessions are begun."""
        return len(self._connection.sessions)

    @Column
    def sessions(self) -> int:
        """The same."""
        return len(self._connection.sessions)

    @Column
    def links(self) -> int:
        """How many links are attached, in all sessions."""
        return sum(len(session.links) for session in self._connection.sessions.values())

    @Column
    def auth_mechanism(self) -> str:
        """The SASL mechanism."""
        return self._connection.agreed.mechanism

    @Column
    def timeout(self) -> int:
        """The idle timeout in seconds, 0 for none."""
        return self._connection.settings.idle_timeout_ms // 1000

    @Column
    def frame_max(self) -> int:
        """The largest frame that the client takes, or that is sent to it, in bytes."""
        return self._connection.agreed.frame_bytes_max

    @Column
    def channel_max(self) -> int:
        """The highest channel number."""
        return self._connection.agreed.channel_max

    @Column
    def client_properties(self) -> Mapping[str, object]:
        """What the client says of itself."""
        return {str(name): value for name, value in self._connection.agreed.properties.items()}


class Amqp10SessionRow(ChannelRow):
    """One session."""

    __slots__ = ("_session",)

    def __init__(self, of: ConnectionRow, session: AmqpSession) -> None:
        super().__init__(of, session.client)
        self._session = session

    @property
    def session(self) -> AmqpSession:
        """The session."""
        return self._session

    @property
    def exists(self) -> bool:
        """False once the session has ended, or its connection."""
        return super().exists and not self._session.ended

    @Column
    def number(self) -> int:
        """Its channel on the connection."""
        return self._session.channel

    @property
    def counts(self) -> SessionCounts:
        """See ChannelRow.counts."""
        return self._session.counts

    @Column
    def confirm(self) -> bool:
        """Always: senders are told what becomes of a message, unless it came settled."""
        return True

    @Column
    def consumer_count(self) -> int:
        """How many links messages are sent by."""
        return sum(1 for link in self._session.links.values() if link.is_sender)

    @Column
    def messages_unacknowledged(self) -> int:
        """Messages that were delivered and aren't settled."""
        return len(self._session.deliveries.unacked)

    @Column
    def messages_unconfirmed(self) -> int:
        """Messages that wait for the disk."""
        return self._session.safe.waiting

    @Column
    def state(self) -> str:
        """running."""
        return "closing" if self._session.ended else "running"

    @Column
    def channel_number(self) -> int:
        """Its channel on the connection."""
        return self._session.channel

    @Column
    def handle_max(self) -> int:
        """The highest handle of a link."""
        return self._session.handle_max

    @Column
    def next_incoming_id(self) -> int:
        """The number of the transfer that is expected next."""
        return self._session.next_incoming_id

    @Column
    def incoming_window(self) -> int:
        """Transfers that the client may still send."""
        return self._session.incoming_window

    @Column
    def next_outgoing_id(self) -> int:
        """The number of the transfer that is sent next."""
        return self._session.next_outgoing_id

    @Column
    def remote_incoming_window(self) -> int:
        """Transfers that the client still takes."""
        return self._session.window

    @Column
    def remote_outgoing_window(self) -> int:
        """Transfers that the client said it may send."""
        return self._session.remote_outgoing_window

    @Column
    def outgoing_unsettled_deliveries(self) -> int:
        """Messages that were delivered and aren't settled."""
        return len(self._session.deliveries.unacked)

    @Column
    def links(self) -> int:
        """How many links are attached."""
        return len(self._session.links)

    @on_request
    def incoming_links(self) -> list[dict[str, object]]:
        """The links that the client sends by."""
        from warren.adapters.amqp10.link_listing import links_of

        return links_of(self._session, outgoing=False)

    @on_request
    def outgoing_links(self) -> list[dict[str, object]]:
        """The links that the client receives by."""
        from warren.adapters.amqp10.link_listing import links_of

        return links_of(self._session, outgoing=True)


def _sessions(broker: Broker, vhosts: Vhosts) -> Iterator[Amqp10SessionRow]:
    for session in list(broker.sessions):
        for row in session.channel_rows():
            if isinstance(row, Amqp10SessionRow) and (vhosts is None or row.vhost in vhosts):
                yield row


AMQP10_SESSIONS: Final = Kind(
    "amqp10_sessions",
    Amqp10SessionRow,
    _sessions,
    lambda broker, vhosts: sum(1 for _ in _sessions(broker, vhosts)),
    shown=("connection", "channel_number", "links", "incoming_window", "remote_incoming_window"),
)
"""What list_amqp10_sessions shows."""

AMQP10_CONNECTIONS: Final = connections_of(
    "amqp10_connections", Amqp10ConnectionRow, shown=("container_id", "name"), unknown=("ssl_hash", "ssl_key_exchange")
)
"""What list_amqp10_connections shows."""
