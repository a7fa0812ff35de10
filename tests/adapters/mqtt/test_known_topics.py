"""The fast path for known topics does what the slow one does: the same dialogue with and without it, byte for byte."""

from __future__ import annotations

import random

import pytest

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_mqtt import MqttClient
from warren.adapters.mqtt.codec import versions
from warren.adapters.mqtt.codec.encode import encode
from warren.adapters.mqtt.codec.packets import Packet, PingReq, PubAck, PubComp, Publish, PubRec, PubRel
from warren.adapters.mqtt.settings import KNOWN_TOPIC_BYTES_MAX, MqttSettings
from warren.core.policies.policy import POLICY, make_policy

TOPICS = ("a", "a/b", "b", "nobody/listens", "$x", "a.b", "x" * 130)
SIZES = (0, 1, 2, 100, 119, 120, 121, 122, 123, 124, 125, 126, 127, 128, 300, 16_370, 16_376, 16_377, 16_378, 16_384)


def answers(packets: list[Packet]) -> list[Packet]:
    """What a subscriber says to what came."""
    found: list[Packet] = []
    for each in packets:
        if isinstance(each, Publish) and each.qos:
            found.append(PubAck(each.packet_id) if each.qos == 1 else PubRec(each.packet_id))
        elif isinstance(each, PubRel):
            found.append(PubComp(each.packet_id))
    return found


class Dialogue:
    """One publisher that does random things, and subscribers of each version; all from a seed."""

    def __init__(self, seed: int, level: int, known_topic_bytes_max: int) -> None:
        self._settings = MqttSettings(
            receive_maximum=8, packet_bytes_max=16_400, known_topic_bytes_max=known_topic_bytes_max
        )
        self.chance = random.Random(f"{seed} {level}")
        self.simulated = SimulatedBroker()
        self._level = level
        self.come_back()
        self.subscribers = []
        for number, other in enumerate((versions.V3_1, versions.V3_1_1, versions.V5, versions.V5)):
            subscriber = MqttClient(self.simulated, other)
            subscriber.connect(f"subscriber-{number}")
            subscriber.subscribe("a", "a/+", "$x" if number else "#", qos=number % 3, identifier=number // 3 * 5)
            self.subscribers.append(subscriber)
        self.heard: list[bytes] = []
        self._packet_id = 0

    def come_back(self) -> None:
        """A new connection of the publisher, whose last one was closed for what it did."""
        self.simulated.broker.alarms.set("memory", False)
        self.publisher = MqttClient(self.simulated, self._level, self._settings)
        self.publisher.connect("publisher")

    def step(self) -> None:
        """Some packets in one read, cut at random; then what everybody got."""
        event = self.chance.random()
        if event < 0.05:
            self._change_something()
        sent = b"".join(self._packet() for _ in range(self.chance.randint(1, 6)))
        cut = self.chance.randint(0, len(sent))
        for piece in (sent[:cut], sent[cut:]):
            self.publisher.transport.receive(piece)
            if self.chance.random() < 0.5:
                self.simulated.settle()
        self.simulated.settle()
        self.heard.append(self.publisher.transport.take())
        for subscriber in self.subscribers:
            packets = subscriber.packets()
            while packets:
                self.heard.append(b"".join(encode(each, subscriber.level) for each in packets))
                packets = subscriber.send(*answers(packets))
            assert not subscriber.closed

    def _packet(self) -> bytes:
        level = self.publisher.level
        kind = self.chance.random()
        topic = self.chance.choice(TOPICS)
        payload = bytes([self.chance.randrange(256)]) * self.chance.choice(SIZES)
        if kind < 0.1:
            # A row: what is the same as before it up to the payload is not looked at again.
            payloads = [payload, *(self.chance.randbytes(len(payload)) for _ in range(self.chance.randint(2, 6)))]
            return b"".join(encode(Publish(topic, each), level) for each in payloads)
        if kind < 0.45:
            return encode(Publish(topic, payload, retain=kind < 0.13), level)
        if kind < 0.85:
            self._packet_id += 1
            return encode(Publish(topic, payload, 1, self._packet_id, duplicate=kind < 0.5), level)
        if kind < 0.9:
            self._packet_id += 1
            return encode(Publish(topic, payload, 2, self._packet_id), level) + encode(PubRel(self._packet_id), level)
        if kind < 0.95 and level == versions.V5:
            alias = self.chance.randint(1, 3)
            return encode(Publish(topic, payload, properties={"topic_alias": alias, "content_type": "t"}), level)
        return encode(PingReq(), level)

    def _change_something(self) -> None:
        """What a known topic rests on."""
        broker, subscriber = self.simulated.broker, self.chance.choice(self.subscribers)
        event = self.chance.randrange(6)
        if event == 0:
            subscriber.unsubscribe("a")
        elif event == 1:
            subscriber.subscribe("a", "nobody/listens" if self.chance.random() < 0.3 else "b", qos=1)
        elif event == 2:
            broker.alarms.set("memory", True)
        elif event == 3:
            broker.alarms.set("memory", False)
        elif event == 4:
            pattern = self.chance.choice([".*", "^(?!b)"])
            broker.users.set_topic_permissions("guest", "/", "amq.topic", pattern, ".*")
        else:
            limit = make_policy(POLICY, "limit", "^mqtt-", {"max-length": 1000, "overflow": "reject-publish"})
            broker.policies.set(self.simulated.vhost, limit)
        self.simulated.settle()


def run(seed: int, level: int, known_topic_bytes_max: int = KNOWN_TOPIC_BYTES_MAX) -> list[bytes]:
    dialogue = Dialogue(seed, level, known_topic_bytes_max)
    for _ in range(60):
        dialogue.step()
        if dialogue.publisher.closed:
            dialogue.come_back()
    heard = dialogue.heard
    dialogue.simulated.close()
    return heard


@pytest.mark.parametrize("seed", range(10))
def test_with_and_without(seed: int, level: int) -> None:
    fast = run(seed, level)
    slow = run(seed, level, known_topic_bytes_max=-1)
    assert len(fast) == len(slow)
    for number, (one, other) in enumerate(zip(fast, slow, strict=True)):
        assert one == other, f"what was heard as number {number}"


def test_it_is_taken() -> None:
    simulated = SimulatedBroker()
    made = MqttClient(simulated)
    made.connect("c")
    made.subscribe("t", qos=1)
    assert not made.running.inflow.known_now()
    answered = made.publish("t", b"0")
    remembered = made.running.inflow.known_now()[b"t"]
    for number in range(1, 10):
        answered += made.publish("t", b"%d" % number, number % 2)
    assert list(made.running.inflow.known_now()) == [b"t"]
    # The slow path remembers what it finds, each time anew.
    assert made.running.inflow.known_now()[b"t"] is remembered, "the second and all later ones take the fast path"
    assert [each.payload for each in answered if isinstance(each, Publish)] == [b"%d" % number for number in range(10)]
    simulated.close()


def test_the_slow_path_remembers_anew() -> None:
    """What `test_it_is_taken` relies on."""
    simulated = SimulatedBroker()
    made = MqttClient(simulated)
    made.connect("c")
    made.publish("t", b"0")
    remembered = made.running.inflow.known_now()[b"t"]
    made.publish("t", b"1", duplicate=True, qos=1)
    assert made.running.inflow.known_now()[b"t"] is not remembered
    simulated.close()
