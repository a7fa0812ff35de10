"""What a connection began and only the disk could finish, when the client comes back before the flush.

The earlier connection's waiting died with it; the new one has to wait for the same, or a crash undoes what the client
was told (session.py tells what is on disk when).
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_mqtt import MqttClient, only
from warren.adapters.mqtt.codec import reason_codes, versions
from warren.adapters.mqtt.codec.packets import Packet, PubAck, PubComp, Publish, PubRec, PubRel


@pytest.fixture(params=[versions.V3_1_1, versions.V5], ids=["3.1.1", "5"])
def level(request: pytest.FixtureRequest) -> int:
    """The two that differ."""
    found: int = request.param
    return found


def connect(broker: SimulatedBroker, client_id: str, level: int) -> MqttClient:
    made = MqttClient(broker, level)
    more: dict[str, Any] = {"session_expiry_interval": 3600} if level == versions.V5 else {}
    assert made.connect(client_id, clean_start=False, **more).reason_code == 0
    return made


def flush(broker: SimulatedBroker) -> None:
    broker.begin_commit()
    broker.finish_commit()
    broker.settle()


def publishes(packets: list[Packet]) -> list[tuple[int, bytes, bool]]:
    return [(each.packet_id, each.payload, each.duplicate) for each in packets if isinstance(each, Publish)]


def test_a_release_is_told_again_only_once_it_is_on_disk(durable: SimulatedBroker, level: int) -> None:
    subscriber, publisher = connect(durable, "s", level), connect(durable, "p", level)
    subscriber.subscribe("t", qos=2)
    publisher.publish_fully("t", b"x", 2)
    (message,) = subscriber.messages()
    durable.commits_by_itself = False
    assert subscriber.send(PubRec(message.packet_id)) == []
    subscriber.lose()
    subscriber = connect(durable, "s", level)
    assert subscriber.after_connack == [], "PUBREL before the release is on disk"
    durable.crash()
    subscriber = connect(durable, "s", level)
    assert publishes(subscriber.after_connack) == [(message.packet_id, b"x", True)]


def test_a_release_that_is_on_disk_is_told_again(durable: SimulatedBroker, level: int) -> None:
    subscriber, publisher = connect(durable, "s", level), connect(durable, "p", level)
    subscriber.subscribe("t", qos=2)
    publisher.publish_fully("t", b"x", 2)
    (message,) = subscriber.messages()
    durable.commits_by_itself = False
    subscriber.send(PubRec(message.packet_id))
    subscriber.lose()
    subscriber = connect(durable, "s", level)
    flush(durable)
    assert subscriber.packets() == [PubRel(message.packet_id)]


def test_a_packet_identifier_is_used_only_once_it_is_on_disk(durable: SimulatedBroker, level: int) -> None:
    subscriber, publisher = connect(durable, "s", level), connect(durable, "p", level)
    subscriber.subscribe("t", qos=2)
    durable.commits_by_itself = False
    publisher.publish("t", b"x", 2, packet_id=1)
    durable.settle()
    assert subscriber.session.outgoing
    subscriber.lose()
    subscriber = connect(durable, "s", level)
    assert subscriber.after_connack == [], "PUBLISH before its packet identifier is on disk"
    flush(durable)
    (sent,) = publishes(subscriber.packets())
    assert sent[1:] == (b"x", False), "it is sent for the first time (MQTT-3.3.1-1)"
    durable.crash()
    durable.commits_by_itself = True
    assert publishes(connect(durable, "s", level).after_connack) == [(sent[0], b"x", True)]


def test_two_reconnects_before_the_flush_send_it_once(durable: SimulatedBroker, level: int) -> None:
    subscriber, publisher = connect(durable, "s", level), connect(durable, "p", level)
    subscriber.subscribe("t", qos=2)
    durable.commits_by_itself = False
    publisher.publish("t", b"x", 2, packet_id=1)
    durable.settle()
    for _ in range(2):
        subscriber.lose()
        subscriber = connect(durable, "s", level)
    flush(durable)
    flush(durable)
    assert [each[1:] for each in publishes(subscriber.packets())] == [(b"x", False)]


def test_a_packet_identifier_is_given_back_only_once_that_is_on_disk(durable: SimulatedBroker, level: int) -> None:
    subscriber, publisher = connect(durable, "s", level), connect(durable, "p", level)
    subscriber.subscribe("t", qos=2)
    only(PubRec, publisher.publish("t", b"first", 2, packet_id=7))
    durable.commits_by_itself = False
    assert publisher.send(PubRel(7)) == []
    publisher.lose()
    publisher = connect(durable, "p", level)
    assert publisher.send(PubRel(7)) == [], "PUBCOMP before the identifier is free on disk"
    durable.crash()
    durable.commits_by_itself = True
    publisher = connect(durable, "p", level)
    assert publisher.send(PubRel(7)) == [PubComp(7)], "the client still waits for it"
    again = only(PubComp, publisher.send(PubRel(7)))
    assert again.reason_code == (reason_codes.PACKET_IDENTIFIER_NOT_FOUND if level == versions.V5 else 0)
    publisher.publish_fully("t", b"second", 2, packet_id=7)
    subscriber = connect(durable, "s", level)
    assert [each[1] for each in publishes(subscriber.after_connack)] == [b"first", b"second"]


def test_a_message_whose_answer_waits_is_answered_on_the_next_connection(durable: SimulatedBroker, level: int) -> None:
    connect(durable, "s", level).subscribe("t", qos=2)
    publisher = connect(durable, "p", level)
    durable.commits_by_itself = False
    assert publisher.publish("t", b"x", 2, packet_id=7) == []
    publisher.lose()
    publisher = connect(durable, "p", level)
    assert publisher.publish("t", b"x", 2, packet_id=7, duplicate=True) == [], "PUBREC before the message is on disk"
    flush(durable)
    only(PubRec, publisher.packets())
    durable.crash()
    durable.commits_by_itself = True
    publisher = connect(durable, "p", level)
    assert publisher.send(PubRel(7)) == [PubComp(7)]
    assert [each[1] for each in publishes(connect(durable, "s", level).after_connack)] == [b"x"]


def test_answers_keep_the_order_of_what_they_answer(durable: SimulatedBroker, level: int) -> None:
    connect(durable, "s", level).subscribe("stored", qos=2)
    publisher = connect(durable, "p", level)
    durable.commits_by_itself = False
    assert publisher.publish("stored", b"x", 1, packet_id=1) == []
    assert publisher.publish("nobody", b"x", 1, packet_id=2) == [], "MQTT-4.6.0-2: behind the one before"
    assert publisher.publish("stored", b"x", 2, packet_id=3) == []
    assert publisher.publish("nobody", b"x", 2, packet_id=4) == []
    flush(durable)
    answers = [each for each in publisher.packets() if isinstance(each, PubAck | PubRec)]
    assert [(type(each), each.packet_id) for each in answers] == [(PubAck, 1), (PubAck, 2), (PubRec, 3), (PubRec, 4)]
    assert publisher.send(PubRel(3), PubRel(4)) == []
    flush(durable)
    assert [each.packet_id for each in publisher.packets() if isinstance(each, PubComp)] == [3, 4], "MQTT-4.6.0-4"
