"""An AMQP 1.0 connection to another broker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.adapters.amqp10.client.connection import Amqp10Client
from warren.adapters.amqp10.client.login import Amqp10Login
from warren.gateway.peers.connecting import connected
from warren.gateway.peers.peer import Peer, now_ms

if TYPE_CHECKING:
    import trio

    from warren.adapters.amqp10.client.uri import Amqp10Uri


class Amqp10Peer(Peer[Amqp10Client]):
    """Made by `connect_amqp10`."""

    async def attached(self) -> None:
        """Wait until the link is there, which was asked for; PeerError if the peer refuses it."""
        self.flush()
        with self.answering("attach"):
            while not self.connection.attached:
                await self.progress()


async def connect_amqp10(nursery: trio.Nursery, uri: Amqp10Uri, *, product: str, version: str, name: str) -> Amqp10Peer:
    """An open connection with a session; PeerError, in words, when there is none within the URI's connection timeout.

    nursery: where its tasks run, none of which ever raises.  name: what the peer's listings call the connection.
    """
    login = Amqp10Login(
        uri.opened_as,
        uri.sasl,
        name,
        uri.user or "",
        uri.password or "",
        product,
        version,
        uri.heartbeat_s * 1000,
    )
    return await connected(nursery, uri, lambda stream: Amqp10Peer(stream, Amqp10Client(login, now_ms())))
