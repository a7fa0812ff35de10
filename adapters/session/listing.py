"""Listings of protocols whose connections have one channel each, MQTT and STOMP: what both show (spec F.8).

RabbitMQ has a word of its own for the connections of each, with some of the columns of list_connections under other
names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from warren.core.administration.listing.channels import ChannelRow
from warren.core.administration.listing.column import Column
from warren.core.administration.listing.connections import ConnectionRow, connections_of

if TYPE_CHECKING:
    from warren.core.administration.listing.kind import Kind
    from warren.core.broker import Broker, SessionEntry
    from warren.core.clients.client import Client
    from warren.core.clients.transport import Transport

    class OneChannelSession(SessionEntry, Protocol):
        """A connected session, as its rows see it."""

        @property
        def broker(self) -> Broker: ...
        @property
        def transport(self) -> Transport: ...
        @property
        def client(self) -> Client | None: ...
        @property
        def connected_at_ms(self) -> int: ...
        @property
        def state(self) -> str: ...
        @property
        def held_back(self) -> bool: ...


class OneChannelConnectionRow(ConnectionRow):
    """A connection; a protocol's subclass says the rest of it."""

    __slots__ = ("_entry",)

    def __init__(self, session: OneChannelSession) -> None:
        super().__init__(session.broker, session, session.transport, session.client, session.connected_at_ms)
        self._entry = session

    @Column
    def conn_name(self) -> str:
        """The name again, as RabbitMQ's word for this protocol has it; so are `connection` and `connection_state`."""
        return self.name

    @Column
    def connection(self) -> str:
        """RabbitMQ's process; here the name again."""
        return self.name

    @Column
    def connection_state(self) -> str:
        """See `state`."""
        return self.state

    @Column
    def state(self) -> str:
        """connecting, running, flow, blocked, closing..."""
        return "blocked" if self._entry.held_back else self.state_with_rate(self._entry.state)


class OneChannelRow(ChannelRow):
    """The channel of a connection whose client has logged in."""

    __slots__ = ("_entry",)

    def __init__(self, session: OneChannelSession, client: Client) -> None:
        super().__init__(session.connection_row(), client)
        self._entry = session

    @Column
    def state(self) -> str:
        """As of the connection."""
        return self._entry.state


def one_channel_connections(
    protocol: str, row: type[OneChannelConnectionRow], first: str, unknown: tuple[str, ...]
) -> Kind:
    """A protocol's listing: the columns of list_connections, and RabbitMQ's names for some of them.

    protocol: in lower case.  first: the column that comes first when none is named.  unknown: columns of RabbitMQ's
    beside those of TLS that are unknown to all.
    """
    return connections_of(
        f"{protocol}_connections",
        row,
        shown=(first, "conn_name"),
        unknown=(*unknown, "ssl_hash", "ssl_key_exchange"),
    )
