"""Deliveries in strides are the deliveries one by one: the same bytes, counts, credit and state, in every protocol.

The same dialogue is held twice with a broker, once with `deliver_alike` as it is and once with one that sends nothing,
so that each message goes through `deliver`.
"""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest

from tests.support.direct_clients import consume, session_of
from tests.support.simulated_broker import SimulatedBroker, check_counts
from tests.support.simulated_client import NO_PROPERTIES, PERSISTENT, SimulatedClient, publish_frames
from tests.support.simulated_mqtt import MqttClient
from tests.support.simulated_stomp import StompClient, frame
from warren.adapters.amqp091.codec import methods
from warren.adapters.amqp091.consumer import AmqpConsumer
from warren.adapters.direct.consumer import DirectConsumer
from warren.adapters.mqtt.codec import versions
from warren.adapters.mqtt.codec.encode import encode
from warren.adapters.mqtt.codec.packets import Publish
from warren.adapters.mqtt.consumer import MqttConsumer
from warren.adapters.stomp.subscription import Subscription
from warren.core.clients.outbox import HIGH_WATER_BYTES
from warren.core.messages.properties import encode_properties
from warren.core.queues.consumer import Consumer

KINDS: dict[str, type[Consumer]] = {
    "amqp": AmqpConsumer,
    "direct": DirectConsumer,
    "mqtt": MqttConsumer,
    "stomp": Subscription,
}
SEEDS = 4
STEPS = 30
SIZES = (0, 1, 16, 16, 16, 5000, 5000)
SOCKET_ROOMS = (None, 40_000)
RETURNS = 0.03
"""Seldom: what came back is delivered one by one."""

HEADERS = encode_properties(headers={"a": 1}).raw


