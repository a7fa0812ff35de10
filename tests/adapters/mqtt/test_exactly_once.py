"""QoS 1 and 2 across crashes of the broker: nothing lost, and at QoS 2 nothing doubled."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_mqtt import MqttClient, only
from warren.adapters.mqtt.codec import versions
from warren.adapters.mqtt.codec.packets import PubComp, Publish, PubRec, PubRel

HOUR: dict[str, Any] = {"session_expiry_interval": 3600}


def _subscriber(broker: SimulatedBroker, *, clean_start: bool = False) -> MqttClient:
    made = MqttClient(broker)
    made.connect("s", clean_start=clean_start, **HOUR)
    return made


def _publisher(broker: SimulatedBroker) -> MqttClient:
    made = MqttClient(broker)
    made.connect("p", clean_start=False, **HOUR)
    return made


def test_a_packet_identifier_that_was_received_is_remembered(durable: SimulatedBroker) -> None:
    _subscriber(durable).subscribe("t", qos=2)
    only(PubRec, _publisher(durable).publish("t", b"once", 2, packet_id=9))
    durable.crash()
    publisher = _publisher(durable)
    only(PubRec, publisher.publish("t", b"once", 2, packet_id=9, duplicate=True))
    only(PubComp, publisher.send(PubRel(9)))
    durable.crash()
    publisher = _publisher(durable)
    only(PubRec, publisher.publish("t", b"another", 2, packet_id=9))
    subscriber = _subscriber(durable)
    assert [each.payload for each in subscriber.after_connack if isinstance(each, Publish)] == [b"once", b"another"]


def test_pubrec_and_pubcomp_wait_for_the_disk(durable: SimulatedBroker) -> None:
    publisher = _publisher(durable)
    durable.commits_by_itself = False
    assert publisher.publish("t", b"x", 2, packet_id=1) == []
    durable.begin_commit()
    durable.finish_commit()
    durable.settle()
    only(PubRec, publisher.packets())
    assert publisher.send(PubRel(1)) == []
    durable.begin_commit()
    durable.finish_commit()
    durable.settle()
    only(PubComp, publisher.packets())


def test_a_message_that_was_sent_keeps_its_packet_identifier(durable: SimulatedBroker) -> None:
    subscriber = _subscriber(durable)
    subscriber.subscribe("t", qos=2)
    publisher = _publisher(durable)
    for number in range(3):
        publisher.publish_fully("t", b"%d" % number, 2)
    sent = subscriber.messages()
    subscriber.send(PubRec(sent[0].packet_id))
    durable.crash()
    subscriber = _subscriber(durable)
    packets = subscriber.after_connack
    assert only(PubRel, packets).packet_id == sent[0].packet_id
    again = [each for each in packets if isinstance(each, Publish)]
    assert [(each.packet_id, each.payload, each.duplicate) for each in again] == [
        (each.packet_id, each.payload, True) for each in sent[1:]
    ]
    for each in sent:
        subscriber.send(PubRec(each.packet_id), PubComp(each.packet_id))
    durable.crash()
    assert _subscriber(durable).after_connack == []
    assert durable.broker.store.statistics()["entries"] == 0


def test_a_publish_waits_until_its_packet_identifier_is_on_disk(durable: SimulatedBroker) -> None:
    subscriber = _subscriber(durable)
    subscriber.subscribe("t", qos=2)
    durable.commits_by_itself = False
    _publisher(durable).publish("t", b"x", 2, packet_id=1)
    durable.settle()
    assert subscriber.messages() == []
    durable.crash()
    durable.commits_by_itself = True
    assert _subscriber(durable).after_connack == []


@pytest.mark.parametrize("level", [versions.V3_1_1, versions.V5])
def test_qos_1_comes_at_least_once(durable: SimulatedBroker, level: int) -> None:
    expiry: dict[str, Any] = HOUR if level == versions.V5 else {}
    subscriber = MqttClient(durable, level)
    subscriber.connect("s", clean_start=False, **expiry)
    subscriber.subscribe("t", qos=1)
    publisher = _publisher(durable)
    for number in range(3):
        publisher.publish_fully("t", b"%d" % number, 1)
    assert len(subscriber.messages()) == 3
    durable.crash()
    subscriber = MqttClient(durable, level)
    subscriber.connect("s", clean_start=False, **expiry)
    again = [each for each in subscriber.after_connack if isinstance(each, Publish)]
    assert [(each.payload, each.duplicate) for each in again] == [(b"0", True), (b"1", True), (b"2", True)]


def test_a_clean_restart_keeps_sessions_wills_and_retained_messages(durable: SimulatedBroker) -> None:
    subscriber = _subscriber(durable)
    subscriber.subscribe("t/#", qos=2)
    publisher = _publisher(durable)
    publisher.publish_fully("t/1", b"kept", 2, retain=True)
    (first,) = subscriber.messages()
    durable.restart()
    subscriber = _subscriber(durable)
    (again,) = [each for each in subscriber.after_connack if isinstance(each, Publish)]
    assert (again.packet_id, again.payload, again.duplicate) == (first.packet_id, b"kept", True)
    other = MqttClient(durable)
    other.connect("other")
    (retained,) = [each for each in other.subscribe("t/+") if isinstance(each, Publish)]
    assert (retained.payload, retained.retain) == (b"kept", True)


def test_a_session_expires_also_after_a_restart(durable: SimulatedBroker) -> None:
    _subscriber(durable).subscribe("t", qos=1)
    durable.crash()
    durable.advance(3_599_000)
    assert "mqtt-subscription-s" in durable.vhost.queues
    durable.advance(1_000)
    assert "mqtt-subscription-s" not in durable.vhost.queues
    made = MqttClient(durable)
    assert not made.connect("s", clean_start=False, **HOUR).session_present
