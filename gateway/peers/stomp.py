"""A STOMP connection to another broker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from warren.adapters.stomp.client.connection import StompClient, StompLogin
from warren.gateway.peers.connecting import connected
from warren.gateway.peers.peer import Peer, now_ms

if TYPE_CHECKING:
    import trio

    from warren.adapters.stomp.client.uri import StompUri


class StompPeer(Peer[StompClient]):
    """Made by `connect_stomp`."""

    async def subscribe(self, id: str, destination: str, ack: str, headers: Mapping[str, str]) -> None:
        """Subscribe, and wait for the receipt; PeerError if the peer refuses."""
        await self._done("SUBSCRIBE", self.connection.subscribe(id, destination, ack, headers))

    async def unsubscribe(self, id: str, headers: Mapping[str, str]) -> None:
        """End a subscription, and wait for the receipt."""
        await self._done("UNSUBSCRIBE", self.connection.unsubscribe(id, headers))

    async def _done(self, asked: str, receipt: str) -> None:
        self.flush()
        with self.answering(asked):
            while self.connection.awaits(receipt):
                await self.progress()


async def connect_stomp(nursery: trio.Nursery, uri: StompUri) -> StompPeer:
    """An open connection; PeerError, in words, when there is none within the URI's connection timeout.

    nursery: where its tasks run, none of which ever raises.
    """
    login = StompLogin(uri.vhost, uri.user, uri.password, uri.heartbeat_s * 1000)
    return await connected(nursery, uri, lambda stream: StompPeer(stream, StompClient(login, now_ms())))
