"""Loads without a network: blocks of ready bytes into a simulated broker, whose work is the same in every run.

A load is put up by its function here, and then blocks of messages go through it: bytes are fed to sessions, turns and
commits ended, what came out taken away.  The bytes of all blocks are made before anything is counted, and what came out
is looked at afterwards: as many deliveries as there should be.

A block is about what one read of the hub brings from a busy publisher.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks import wire, wire10, wire_stream
from tests.support.simulated_amqp10 import Amqp10Client
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_client import SimulatedClient
from tests.support.simulated_mqtt import MqttClient
from tests.support.simulated_stomp import StompClient
from tests.support.simulated_stomp import frame as stomp_frame
from tests.support.simulated_stream import StreamClient, publish, published
from tests.support.simulated_transport import SimulatedTransport
from tests.support.simulated_websocket import WebSocketClient
from tests.support.simulated_websocket import frame as websocket_frame
from warren.adapters.amqp091.codec import methods
from warren.adapters.mqtt.codec import versions
from warren.adapters.stream.codec import commands
from warren.adapters.stream.codec.encoding import encode
from warren.adapters.stream.codec.keys import OffsetType
from warren.adapters.stream.codec.kinds import OffsetSpec

BLOCK_MESSAGES = 250
BODY = b"a body of 16 byt"
QUEUE = "counted"
TOPIC = b"counted/topic"
BINDINGS = 1_000
KEYS = 100
CONSUMERS = 10
BINARY_MESSAGE = 0x82
STREAM_BATCH = 100
STREAM_CREDIT = 10_000

Piece = tuple[SimulatedTransport, bytes]


@dataclass(frozen=True, slots=True)
class Load:
    """A load that is put up.

    pieces: a block's number, counted from 0, to what comes in with it, in this order.
    outputs: the connections that deliveries go to.  copies: how many deliveries there are of each message.
    """

    broker: SimulatedBroker
    pieces: Callable[[int], Sequence[Piece]]
    outputs: Sequence[SimulatedTransport]
    copies: int

    def run(self, blocks: Sequence[Sequence[Piece]]) -> list[bytes]:
        """Blocks in, through and out; what came out.  This is what is counted."""
        came = []
        for block in blocks:
            for transport, data in block:
                transport.session.receive(data)
                self.broker.settle()
                came += [output.take() for output in self.outputs]
        return came

    def check(self, came: Sequence[bytes], blocks: int) -> None:
        """Raises AssertionError unless that many blocks' deliveries came."""
        count = sum(each.count(BODY) for each in came)
        expected = blocks * BLOCK_MESSAGES * self.copies
        if count != expected:
            raise AssertionError(f"{count} deliveries instead of {expected}")


# AMQP 0-9-1


def _publishes(exchange: str, keys: Sequence[str], persistent: bool) -> bytes:
    """A block of publishes, whose keys take turns."""
    content = wire.content(BODY, persistent)
    frames = [
        wire.method(1, wire.BASIC, 40, b"\0\0" + wire.shortstr(exchange) + wire.shortstr(key) + b"\0") + content
        for key in keys
    ]
    return b"".join([frames[number % len(frames)] for number in range(BLOCK_MESSAGES)])


def _subscribed(broker: SimulatedBroker, queue: str, *, durable: bool = False, no_ack: bool = True) -> SimulatedClient:
    client = broker.connect()
    client.declare(queue, durable=durable)
    client.qos(0 if no_ack else 1000)
    client.consume(queue, no_ack=no_ack)
    client.transport.take()
    return client


def _bind(client: SimulatedClient, queue: str, exchange: str, key: str = "") -> None:
    client.send(1, methods.QueueBind(queue=queue, exchange=exchange, routing_key=key))
    client.expect(methods.QueueBindOk)


def amqp_transient(directory: Path) -> Load:
    """One publisher, one consumer with automatic acks."""
    broker = SimulatedBroker(directory)
    consumer, publisher = _subscribed(broker, QUEUE), broker.connect()
    data = _publishes("", [QUEUE], persistent=False)
    return Load(broker, lambda number: [(publisher.transport, data)], [consumer.transport], 1)


def amqp_acks(directory: Path) -> Load:
    """The same with an ack for each delivery."""
    broker = SimulatedBroker(directory)
    consumer, publisher = _subscribed(broker, QUEUE, no_ack=False), broker.connect()
    data = _publishes("", [QUEUE], persistent=False)
    return Load(
        broker,
        lambda number: [(publisher.transport, data), (consumer.transport, _acks(number))],
        [consumer.transport],
        1,
    )


def _acks(block: int) -> bytes:
    first = block * BLOCK_MESSAGES + 1
    return b"".join([wire.ack(tag, multiple=False) for tag in range(first, first + BLOCK_MESSAGES)])


