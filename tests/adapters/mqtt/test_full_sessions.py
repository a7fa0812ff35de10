"""A session in which as much waits as may wait: what is refused, who is told, and when it takes messages again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_mqtt import MqttClient, only
from warren.adapters.mqtt.codec import reason_codes, versions
from warren.adapters.mqtt.codec.packets import PubAck, PubComp, PubRec, PubRel
from warren.adapters.mqtt.sessions.settings import QueueLimits

ROOM = 20


@pytest.fixture
def small() -> Iterator[SimulatedBroker]:
    """A broker where 20 messages may wait for a client."""
    broker = SimulatedBroker(mqtt_limits=QueueLimits(messages=ROOM))
    yield broker
    broker.close()


def away(small: SimulatedBroker) -> None:
    """A client that is away, for which 20 messages wait."""
    made = MqttClient(small)
    made.connect("away", clean_start=False, session_expiry_interval=1000)
    made.subscribe("t", qos=2)
    made.lose()
    filling = MqttClient(small)
    filling.connect("filling")
    for number in range(ROOM):
        assert only(PubAck, filling.publish("t", b"%d" % number, 1)).reason_code == 0
    filling.disconnect()


def connected(small: SimulatedBroker, client_id: str, level: int = versions.V5) -> MqttClient:
    """A client."""
    made = MqttClient(small, level)
    made.connect(client_id)
    return made


@pytest.mark.parametrize("qos", [1, 2])
def test_an_mqtt_5_publisher_is_told(small: SimulatedBroker, qos: int) -> None:
    away(small)
    publisher, other = connected(small, "p"), connected(small, "other")
    other.subscribe("t")
    for _ in range(3):
        (answer,) = publisher.publish("t", b"more", qos)
        assert isinstance(answer, PubAck if qos == 1 else PubRec)
        assert answer.reason_code == reason_codes.QUOTA_EXCEEDED
    assert small.queue("mqtt-subscription-away").ready_count == ROOM
    assert other.take() == [b"more"] * 3, "others get it"
    assert small.mqtt.dropped == 3


@pytest.mark.parametrize("level", [versions.V3_1, versions.V3_1_1])
def test_older_publishers_go_on(small: SimulatedBroker, level: int) -> None:
    away(small)
    publisher, other = connected(small, "p", level), connected(small, "other")
    other.subscribe("t")
    only(PubAck, publisher.publish("t", b"1", 1))
    only(PubRec, publisher.publish("t", b"2", 2, packet_id=9))
    only(PubComp, publisher.send(PubRel(9)))
    assert other.take() == [b"1", b"2"]
    assert small.queue("mqtt-subscription-away").ready_count == ROOM
    assert small.mqtt.dropped == 2


def test_it_takes_messages_again_when_some_have_gone(small: SimulatedBroker) -> None:
    away(small)
    publisher = connected(small, "p")
    assert only(PubAck, publisher.publish("t", b"refused", 1)).reason_code == reason_codes.QUOTA_EXCEEDED
    back = MqttClient(small)
    back.connect("away", clean_start=False, session_expiry_interval=1000, receive_maximum=1)
    for _ in range(2):
        back.messages()
        (packet_id,) = back.session.outgoing
        back.send(PubAck(packet_id))
    for _ in range(2):
        assert only(PubAck, publisher.publish("t", b"taken", 1)).reason_code == 0


def test_a_batch_may_go_beyond_it_by_itself_alone(small: SimulatedBroker) -> None:
    away(small)
    publisher = connected(small, "p")
    publisher.publish("t", b"0")
    queue = small.queue("mqtt-subscription-away")
    assert queue.is_full  # type: ignore[attr-defined]
    assert queue.ready_count == ROOM


def test_no_bound_can_be_configured() -> None:
    broker = SimulatedBroker(mqtt_limits=QueueLimits(messages=0))
    try:
        away(broker)
        assert only(PubAck, connected(broker, "p").publish("t", b"more", 1)).reason_code == 0
    finally:
        broker.close()