class Dialogue:
    """Publishers in AMQP and MQTT, and consumers in one protocol; all that happens comes from a seed."""

    def __init__(self, kind: str, seed: int, directory: Path | None) -> None:
        self.chance = random.Random(f"{kind} {seed}")
        self.kind = kind
        self.broker = SimulatedBroker(directory)
        self.amqp = self.broker.connect(channels=2)
        self.amqp.declare("q", durable=directory is not None)
        for key in ("a.b", "a.c"):
            self.amqp.send(1, methods.QueueBind(queue="q", exchange="amq.topic", routing_key=key))
            self.amqp.expect(methods.QueueBindOk)
        self.mqtt = MqttClient(self.broker, versions.V5)
        self.mqtt.connect("publisher")
        self.heard: list[object] = []
        self.tag = 0
        self.come_back()

    def come_back(self) -> None:
        """A new consumer, whose last one has gone with all that it had."""
        no_ack = self.chance.random() < 0.4
        prefetch = self.chance.choice((0, 1, 2, 7, 40))
        self.tag = 0
        if self.kind == "amqp":
            self.client: SimulatedClient = self.broker.connect(channels=2)
            self.client.qos(prefetch, global_=self.chance.random() < 0.2)
            self.client.consume("q", "c", no_ack=no_ack)
            self.transport = self.client.transport
        elif self.kind == "stomp":
            self.stomp = StompClient(self.broker)
            self.stomp.session.id = "session-1"  # else chance says it, and no two dialogues are the same
            self.stomp.connect(self.chance.choice(("1.0", "1.1", "1.2")))
            ack = "auto" if no_ack else self.chance.choice(("client", "client-individual"))
            more = {"prefetch_count": str(prefetch)} if prefetch else {}
            self.stomp.send("SUBSCRIBE", destination="/amq/queue/q", id="1", ack=ack, **more)
            self.transport = self.stomp.transport
        elif self.kind == "mqtt":
            client = MqttClient(self.broker, self.chance.choice((versions.V3_1_1, versions.V5)))
            client.connect("subscriber")
            client.subscribe("a/#", "a/b", qos=self.chance.randrange(2))
            self.transport = client.transport
        else:
            self.direct = consume(session_of(self.broker), no_ack=no_ack, prefetch=prefetch or 100)

    def publish(self) -> None:
        """A burst: mostly of one kind, as what goes in strides comes in rows."""
        for _ in range(self.chance.randint(1, 4)):
            key = self.chance.choice(("a.b", "a.b", "a.c"))
            body = self.chance.randbytes(self.chance.choice(SIZES))
            count = self.chance.choice((1, 2, 30, 60))
            if self.chance.random() < 0.4:
                topic = key.replace(".", "/")
                if self.chance.random() < 0.5:
                    self.mqtt.transport.receive(encode(Publish(topic, body, 1, self.mqtt.next_id()), versions.V5))
                self.mqtt.transport.receive(encode(Publish(topic, body), versions.V5) * count)
            else:
                properties = self.chance.choice((NO_PROPERTIES, NO_PROPERTIES, PERSISTENT, HEADERS))
                frames = publish_frames(
                    key, body, exchange="amq.topic", properties=properties, channel=self.chance.randint(1, 2)
                )
                self.amqp.send_bytes(frames * count)
            if self.chance.random() < 0.3:
                self.broker.settle()

    def settle(self) -> None:
        """The consumer settles some of what it has, or gives it back."""
        up_to = self.chance.randint(1, 20)
        if self.kind == "amqp":
            channel = self.client.connection.channels.by_number.get(1)
            tags = list(channel.deliveries.unacked)[:up_to] if channel is not None else []
            for tag in tags:
                if self.chance.random() < RETURNS:
                    self.client.nack(tag)
                elif self.chance.random() < 0.9:
                    self.client.ack(tag)
        elif self.kind == "direct":
            for _ in range(min(up_to, len(self.direct.arrived))):
                delivery = self.direct.take()
                self.heard.append((delivery.body, delivery.redelivered))
                if self.chance.random() < RETURNS:
                    delivery.requeue()
                else:
                    delivery.ack()
        elif self.kind == "stomp":
            tags = list(self.stomp.session.deliveries.unacked)[:up_to]
            for tag in tags:
                message_id = f"T_1@@{self.stomp.session.id}@@{tag}"
                names = {"1.0": "message_id", "1.1": "message_id", "1.2": "id"}
                command = "NACK" if self.stomp.version != "1.0" and self.chance.random() < RETURNS else "ACK"
                more = {"subscription": "1"} if self.stomp.version == "1.1" else {}
                if tag in self.stomp.session.deliveries.unacked:
                    self.transport.receive(frame(command, **{names[self.stomp.version]: message_id}, **more))

    def step(self) -> None:
        self.publish()
        if self.chance.random() < 0.6:
            self.settle()
        if self.kind != "direct":
            if self.chance.random() < 0.3:
                self.transport.read_by_peer(self.chance.choice(SOCKET_ROOMS))
            if self.chance.random() < 0.1:
                self.transport.lose()
        elif self.chance.random() < 0.1:
            self.direct.cancel()
        self.broker.settle()
        queue = self.broker.queue("q")
        check_counts(queue)
        self.heard.append((queue.ready_count, queue.unacked_count, queue.ready_bytes, vars_of(queue.counts)))
        if self.kind == "direct":
            self.heard.append((self.direct.credit, len(self.direct.arrived), vars_of(self.direct.counts)))
            gone = not self.direct.active
        else:
            self.heard.append(self.transport.take())
            gone = self.transport.closed
        if gone:
            self.come_back()


def vars_of(counts: object) -> dict[str, object]:
    """The counters of a thing by name."""
    names = [name for kind in type(counts).__mro__ for name in getattr(kind, "__slots__", ())]
    return {name: value for name in names if isinstance(value := getattr(counts, name), int)}


def run(kind: str, seed: int, directory: Path | None) -> list[object]:
    dialogue = Dialogue(kind, seed, directory)
    for _ in range(STEPS):
        dialogue.step()
    dialogue.broker.close()
    return dialogue.heard


