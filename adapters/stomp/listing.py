"""What list_connections and list_channels show of STOMP sessions: a connection with one channel (spec B.2, F.8)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.adapters.session.listing import OneChannelConnectionRow, OneChannelRow, one_channel_connections
from warren.core.administration.listing.column import Column

if TYPE_CHECKING:
    from warren.adapters.stomp.session import StompSession


class StompConnectionRow(OneChannelConnectionRow):
    """The connection of a session."""

    __slots__ = ("_session",)

    def __init__(self, session: StompSession) -> None:
        super().__init__(session)
        self._session = session

    @property
    def protocol_name(self) -> str:
        """STOMP with its version, once CONNECT has said which."""
        return self.client.protocol if self.client else "STOMP"

    @Column
    def session_id(self) -> str:
        """The session's name in CONNECTED and in message ids."""
        return self._session.id

    @Column
    def version(self) -> str:
        """The version of STOMP that is spoken."""
        return self._session.version

    @Column
    def auth_login(self) -> str:
        """Who is logged in."""
        return self.user

    @Column
    def peer_addr(self) -> str:
        """See `peer_host`."""
        return self.peer_host

    @Column
    def auth_mechanism(self) -> str:
        """How the client logged in."""
        return self._session.mechanism

    @Column
    def timeout(self) -> int:
        """The heart-beat interval in seconds, 0 for none."""
        return self._session.heartbeat_ms // 1000

    @Column
    def frame_max(self) -> int:
        """The largest frame in bytes."""
        return self._session.settings.frame_bytes_max


class StompChannelRow(OneChannelRow):
    """The channel of a session that is logged in."""

    __slots__ = ("_session",)

    def __init__(self, session: StompSession) -> None:
        super().__init__(session, session.logged_in)
        self._session = session

    @Column
    def transactional(self) -> bool:
        """Whether a transaction is open."""
        return len(self._session.transactions) > 0

    @Column
    def consumer_count(self) -> int:
        """How many subscriptions it has."""
        return len(self._session.subscriptions)

    @Column
    def messages_unacknowledged(self) -> int:
        """Messages that were delivered and aren't settled."""
        return len(self._session.deliveries.unacked)

    @Column
    def messages_uncommitted(self) -> int:
        """Frames in transactions that are open."""
        return self._session.transactions.action_count

    @Column
    def messages_unconfirmed(self) -> int:
        """Receipts that wait."""
        return self._session.receipts.waiting


STOMP_CONNECTIONS: Final = one_channel_connections(
    "stomp", StompConnectionRow, first="session_id", unknown=("channel", "implicit_connect")
)
"""What list_stomp_connections shows."""
