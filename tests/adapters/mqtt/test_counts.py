"""What MQTT clients did is what is counted, for each quality of service."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.counting import counted
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_mqtt import MqttClient
from warren.adapters.mqtt.codec.packets import PubAck, PubComp, PubRec
from warren.core.counters import Counts, vhost_counts


@pytest.fixture
def broker() -> Iterator[SimulatedBroker]:
    broker = SimulatedBroker()
    yield broker
    broker.settle()


def connect(broker: SimulatedBroker, name: str, level: int = 5, **properties: object) -> MqttClient:
    client = MqttClient(broker, level)
    client.connect(name, **properties)  # type: ignore[arg-type]
    return client


def of_connection(client: MqttClient) -> Counts:
    return counted(client.running.client.counts.snapshot())


@pytest.mark.parametrize("level", [4, 5])
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_messages_of_each_quality_of_service(broker: SimulatedBroker, qos: int, level: int) -> None:
    subscriber = connect(broker, "subscriber", level)
    subscriber.subscribe("a", qos=2)
    publisher = connect(broker, "publisher", level)
    for _ in range(5):
        publisher.publish_fully("a", b"x", qos)
    assert len(subscriber.take()) == 5
    confirmed = {"confirm": 5} if qos else {}
    taken = {"deliver": 5, "ack": 5} if qos else {"deliver_no_ack": 5}
    assert of_connection(publisher) == {"publish": 5, **confirmed}
    assert of_connection(subscriber) == {**taken, "deliver_get": 5}
    assert counted(vhost_counts(broker.vhost)) == {"publish": 5, **confirmed, **taken, "deliver_get": 5}
    assert broker.vhost.exchanges["amq.topic"].counts.snapshot() == {"publish_in": 5, "publish_out": 5}


def test_publishes_that_nobody_takes(broker: SimulatedBroker) -> None:
    publisher = connect(broker, "publisher")
    for qos in (0, 1, 2):
        publisher.publish_fully("nowhere", b"x", qos)
        publisher.publish_fully("nowhere", b"x", qos)
    assert of_connection(publisher) == {"publish": 6, "confirm": 4, "drop_unroutable": 6}


def test_a_message_of_quality_2_that_comes_twice_counts_once(broker: SimulatedBroker) -> None:
    publisher = connect(broker, "publisher")
    publisher.publish("a", b"x", 2, packet_id=7)
    publisher.publish("a", b"x", 2, packet_id=7, duplicate=True)
    assert of_connection(publisher) == {"publish": 1, "confirm": 1, "drop_unroutable": 1}


def test_a_message_that_the_client_refuses_is_no_acknowledgement(broker: SimulatedBroker) -> None:
    subscriber = connect(broker, "subscriber")
    subscriber.subscribe("a", qos=1)
    connect(broker, "publisher").publish_fully("a", b"x", 1)
    (message,) = subscriber.messages()
    subscriber.send(PubAck(message.packet_id, 0x80))
    assert of_connection(subscriber) == {"deliver": 1, "deliver_get": 1}


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_a_message_that_is_too_large_was_not_delivered(broker: SimulatedBroker, qos: int) -> None:
    subscriber = connect(broker, "subscriber", maximum_packet_size=40)
    subscriber.subscribe("a", qos=2)
    publisher = connect(broker, "publisher")
    publisher.publish_fully("a", b"x" * 100, qos)
    publisher.publish_fully("a", b"x", qos)
    assert subscriber.take() == [b"x"]
    taken = {"deliver": 1, "ack": 1} if qos else {"deliver_no_ack": 1}
    assert of_connection(subscriber) == {**taken, "deliver_get": 1}
    counts = vhost_counts(broker.vhost)
    assert (counts["deliver_get"], counts["deliver_get_bytes"]) == (1, 1)
    assert all(count >= 0 for count in counts.values())


def test_what_an_earlier_connection_was_sent_is_acknowledged_by_a_later_one(broker: SimulatedBroker) -> None:
    subscriber = connect(broker, "subscriber", session_expiry_interval=100)
    subscriber.subscribe("a", qos=2)
    publisher = connect(broker, "publisher")
    publisher.publish_fully("a", b"x", 1)
    publisher.publish_fully("a", b"y", 2)
    assert of_connection(subscriber) == {"deliver": 2, "deliver_get": 2}
    subscriber.lose()
    later = MqttClient(broker, 5)
    later.connect("subscriber", clean_start=False, session_expiry_interval=100)
    packets = [packet for packet in later.after_connack if hasattr(packet, "packet_id")]
    later.send(PubAck(packets[0].packet_id))
    later.send(PubRec(packets[1].packet_id))
    later.send(PubComp(packets[1].packet_id))
    assert of_connection(later)["ack"] == 2
