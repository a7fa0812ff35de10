"""An AMQP 0-9-1 connection to another broker."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, cast

import trio

from warren.adapters.amqp091.client.connection import ClientConnection
from warren.adapters.amqp091.client.handshake import Login
from warren.adapters.amqp091.client.uri import DEFAULT_USER
from warren.adapters.peers.errors import PeerError
from warren.gateway.peers.connecting import connected
from warren.gateway.peers.peer import Peer, now_ms

if TYPE_CHECKING:
    from warren.adapters.amqp091.client.channel import ClientChannel
    from warren.adapters.amqp091.client.uri import AmqpUri
    from warren.adapters.amqp091.codec.methods_wire import Method

AnyMethod = TypeVar("AnyMethod", bound="Method")


class AmqpPeer(Peer[ClientConnection]):
    """Made by `connect_amqp`."""

    def open_channel(self) -> ClientChannel:
        """A channel, on which anything may be asked at once."""
        return self.connection.open_channel()

    async def ask(self, channel: ClientChannel, method: Method, reply: type[AnyMethod]) -> AnyMethod:
        """Send a method and wait for its reply; PeerError if the channel ends instead, or none comes."""
        replies: list[Method | PeerError] = []
        channel.ask(method, reply, replies.append)
        self.flush()
        with self.answering(method.NAME):
            while not replies:
                await self._came.park()
        await trio.lowlevel.checkpoint()
        if isinstance(replies[0], PeerError):
            raise replies[0]
        return cast("AnyMethod", replies[0])

    async def channel_progress(self, channel: ClientChannel) -> None:
        """Wait until something has come; PeerError when the channel is over."""
        if channel.closed is not None:
            await trio.lowlevel.checkpoint()
            raise channel.closed
        await self.progress()


async def connect_amqp(nursery: trio.Nursery, uri: AmqpUri, *, product: str, version: str, name: str) -> AmqpPeer:
    """An open connection; PeerError, in words, when there is none within the URI's connection timeout.

    nursery: where its tasks run, none of which ever raises.  name: what the peer's listings call the connection.
    """
    login = Login(
        product,
        version,
        name,
        uri.vhost,
        uri.mechanism,
        DEFAULT_USER if uri.user is None else uri.user,
        DEFAULT_USER if uri.password is None else uri.password,
        uri.heartbeat_s,
        uri.channel_max,
    )
    return await connected(nursery, uri, lambda stream: AmqpPeer(stream, ClientConnection(login, now_ms())))
