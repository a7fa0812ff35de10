"""What list_connections and list_channels show of direct clients beside what they show of all (spec F.8)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from warren.core.administration.listing.channels import ChannelRow
from warren.core.administration.listing.column import Column
from warren.core.administration.listing.connections import ConnectionRow

if TYPE_CHECKING:
    from warren.adapters.direct.consumer import DirectConsumer
    from warren.adapters.direct.session import DirectSession
    from warren.core.clients.transport import Credentials, TlsState
    from warren.core.counters import SessionCounts

PROTOCOL: Final = "Direct 0-9-1"
"""What RabbitMQ's listings call connections from within."""

OWN_CHANNEL: Final = 1
"""The channel that publishes and polls; consumers have those above."""


class NoTransport:
    """Implements core.clients.transport.Transport for who has none: no addresses, no TLS, no bytes."""

    peer_host = ""
    peer_port = 0
    host = ""
    port = 0
    certificate_name: str | None = None
    credentials: Credentials | None = None
    is_websocket = False
    tls: TlsState | None = None
    received_bytes = 0
    sent_bytes = 0
    received_packets = 0
    sent_packets = 0
    unsent_bytes = 0

    def send(self) -> None: ...

    def close(self) -> None: ...

    def abort(self) -> None: ...

    def reset(self) -> None: ...

    def pause(self) -> None: ...

    def resume(self) -> None: ...


class DirectConnectionRow(ConnectionRow):
    """One direct client."""

    __slots__ = ("_session",)

    def __init__(self, session: DirectSession) -> None:
        super().__init__(session.broker, session, NoTransport(), session.client, session.connected_at_ms)
        self._session = session

    @property
    def protocol_name(self) -> str:
        """See ConnectionRow.protocol_name."""
        return PROTOCOL

    @Column
    def name(self) -> str:
        """Which direct client it is."""
        return self._session.name

    @Column
    def user_provided_name(self) -> str:
        """What the program calls itself."""
        return self._session.provided_name

    @Column
    def state(self) -> str:
        """running; flow while a limit of a rate holds its publishes, blocked while an alarm does."""
        return "blocked" if self._session.publishes_waiting and not self.rate_limit else self.state_with_rate("running")

    @Column
    def channels(self) -> int:
        """Its own, and one for each consumer."""
        return 1 + len(self._session.consumers)

    @Column
    def channel_max(self) -> int:
        """The most channels, 0 for any number."""
        return 0

    @Column
    def client_properties(self) -> Mapping[str, object]:
        """What the program says of itself."""
        return dict(self._session.client.properties)


class OwnChannelRow(ChannelRow):
    """The channel on which a direct client publishes and polls."""

    __slots__ = ("_session",)

    def __init__(self, of: ConnectionRow, session: DirectSession) -> None:
        super().__init__(of, session.client)
        self._session = session

    @Column
    def messages_unacknowledged(self) -> int:
        """Messages that were polled and aren't settled."""
        return len(self._session.polled.unacked)

    @Column
    def messages_unconfirmed(self) -> int:
        """Messages published and not confirmed."""
        return self._session.unconfirmed


class ConsumerChannelRow(ChannelRow):
    """The channel of one consumer."""

    __slots__ = ("_consumer",)

    def __init__(self, of: ConnectionRow, consumer: DirectConsumer) -> None:
        super().__init__(of, consumer.client)
        self._consumer = consumer

    @property
    def exists(self) -> bool:
        """See Row.exists."""
        return super().exists and self._consumer.tag in self._consumer.session.consumers

    @property
    def counts(self) -> SessionCounts:
        """See ChannelRow.counts."""
        return self._consumer.session_counts

    @Column
    def number(self) -> int:
        """Its number."""
        return self._consumer.number

    @Column
    def confirm(self) -> bool:
        """Nothing is published on it."""
        return False

    @Column
    def consumer_count(self) -> int:
        """1, until it is cancelled."""
        return 1 if self._consumer.active else 0

    @Column
    def messages_unacknowledged(self) -> int:
        """Messages that were delivered and aren't settled."""
        return len(self._consumer.deliveries.unacked)

    @Column
    def prefetch_count(self) -> int:
        """The limit of unacknowledged messages."""
        return self._consumer.prefetch
