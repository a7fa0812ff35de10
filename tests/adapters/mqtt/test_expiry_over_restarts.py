"""Message expiry goes on while messages wait, also over a crash of the broker (MQTT-3.3.2-5, MQTT-3.3.2-6)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_mqtt import MqttClient
from warren.adapters.mqtt.codec.packets import Publish, PubRec, Will

HOUR: dict[str, Any] = {"session_expiry_interval": 3600}


def connect(broker: SimulatedBroker, client_id: str, **more: Any) -> MqttClient:
    made = MqttClient(broker)
    assert made.connect(client_id, clean_start=False, **HOUR, **more).reason_code == 0
    return made


def received(client: MqttClient) -> list[tuple[bytes, int | None]]:
    """What came after CONNACK: payload and what is left of its lifetime."""
    found = [each for each in client.after_connack if isinstance(each, Publish)]
    return [(each.payload, each.properties.get("message_expiry_interval")) for each in found]


@pytest.mark.parametrize("qos", [1, 2])
def test_of_messages_that_wait_for_a_session(durable: SimulatedBroker, qos: int) -> None:
    connect(durable, "s").subscribe("t", qos=qos)
    durable.crash()
    publisher = connect(durable, "p")
    for lifetime_s in (3, 10, 100):
        publisher.publish_fully("t", b"%d" % lifetime_s, qos, message_expiry_interval=lifetime_s)
    publisher.publish_fully("t", b"for ever", qos)
    durable.advance(2_000)
    durable.crash()
    durable.advance(2_500)
    assert received(connect(durable, "s")) == [(b"10", 6), (b"100", 96), (b"for ever", None)]


def test_of_a_message_of_qos_2_that_was_sent(durable: SimulatedBroker) -> None:
    subscriber = connect(durable, "s")
    subscriber.subscribe("t", qos=2)
    connect(durable, "p").publish_fully("t", b"x", 2, message_expiry_interval=10)
    (first,) = subscriber.messages()
    durable.advance(4_000)
    durable.crash()
    subscriber = connect(durable, "s")
    (again,) = [each for each in subscriber.after_connack if isinstance(each, Publish)]
    assert (again.packet_id, again.properties) == (first.packet_id, {"message_expiry_interval": 6})
    durable.advance(100_000)
    durable.crash()
    subscriber = connect(durable, "s")
    assert received(subscriber) == [(b"x", 0)], "its delivery has begun, so it goes on (4.3.3)"
    subscriber.send(PubRec(first.packet_id))


def test_of_retained_messages(durable: SimulatedBroker) -> None:
    publisher = connect(durable, "p")
    publisher.publish_fully("r/short", b"short", 1, retain=True, message_expiry_interval=5)
    publisher.publish_fully("r/long", b"long", 1, retain=True, message_expiry_interval=50)
    durable.advance(4_000)
    durable.crash()
    subscriber = connect(durable, "s")
    found = [each for each in subscriber.subscribe("r/#") if isinstance(each, Publish)]
    assert sorted((each.payload, each.properties["message_expiry_interval"]) for each in found) == [
        (b"long", 46),
        (b"short", 1),
    ]
    durable.crash()
    durable.advance(1_001)
    subscriber = connect(durable, "s")
    assert [each.payload for each in subscriber.subscribe("r/#") if isinstance(each, Publish)] == [b"long"]


def test_of_a_delayed_will_it_begins_when_it_is_published(durable: SimulatedBroker) -> None:
    watcher = connect(durable, "w")
    watcher.subscribe("wills", qos=1)
    will = Will("wills", b"x", 1, False, {"will_delay_interval": 20, "message_expiry_interval": 10})
    connect(durable, "dying", will=will).lose()
    durable.advance(15_000)
    durable.crash()
    durable.advance(5_000)
    durable.advance(4_000)
    assert received(connect(durable, "w")) == [(b"x", 6)]
