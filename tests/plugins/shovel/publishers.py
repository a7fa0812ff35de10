"""Publishers of every protocol, who note what they are told of each message."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Literal

import trio

from tests.plugins.shovel.brokers import edge
from warren.adapters.amqp091.client.uri import parse_uri
from warren.adapters.amqp091.codec import methods
from warren.adapters.mqtt.client.connection import MqttLogin
from warren.adapters.mqtt.client.memory import ClientMemory
from warren.adapters.mqtt.client.uri import parse_mqtt_uri
from warren.adapters.mqtt.codec import versions
from warren.adapters.mqtt.codec.packets import Publish
from warren.core.messages.properties import encode_properties
from warren.gateway.embedding import EmbeddedBroker
from warren.gateway.peers.amqp import AmqpPeer, connect_amqp
from warren.gateway.peers.mqtt import MqttPeer, connect_mqtt
from warren.gateway.plugin import BrokerClient, DirectError, PendingConfirmation

LISTEN = ("amqp=127.0.0.1:0", "mqtt=127.0.0.1:0", "stomp=127.0.0.1:0")
PERSISTENT = encode_properties(delivery_mode=2)
QUEUE = "out"
TOPIC = "reading"
"""The queue is bound to amq.topic with it, for MQTT."""

NOWHERE = "amqp://127.0.0.1:1"
"""Nobody listens there."""

Word = Literal["taken", "refused"]


class Publisher(ABC):
    """told: what became of each message, in the order in which it was told."""

    @abstractmethod
    def publish(self, body: bytes) -> None:
        """Send a message."""

    @property
    @abstractmethod
    def told(self) -> list[Word]: ...


class InProcess(Publisher):
    def __init__(self, client: BrokerClient) -> None:
        self._client = client
        self._waiting: list[PendingConfirmation] = []

    def publish(self, body: bytes) -> None:
        self._waiting.append(self._client.publish_nowait("", QUEUE, body, PERSISTENT))

    @property
    def told(self) -> list[Word]:
        done = [each for each in self._waiting if each.done]
        assert all(each.error is None or isinstance(each.error, DirectError) for each in done)
        return ["taken" if each.error is None else "refused" for each in done]


class OverAmqp(Publisher):
    def __init__(self, peer: AmqpPeer) -> None:
        self._peer = peer
        self.channel = peer.open_channel()

    def publish(self, body: bytes) -> None:
        self.channel.publish("", QUEUE, PERSISTENT, body)
        self._peer.flush()

    @property
    def told(self) -> list[Word]:
        found: list[Word] = []
        confirmed = 0
        for number, multiple, taken in self.channel.confirmed:
            found += ["taken" if taken else "refused"] * (number - confirmed if multiple else 1)
            confirmed = max(confirmed, number)
        return found


class OverMqtt(Publisher):
    def __init__(self, peer: MqttPeer, qos: int) -> None:
        self._peer = peer
        self._qos = qos

    def publish(self, body: bytes) -> None:
        self._peer.connection.publish(Publish(TOPIC, body, self._qos))
        self._peer.flush()

    @property
    def told(self) -> list[Word]:
        settled = self._peer.connection.sending.settled
        return ["taken" if each.refused is None else "refused" for each in settled]


class OverStomp(Publisher):
    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self._count = 0
        self._read = b""
        self._to_send, self._send = trio.open_memory_channel[bytes](100)

    def publish(self, body: bytes) -> None:
        self._count += 1
        head = f"SEND\ndestination:/amq/queue/{QUEUE}\npersistent:true\nreceipt:{self._count}\n\n"
        self._to_send.send_nowait(head.encode() + body + b"\0")

    async def write(self) -> None:
        async for frame in self._send:
            await self._stream.send_all(frame)

    async def read(self) -> None:
        while data := await self._stream.receive_some():
            self._read += data

    @property
    def told(self) -> list[Word]:
        frames = self._read.split(b"\0")[:-1]
        return [
            "taken" if frame.strip().startswith(b"RECEIPT") else "refused"
            for frame in frames
            if not frame.strip().startswith(b"CONNECTED")
        ]


@asynccontextmanager
async def in_process(broker: EmbeddedBroker) -> AsyncIterator[Publisher]:
    async with broker.connect() as client:
        yield InProcess(client)


@asynccontextmanager
async def over_amqp(broker: EmbeddedBroker) -> AsyncIterator[Publisher]:
    async with trio.open_nursery() as peers:
        peer = await connect_amqp(peers, parse_uri(broker.url()), product="test", version="1", name="publisher")
        try:
            publisher = OverAmqp(peer)
            await peer.ask(publisher.channel, methods.ConfirmSelect(), methods.ConfirmSelectOk)
            yield publisher
        finally:
            await peer.aclose()


def over_mqtt(qos: int, level: int) -> Callable[[EmbeddedBroker], AbstractAsyncContextManager[Publisher]]:
    @asynccontextmanager
    async def connected(broker: EmbeddedBroker) -> AsyncIterator[Publisher]:
        async with trio.open_nursery() as peers:
            uri = parse_mqtt_uri("mqtt://guest:guest@{}:{}".format(*broker.address("mqtt")))
            login = MqttLogin("publisher", level, user="guest", password="guest")
            peer = await connect_mqtt(peers, uri, login, ClientMemory())
            try:
                yield OverMqtt(peer, qos)
            finally:
                await peer.aclose()

    return connected


@asynccontextmanager
async def over_stomp(broker: EmbeddedBroker) -> AsyncIterator[Publisher]:
    stream = await trio.open_tcp_stream(*broker.address("stomp"))
    async with stream, trio.open_nursery() as nursery:
        publisher = OverStomp(stream)
        await stream.send_all(b"CONNECT\naccept-version:1.2\nhost:/\nlogin:guest\npasscode:guest\n\n\0")
        nursery.start_soon(publisher.write)
        nursery.start_soon(publisher.read)
        try:
            yield publisher
        finally:
            nursery.cancel_scope.cancel()


PUBLISHERS: dict[str, Callable[[EmbeddedBroker], AbstractAsyncContextManager[Publisher]]] = {
    "in process": in_process,
    "AMQP": over_amqp,
    "MQTT 5 QoS 1": over_mqtt(1, versions.V5),
    "MQTT 5 QoS 2": over_mqtt(2, versions.V5),
    "MQTT 3.1.1 QoS 1": over_mqtt(1, versions.V3_1_1),
    "STOMP": over_stomp,
}


@asynccontextmanager
async def edge_with_queue(directory: Path | None = None) -> AsyncIterator[tuple[EmbeddedBroker, BrokerClient]]:
    """An edge with the queue that publishers publish to."""
    async with edge(directory, listen=LISTEN) as broker, broker.connect() as here:
        await here.declare_queue(QUEUE, durable=True)
        await here.bind_queue(QUEUE, "amq.topic", TOPIC)
        yield broker, here


async def some_turns() -> None:
    """Time for whatever would be said too early to arrive."""
    for _ in range(20):
        await trio.sleep(0.002)