def amqp_persistent(directory: Path) -> Load:
    """Persistent messages with confirms into a durable queue, an ack for each."""
    broker = SimulatedBroker(directory)
    consumer, publisher = _subscribed(broker, QUEUE, durable=True, no_ack=False), broker.connect()
    publisher.confirm_select()
    data = _publishes("", [QUEUE], persistent=True)
    return Load(
        broker,
        lambda number: [(publisher.transport, data), (consumer.transport, _acks(number))],
        [consumer.transport, publisher.transport],
        1,
    )


def amqp_fanout(directory: Path) -> Load:
    """A fanout exchange to ten queues with a consumer each."""
    broker = SimulatedBroker(directory)
    publisher = broker.connect()
    consumers = [_subscribed(broker, f"{QUEUE}-{number}") for number in range(CONSUMERS)]
    for number in range(CONSUMERS):
        _bind(publisher, f"{QUEUE}-{number}", "amq.fanout")
    data = _publishes("amq.fanout", [""], persistent=False)
    outputs = [each.transport for each in consumers]
    return Load(broker, lambda number: [(publisher.transport, data)], outputs, CONSUMERS)


def amqp_topics(directory: Path) -> Load:
    """A topic exchange with a thousand bindings, of which each message meets one."""
    broker = SimulatedBroker(directory)
    consumer, publisher = _subscribed(broker, QUEUE), broker.connect()
    for number in range(BINDINGS):
        _bind(publisher, QUEUE, "amq.topic", f"sensor.{number:04}.*")
    data = _publishes("amq.topic", [f"sensor.{number:04}.now" for number in range(KEYS)], persistent=False)
    return Load(broker, lambda number: [(publisher.transport, data)], [consumer.transport], 1)


def amqp_queueing(directory: Path) -> Load:
    """Publishes into a queue without consumer, which is purged after each block."""
    broker = SimulatedBroker(directory)
    publisher = broker.connect()
    publisher.declare(QUEUE)
    purge = wire.method(1, 50, 30, b"\0\0" + wire.shortstr(QUEUE) + b"\0")
    data = _publishes("", [QUEUE], persistent=False) + purge
    return Load(broker, lambda number: [(publisher.transport, data)], [publisher.transport], 0)


# AMQP 1.0


def _amqp10_ends(broker: SimulatedBroker, *, settled: bool) -> tuple[Amqp10Client, Amqp10Client]:
    """A client that receives, which has credit for all that will ever come, and one that sends."""
    broker.connect().declare(QUEUE)
    mode = 1 if settled else 0
    receiver = Amqp10Client(broker).open().begin(window=wire10.WINDOW)
    receiver.attach_receiver(f"/queues/{QUEUE}", snd_settle_mode=mode)
    receiver.credit(wire10.WINDOW, incoming_window=wire10.WINDOW)
    sender = Amqp10Client(broker).open().begin()
    sender.attach_sender(f"/queues/{QUEUE}", snd_settle_mode=mode)
    return receiver, sender


def _transfers(block: int, *, settled: bool) -> bytes:
    first = wire10.WIDE + block * BLOCK_MESSAGES
    return b"".join(
        [wire10.transfer(0, first + at, wire10.data(BODY), settled=settled) for at in range(BLOCK_MESSAGES)]
    )


def amqp10_settled(directory: Path) -> Load:
    """One sender, one receiver, deliveries settled by who sends them."""
    broker = SimulatedBroker(directory)
    receiver, sender = _amqp10_ends(broker, settled=True)
    return Load(
        broker,
        lambda number: [(sender.transport, _transfers(number, settled=True))],
        [receiver.transport, sender.transport],
        1,
    )


def amqp10_unsettled(directory: Path) -> Load:
    """The same, settled by who receives them, with a disposition for each delivery."""
    broker = SimulatedBroker(directory)
    receiver, sender = _amqp10_ends(broker, settled=False)

    def dispositions(number: int) -> bytes:
        first = number * BLOCK_MESSAGES
        return b"".join([wire10.disposition(each) for each in range(first, first + BLOCK_MESSAGES)])

    return Load(
        broker,
        lambda number: [
            (sender.transport, _transfers(number, settled=False)),
            (receiver.transport, dispositions(number)),
        ],
        [receiver.transport, sender.transport],
        1,
    )


# Streams


def _stream_frames(block: int) -> bytes:
    """Publish frames of the stream protocol, with as many messages each as its clients send at once."""
    numbers = range(block * BLOCK_MESSAGES, (block + 1) * BLOCK_MESSAGES)
    message = wire_stream.message(BODY)
    return b"".join(
        encode(publish(1, *[published(number, message) for number in numbers[at : at + STREAM_BATCH]]))
        for at in range(0, BLOCK_MESSAGES, STREAM_BATCH)
    )


