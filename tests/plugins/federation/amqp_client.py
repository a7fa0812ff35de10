"""A client of another broker for tests, over AMQP 0-9-1: straight calls, each of which waits for its answer."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TypeVar

import trio

from warren.adapters.amqp091.client.channel import ClientChannel
from warren.adapters.amqp091.client.incoming import Incoming
from warren.adapters.amqp091.client.uri import parse_uri
from warren.adapters.amqp091.codec import methods
from warren.core.messages.field_table import EMPTY_TABLE_RAW, Encodable, encode_table
from warren.core.messages.properties import EMPTY, Properties
from warren.gateway.peers.amqp import AmqpPeer, connect_amqp

AnyMethod = TypeVar("AnyMethod", bound=methods.Method)


class AmqpClient:
    """One connection with one channel, in confirm mode."""

    def __init__(self, peer: AmqpPeer) -> None:
        self.peer = peer
        self._channel: ClientChannel = peer.open_channel()
        self._confirmed = 0

    async def start(self) -> None:
        await self.ask(methods.ConfirmSelect(), methods.ConfirmSelectOk)

    async def ask(self, method: methods.Method, reply: type[AnyMethod]) -> AnyMethod:
        return await self.peer.ask(self._channel, method, reply)

    async def declare_queue(self, name: str, arguments: Mapping[str, Encodable] | None = None) -> int:
        """A durable queue; how many messages are ready in it."""
        method = methods.QueueDeclare(queue=name, durable=True, arguments_raw=_raw(arguments))
        return (await self.ask(method, methods.QueueDeclareOk)).message_count

    async def delete_queue(self, name: str) -> None:
        await self.ask(methods.QueueDelete(queue=name), methods.QueueDeleteOk)

    async def declare_exchange(self, name: str, kind: str) -> None:
        method = methods.ExchangeDeclare(exchange=name, type=kind, durable=True)
        await self.ask(method, methods.ExchangeDeclareOk)

    async def bind(self, queue: str, exchange: str, key: str) -> None:
        await self.ask(methods.QueueBind(queue=queue, exchange=exchange, routing_key=key), methods.QueueBindOk)

    async def unbind(self, queue: str, exchange: str, key: str) -> None:
        await self.ask(methods.QueueUnbind(queue=queue, exchange=exchange, routing_key=key), methods.QueueUnbindOk)

    async def publish(self, exchange: str, key: str, body: bytes, properties: Properties = EMPTY) -> None:
        """Publish, and wait for the confirm."""
        number = self._channel.publish(exchange, key, properties, body)
        self.peer.flush()
        while self._confirmed < number:
            while not self._channel.confirmed:
                await self.peer.channel_progress(self._channel)
            self._confirmed = max(confirm.number for confirm in self._channel.confirmed)
            assert all(confirm.taken for confirm in self._channel.confirmed)
            self._channel.confirmed.clear()

    async def consume(self, queue: str, prefetch: int = 0, arguments: Mapping[str, Encodable] | None = None) -> Reader:
        """Begin to consume, on a channel of its own."""
        channel = self.peer.open_channel()
        await self.peer.ask(channel, methods.BasicQos(prefetch_count=prefetch), methods.BasicQosOk)
        method = methods.BasicConsume(queue=queue, arguments_raw=_raw(arguments))
        await self.peer.ask(channel, method, methods.BasicConsumeOk)
        return Reader(self.peer, channel)


class Reader:
    """What a consumer gets.  arrived: what nobody has taken yet."""

    def __init__(self, peer: AmqpPeer, channel: ClientChannel) -> None:
        self._peer = peer
        self._channel = channel

    @property
    def arrived(self) -> deque[Incoming]:
        return self._channel.arrived

    async def next(self, *, ack: bool = True) -> Incoming:
        """The next message, acknowledged unless told otherwise."""
        while not self._channel.arrived:
            await self._peer.channel_progress(self._channel)
        message = self._channel.arrived.popleft()
        if ack:
            self.ack(message)
        return message

    def ack(self, message: Incoming) -> None:
        self._channel.ack(message.tag)
        self._peer.flush()

    def close(self) -> None:
        """Stop consuming; what isn't acknowledged goes back."""
        self._channel.close()
        self._peer.flush()


@asynccontextmanager
async def amqp_client(url: str) -> AsyncIterator[AmqpClient]:
    """A client for the length of a block."""
    async with trio.open_nursery() as peers:
        peer = await connect_amqp(peers, parse_uri(url), product="test", version="1", name="test")
        try:
            client = AmqpClient(peer)
            await client.start()
            yield client
        finally:
            await peer.aclose()


def _raw(arguments: Mapping[str, Encodable] | None) -> bytes:
    return encode_table(arguments) if arguments else EMPTY_TABLE_RAW