def counted(kind: str, monkeypatch: pytest.MonkeyPatch, taken: Counter[str], *, limit: int | None = None) -> None:
    """Count what goes in strides; with a limit of 0 nothing does."""
    plain = KINDS[kind].deliver_alike

    def deliver_alike(self: Consumer, ready: object) -> int:
        if limit == 0:
            return 0
        before = len(ready)  # type: ignore[arg-type]
        sent_bytes = plain(self, ready)  # type: ignore[arg-type]
        taken[kind] += before - len(ready)  # type: ignore[arg-type]
        return sent_bytes

    monkeypatch.setattr(KINDS[kind], "deliver_alike", deliver_alike)


@pytest.mark.interpreted("counts calls that the compiled form makes directly")
@pytest.mark.parametrize("durable", [False, True], ids=["memory", "disk"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_same_with_and_without(kind: str, durable: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: Counter[str] = Counter()
    for seed in range(SEEDS):
        with monkeypatch.context() as patched:
            counted(kind, patched, taken)
            strides = run(kind, seed, tmp_path / f"{seed} strides" if durable else None)
        with monkeypatch.context() as patched:
            counted(kind, patched, taken, limit=0)
            one_by_one = run(kind, seed, tmp_path / f"{seed} one by one" if durable else None)
        assert len(strides) == len(one_by_one), seed
        for number, (one, other) in enumerate(zip(strides, one_by_one, strict=True)):
            assert one == other, f"seed {seed}, what was heard as number {number}"
    assert taken[kind] > 5 * SEEDS, "else nothing was compared"


@pytest.mark.interpreted("counts calls that the compiled form makes directly")
@pytest.mark.parametrize("kind", ["amqp", "mqtt", "stomp"])
def test_a_stride_ends_where_the_outbox_is_full(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client doesn't read; what is published comes in its own protocol, or one that it is a stride for."""
    taken: Counter[str] = Counter()
    counted(kind, monkeypatch, taken)
    broker = SimulatedBroker()
    publisher: SimulatedClient | MqttClient = broker.connect()
    burst = publish_frames("a.b", bytes(1000), exchange="amq.topic") * 100
    if kind == "amqp":
        client = broker.connect()
        client.declare("q")
        client.send(1, methods.QueueBind(queue="q", exchange="amq.topic", routing_key="a.b"))
        client.consume("q", "c", no_ack=True)
        transport = client.transport
    elif kind == "stomp":
        stomp = StompClient(broker).connect()
        stomp.send("SUBSCRIBE", destination="/topic/a.b", id="1")
        transport = stomp.transport
    else:
        publisher, subscriber = MqttClient(broker), MqttClient(broker)
        publisher.connect("publisher")
        subscriber.connect("subscriber")
        subscriber.subscribe("a/b")
        transport = subscriber.transport
        burst = encode(Publish("a/b", bytes(1000)), versions.V5) * 100
    transport.socket_room = 0
    for _ in range(3 * HIGH_WATER_BYTES // len(burst)):
        publisher.transport.receive(burst)
    broker.settle()
    assert HIGH_WATER_BYTES < transport.unsent_bytes < HIGH_WATER_BYTES + 2000
    assert taken[kind] > 100
    broker.close()


def test_what_is_acknowledged_ends_a_stride_of_what_is_not() -> None:
    """An MQTT client with QoS 1: its messages of QoS 0 are settled once sent, the others stay."""
    broker = SimulatedBroker()
    publisher = MqttClient(broker)
    publisher.connect("publisher")
    subscriber = MqttClient(broker)
    subscriber.connect("subscriber")
    subscriber.subscribe("a", qos=1)
    packets = [encode(Publish("a", b"x"), versions.V5)] * 5
    for number in range(1, 4):
        packets += [encode(Publish("a", b"x", 1, number), versions.V5), encode(Publish("a", b"x"), versions.V5)]
    publisher.transport.receive(b"".join(packets))
    broker.settle()
    received = [each for each in subscriber.packets() if isinstance(each, Publish)]
    assert [each.qos for each in received] == [0] * 5 + [1, 0] * 3
    (queue,) = [each for each in broker.vhost.queues.values() if each.counts.deliver or each.counts.deliver_no_ack]
    assert (queue.unacked_count, queue.counts.deliver, queue.counts.deliver_no_ack) == (3, 3, 8)
    broker.close()
