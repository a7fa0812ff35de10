"""What list_connections, list_channels and list_stream_connections show of the stream protocol (spec F.8)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from warren.adapters.session.listing import OneChannelConnectionRow, OneChannelRow, one_channel_connections
from warren.core.administration.listing.column import Column

if TYPE_CHECKING:
    from warren.adapters.stream.session import StreamSession


class StreamConnectionRow(OneChannelConnectionRow):
    """One connection."""

    __slots__ = ("_session",)

    def __init__(self, session: StreamSession) -> None:
        super().__init__(session)
        self._session = session

    @property
    def protocol_name(self) -> str:
        """stream."""
        return "stream"

    @Column
    def user_provided_name(self) -> str:
        """What the client calls the connection."""
        return self._session.agreed.client_name

    @Column
    def auth_mechanism(self) -> str:
        """The SASL mechanism."""
        return self._session.agreed.mechanism

    @Column
    def heartbeat(self) -> int:
        """Seconds between heartbeats, 0 for none."""
        return self._session.agreed.heartbeat_s

    @Column
    def timeout(self) -> int:
        """The same."""
        return self._session.agreed.heartbeat_s

    @Column
    def frame_max(self) -> int:
        """The largest frame in bytes."""
        return self._session.agreed.frame_bytes_max

    @Column
    def client_properties(self) -> Mapping[str, object]:
        """What the client says of itself."""
        return self._session.agreed.properties


class StreamChannelRow(OneChannelRow):
    """The channel of a connection that has entered a virtual host.  session: the connection's."""

    __slots__ = ("session",)

    def __init__(self, session: StreamSession) -> None:
        super().__init__(session, session.logged_in)
        self.session = session

    @Column
    def confirm(self) -> bool:
        """Always: publishers are told what is safe."""
        return True

    @Column
    def consumer_count(self) -> int:
        """How many subscriptions it has."""
        return len(self.session.subscriptions)

    @Column
    def messages_unconfirmed(self) -> int:
        """Messages that wait for the disk."""
        return self.session.confirming.waiting


STREAM_CONNECTIONS: Final = one_channel_connections(
    "stream", StreamConnectionRow, first="user_provided_name", unknown=()
)
"""What list_stream_connections shows."""