def stream(directory: Path) -> Load:
    """The stream protocol: batches onto a stream, and chunks to one reader, who has credit for all that will come."""
    broker = SimulatedBroker(directory)
    publisher, reader = StreamClient(broker).connect(), StreamClient(broker).connect()
    publisher.code(commands.Create, QUEUE, {})
    publisher.code(commands.DeclarePublisher, 1, None, QUEUE)
    reader.code(commands.Subscribe, 1, QUEUE, OffsetSpec(OffsetType.FIRST), STREAM_CREDIT, {})
    for client in (publisher, reader):
        client.transport.take()
    return Load(
        broker,
        lambda number: [(publisher.transport, _stream_frames(number))],
        [reader.transport, publisher.transport],
        1,
    )


def stream_amqp(directory: Path) -> Load:
    """AMQP 0-9-1: persistent messages with confirms onto a stream, and from it with an ack for each."""
    broker = SimulatedBroker(directory)
    consumer, publisher = broker.connect(), broker.connect()
    consumer.declare(QUEUE, durable=True, arguments={"x-queue-type": "stream"})
    consumer.qos(1000)
    consumer.send(1, methods.BasicConsume(queue=QUEUE, arguments={"x-stream-offset": "first"}))
    consumer.expect(methods.BasicConsumeOk)
    consumer.transport.take()
    publisher.confirm_select()
    data = _publishes("", [QUEUE], persistent=True)
    return Load(
        broker,
        lambda number: [(publisher.transport, data), (consumer.transport, _acks(number))],
        [consumer.transport, publisher.transport],
        1,
    )


# MQTT, STOMP, WebSocket


def _mqtt_publishes(qos: int) -> list[bytes]:
    identifiers = range(1, BLOCK_MESSAGES + 1)
    topic = struct.pack(">H", len(TOPIC)) + TOPIC
    rests = [topic + (struct.pack(">H", each) if qos else b"") + BODY for each in identifiers]
    return [bytes((0x30 | qos << 1, len(rest))) + rest for rest in rests]


def _mqtt_client(broker: SimulatedBroker, name: str, qos: int | None = None) -> MqttClient:
    client = MqttClient(broker, versions.V3_1_1)
    client.connect(name)
    if qos is not None:
        client.subscribe(TOPIC.decode(), qos=qos)
    return client


def mqtt_qos0(directory: Path) -> Load:
    """QoS 0 from one client to another."""
    broker = SimulatedBroker(directory)
    subscriber, publisher = _mqtt_client(broker, "subscriber", 0), _mqtt_client(broker, "publisher")
    data = b"".join(_mqtt_publishes(0))
    return Load(broker, lambda number: [(publisher.transport, data)], [subscriber.transport], 1)


def mqtt_qos1(directory: Path) -> Load:
    """QoS 1 both ways."""
    broker = SimulatedBroker(directory)
    subscriber, publisher = _mqtt_client(broker, "subscriber", 1), _mqtt_client(broker, "publisher")
    data = b"".join(_mqtt_publishes(1))

    def pubacks(number: int) -> bytes:
        first = number * BLOCK_MESSAGES
        return b"".join([b"\x40\2" + struct.pack(">H", first + at + 1) for at in range(BLOCK_MESSAGES)])

    return Load(
        broker,
        lambda number: [(publisher.transport, data), (subscriber.transport, pubacks(number))],
        [subscriber.transport, publisher.transport],
        1,
    )


def stomp(directory: Path) -> Load:
    """SEND to a queue, MESSAGE to a subscriber with ack:auto."""
    broker = SimulatedBroker(directory)
    subscriber, publisher = StompClient(broker).connect(), StompClient(broker).connect()
    subscriber.send("SUBSCRIBE", id="1", destination=f"/queue/{QUEUE}", ack="auto")
    data = stomp_frame("SEND", BODY, destination=f"/queue/{QUEUE}") * BLOCK_MESSAGES
    return Load(broker, lambda number: [(publisher.transport, data)], [subscriber.transport], 1)


def websocket_mqtt(directory: Path) -> Load:
    """QoS 0 from a client over WebSocket, one message a frame, to one without."""
    broker = SimulatedBroker(directory)
    subscriber, publisher = _mqtt_client(broker, "subscriber", 0), WebSocketClient(broker).mqtt()
    data = b"".join([websocket_frame(BINARY_MESSAGE, each) for each in _mqtt_publishes(0)])
    return Load(broker, lambda number: [(publisher.transport, data)], [subscriber.transport], 1)


LOADS: Mapping[str, Callable[[Path], Load]] = {
    "amqp-transient": amqp_transient,
    "amqp-acks": amqp_acks,
    "amqp-persistent": amqp_persistent,
    "amqp-fanout": amqp_fanout,
    "amqp-topics": amqp_topics,
    "amqp-queueing": amqp_queueing,
    "amqp10-settled": amqp10_settled,
    "amqp10-unsettled": amqp10_unsettled,
    "stream": stream,
    "stream-amqp": stream_amqp,
    "mqtt-qos0": mqtt_qos0,
    "mqtt-qos1": mqtt_qos1,
    "stomp": stomp,
    "websocket-mqtt": websocket_mqtt,
}
"""All loads by name.  Their function takes a directory for the broker's messages."""
