"""Messages that look alike and come one behind the other: taken by heart and sent in strides, to the same end."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_mqtt import MqttClient
from warren.adapters.mqtt.codec import versions
from warren.adapters.mqtt.codec.encode import encode
from warren.adapters.mqtt.codec.packets import Packet, PingReq, PingResp, PubAck, Publish
from warren.adapters.mqtt.codec.properties import Properties
from warren.adapters.mqtt.sessions.strides import Strides
from warren.adapters.mqtt.settings import KNOWN_TOPIC_BYTES_MAX, MqttSettings

LEVELS = (versions.V3_1_1, versions.V5)


class Run:
    """A publisher, and subscribers of all kinds, over and over the same packets.

    known_topic_bytes_max: below 0, nothing is taken by heart.
    """

    def __init__(self, level: int, known_topic_bytes_max: int = KNOWN_TOPIC_BYTES_MAX) -> None:
        self.simulated = SimulatedBroker()
        settings = MqttSettings(known_topic_bytes_max=known_topic_bytes_max)
        self.publisher = MqttClient(self.simulated, level, settings)
        self.publisher.connect("publisher")
        self.subscribers = [
            self.subscriber(number, subscriber_level, qos, stored=stored)
            for number, (subscriber_level, qos, stored) in enumerate(
                (subscriber_level, qos, stored)
                for subscriber_level in LEVELS
                for qos in (0, 1, 2)
                for stored in (False, True)
            )
        ]
        for topic in ("a", "b"):
            self.publisher.publish(topic, b"first", 1)
            self.publisher.publish(topic, b"first")
        self.taken()

    def subscriber(self, number: int, level: int, qos: int, *, stored: bool) -> MqttClient:
        made = MqttClient(self.simulated, level)
        expiry: dict[str, Any] = {"session_expiry_interval": 100} if stored and level == versions.V5 else {}
        made.connect(f"subscriber-{number}", clean_start=not stored or level == versions.V5, **expiry)
        made.subscribe("a", "b", qos=qos)
        return made

    def taken(self) -> list[list[bytes]]:
        return [each.take() for each in self.subscribers]

    def said(self, packets: list[Packet], cut: str = "whole") -> tuple[list[Packet], list[list[bytes]]]:
        """What the publisher is answered, and what everybody gets."""
        data = b"".join([encode(each, self.publisher.level) for each in packets])
        answers = self.publisher.send_bytes(data, cut)
        self.simulated.settle()
        return answers + self.publisher.packets(), self.taken()


def rows(seed: int) -> list[Packet]:
    """Rows of either QoS, of one length or another, to one topic or another, and pings between them."""
    chance = random.Random(seed)
    packets: list[Packet] = []
    packet_id = 0
    for _ in range(12):
        topic, qos, size = chance.choice("ab"), chance.choice((0, 1, 1)), chance.choice((1, 2, 130))
        for _ in range(chance.choice((1, 2, 3, 20))):
            packet_id += 1
            body = b"%d." % packet_id + b"x" * size
            packets.append(Publish(topic, body[-size - 2 :], qos, packet_id if qos else 0))
        if chance.random() < 0.3:
            packets.append(PingReq())
    return packets


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("level", LEVELS)
def test_rows_are_as_one_by_one(level: int, seed: int) -> None:
    packets = rows(seed)
    cut = "whole" if seed % 2 else f"seed {seed}"
    assert Run(level).said(packets, cut) == Run(level, -1).said(packets)


@pytest.mark.parametrize("level", LEVELS)
def test_answers_come_in_the_order_of_what_they_answer(level: int) -> None:
    run = Run(level)
    packets: list[Packet] = [Publish("a", b"x", 1, each) for each in (5, 4, 9)]
    answers, _ = run.said([*packets, PingReq(), *(Publish("a", b"y", 1, each) for each in (2, 1))])
    ids = [each.packet_id for each in answers if isinstance(each, PubAck)]
    assert ids == [5, 4, 9, 2, 1]
    assert any(isinstance(each, PingResp) for each in answers)


def test_a_packet_identifier_of_zero_within_a_row_ends_the_connection() -> None:
    run = Run(versions.V3_1_1)
    row = [bytearray(encode(Publish("a", b"x%d" % each, 1, each), versions.V3_1_1)) for each in range(1, 6)]
    row[3][5:7] = b"\0\0"
    answers = run.publisher.send_bytes(b"".join(row))
    assert [each.packet_id for each in answers if isinstance(each, PubAck)] == [1, 2, 3]
    assert run.publisher.closed
    assert all(taken == [b"x1", b"x2", b"x3"] for taken in run.taken())


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("window", [1, 2, 7])
def test_no_more_is_under_way_than_the_client_takes(level: int, window: int) -> None:
    simulated = SimulatedBroker()
    publisher = MqttClient(simulated, versions.V3_1_1)
    publisher.connect("publisher")
    subscriber = MqttClient(simulated, level, MqttSettings(in_flight_max=window))
    subscriber.connect("subscriber")
    subscriber.subscribe("a", qos=1)
    sent = [b"%02d" % number for number in range(30)]
    for body in sent:
        publisher.transport.receive(encode(Publish("a", body, 1, 1), versions.V3_1_1))
    simulated.settle()
    got: list[bytes] = []
    while messages := subscriber.messages():
        assert len(messages) <= window
        assert all(each.qos == 1 and not each.duplicate and each.topic == "a" for each in messages)
        got += [each.payload for each in messages]
        subscriber.transport.receive(b"".join([encode(PubAck(each.packet_id), level) for each in messages]))
        simulated.settle()
    assert got == sent
    assert not subscriber.session.outgoing


@pytest.mark.parametrize("seed", range(3))
def test_rows_of_version_5_to_clients_of_a_session_each(seed: int) -> None:
    """Where nothing waits for the disk; properties end a row, and so does a message of QoS 2 under way."""
    chance = random.Random(seed)
    packets: list[Packet] = []
    for number in range(1, 200):
        properties: Properties = {"content_type": "x"} if chance.random() < 0.05 else {}
        qos = 2 if chance.random() < 0.02 else 1
        packets.append(Publish("a", b"%03d" % number, qos, number, properties=properties))
    said = []
    for known_topic_bytes_max in (KNOWN_TOPIC_BYTES_MAX, -1):
        simulated = SimulatedBroker()
        publisher = MqttClient(simulated, versions.V5, MqttSettings(known_topic_bytes_max=known_topic_bytes_max))
        publisher.connect("publisher")
        subscriber = MqttClient(simulated, versions.V3_1_1)
        subscriber.connect("subscriber")
        subscriber.subscribe("a", qos=1)
        publisher.publish("a", b"first", 1)
        answers = publisher.send_bytes(b"".join([encode(each, versions.V5) for each in packets]))
        simulated.settle()
        said.append((answers, publisher.packets(), subscriber.take()))
    assert said[0] == said[1]
    assert len(said[0][2]) == 200


@pytest.mark.interpreted("takes a method's place")
@pytest.mark.parametrize("seed", range(4))
def test_strides_are_as_one_by_one(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a subscriber that acknowledges in some order, late, not at all, and that goes and comes again."""

    def run() -> list[object]:
        chance = random.Random(seed)
        simulated = SimulatedBroker()
        publisher = MqttClient(simulated, versions.V3_1_1)
        publisher.connect("publisher")
        said: list[object] = []
        subscriber = MqttClient(simulated, versions.V3_1_1, MqttSettings(in_flight_max=20))
        subscriber.connect("subscriber", clean_start=False)
        subscriber.subscribe("a", "b", qos=2)
        held: list[int] = []
        for number in range(60):
            qos, topic = chance.choice((1, 1, 1, 0, 2)), chance.choice("aab")
            for index in range(chance.choice((1, 3, 10))):
                body = b"%d.%d" % (number, index) + b"x" * chance.choice((0, 0, 0, 2000))
                publisher.publish_fully(topic, body, qos)
            simulated.settle()
            got = subscriber.messages()
            said.append(got)
            held += [each.packet_id for each in got if each.qos == 1]
            if chance.random() < 0.3:
                chance.shuffle(held)
            done = chance.randrange(len(held) + 1)
            subscriber.send(*(PubAck(each) for each in held[:done]))
            del held[:done]
            said.append(subscriber.session.outgoing_count)
            if chance.random() < 0.05:
                subscriber.lose()
                subscriber = MqttClient(simulated, versions.V3_1_1, MqttSettings(in_flight_max=20))
                subscriber.connect("subscriber", clean_start=False)
                said.append(subscriber.after_connack)
                held = [each.packet_id for each in subscriber.after_connack if isinstance(each, Publish)]
        said.append(list(subscriber.session.outgoing))
        return said

    as_it_is = run()
    monkeypatch.setattr(Strides, "room", lambda self, packet_id: 0)
    assert run() == as_it_is


def test_acknowledgements_in_a_row_stop_at_one_that_is_wrong() -> None:
    run = Run(versions.V3_1_1)
    run.publisher.send(*(Publish("a", b"x", 1, each) for each in range(1, 5)))
    subscriber = next(each for each in run.subscribers if each.session.subscriptions["a"].qos == 1)
    first, second, *_ = [each.packet_id for each in subscriber.messages()]
    acks = b"".join([encode(PubAck(each), versions.V3_1_1) for each in (first, second)])
    subscriber.send_bytes(acks + b"\x40\x02\0\0" + acks)
    assert subscriber.closed
    assert first not in subscriber.session.outgoing
    assert second not in subscriber.session.outgoing


def test_what_has_no_subscription_and_no_message_has_no_owner_for_them() -> None:
    """Most connections are quiet: what they don't use isn't made."""
    simulated = SimulatedBroker()
    quiet = MqttClient(simulated, versions.V3_1_1)
    quiet.connect("quiet")
    quiet.send(PingReq())
    session, other = quiet.session, MqttClient(simulated, versions.V3_1_1)
    other.connect("other")
    assert session.subscriptions is other.session.subscriptions
    assert session.outgoing is other.session.outgoing
    assert session.inbound is other.session.inbound
    other.subscribe("a", qos=2)
    quiet.publish_fully("a", b"x", 2)
    assert other.take() == [b"x"]
    third = MqttClient(simulated, versions.V3_1_1)
    third.connect("third")
    assert (third.session.subscriptions, third.session.outgoing, third.session.inbound) == ({}, {}, {})
