"""What a client says that it takes: packet size, receive maximum, topic aliases, reasons (MQTT 5 3.1.2.11)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.adapters.mqtt.conftest import Connected
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_mqtt import MqttClient, only
from warren.adapters.mqtt.codec import reason_codes, versions
from warren.adapters.mqtt.codec.encode import encode
from warren.adapters.mqtt.codec.packets import (
    Disconnect,
    PubAck,
    PubComp,
    Publish,
    PubRec,
    PubRel,
    SubAck,
    Subscribe,
    Subscription,
)
from warren.core.policies.policy import POLICY, make_policy

HOUR: dict[str, Any] = {"session_expiry_interval": 3600}


def refuse_everything(simulated: SimulatedBroker) -> None:
    """A queue that is full."""
    policy = make_policy(POLICY, "full", "^mqtt-", {"max-length": 1, "overflow": "reject-publish"})
    simulated.broker.policies.set(simulated.vhost, policy)
    subscriber = MqttClient(simulated)
    subscriber.connect("full", **HOUR)
    subscriber.subscribe("full", qos=1)
    subscriber.lose()
    publisher = MqttClient(simulated)
    publisher.connect("fills")
    publisher.publish_fully("full", b"x", 1)
    publisher.disconnect()


@pytest.mark.parametrize("wanted", [True, False])
def test_reasons_are_told_to_who_wants_them(client: Connected, simulated: SimulatedBroker, wanted: bool) -> None:
    refuse_everything(simulated)
    simulated.broker.users.set_topic_permissions("guest", "/", "amq.topic", ".*", "^allowed$")
    made = client("c", request_problem_information=wanted)
    kinds: tuple[tuple[int, type[PubAck | PubRec]], ...] = ((1, PubAck), (2, PubRec))
    for qos, kind in kinds:
        refused = only(kind, made.publish("full", b"x", qos))
        assert refused.reason_code == reason_codes.QUOTA_EXCEEDED
        assert ("reason_string" in refused.properties) == wanted, "MQTT-3.1.2-29"
    answer = only(SubAck, made.subscribe("forbidden"))
    assert answer.reason_codes == (reason_codes.NOT_AUTHORIZED,)
    assert ("reason_string" in answer.properties) == wanted
    goodbye = only(Disconnect, made.send_bytes(b"\x00\x00"))
    assert goodbye.properties["reason_string"], "DISCONNECT may have it whatever the client wants"


@pytest.mark.parametrize("size", range(2, 40))
def test_no_packet_is_larger_than_the_client_takes(client: Connected, simulated: SimulatedBroker, size: int) -> None:
    refuse_everything(simulated)
    simulated.broker.users.set_topic_permissions("guest", "/", "amq.topic", ".*", "^allowed$")
    made = MqttClient(simulated)
    packets = made.send_bytes(
        b"\x10\x12\x00\x04MQTT\x05\x02\x00\x00\x05\x27\x00\x00\x00" + bytes((size,)) + b"\x00\x00"
    )
    if not made.closed:
        packets += made.send(Subscribe(1, tuple(Subscription(f"forbidden/{number}") for number in range(5))))
        packets += made.publish("full", b"x", 1, packet_id=2)
        packets += made.publish("full", b"x", 2, packet_id=3)
        packets += made.publish("nobody", b"x", 1, packet_id=4)
        packets += made.send_bytes(b"\x00\x00")
    assert all(len(encode(each, versions.V5)) <= size for each in packets), "MQTT-3.1.2-24"


def test_a_refused_message_makes_room_for_the_next(client: Connected) -> None:
    subscriber, publisher = client("s", receive_maximum=1), client("p")
    subscriber.subscribe("t", qos=2)
    for number in range(3):
        publisher.publish_fully("t", b"%d" % number, 2)
    (first,) = subscriber.messages()
    answers = subscriber.send(PubRec(first.packet_id, reason_codes.UNSPECIFIED_ERROR))
    second = only(Publish, answers)
    assert second.payload == b"1"
    assert [type(each) for each in subscriber.send(PubRec(second.packet_id))] == [PubRel]
    assert only(Publish, subscriber.send(PubComp(second.packet_id))).payload == b"2"


@pytest.mark.parametrize("qos", [1, 2])
def test_the_receive_maximum_counts_what_is_sent_again(client: Connected, qos: int) -> None:
    subscriber, publisher = client("s", clean_start=False, receive_maximum=3, **HOUR), client("p")
    subscriber.subscribe("t", qos=qos)
    for number in range(6):
        publisher.publish_fully("t", b"%d" % number, qos)
    assert len(subscriber.messages()) == 3
    subscriber.lose()
    subscriber = client("s", clean_start=False, receive_maximum=2, **HOUR)
    again = [each for each in subscriber.after_connack if isinstance(each, Publish)]
    assert [(each.payload, each.duplicate) for each in again] == [(b"0", True), (b"1", True)]
    rest: list[tuple[bytes, bool]] = []
    pending = again
    while pending:
        answers = []
        for each in pending:
            if qos == 1:
                answers += subscriber.send(PubAck(each.packet_id))
            else:
                answers += subscriber.send(PubRec(each.packet_id), PubComp(each.packet_id))
        pending = [each for each in answers if isinstance(each, Publish)]
        assert len(pending) <= 2
        rest += [(each.payload, each.duplicate) for each in pending]
    assert rest == [(b"2", True), (b"3", False), (b"4", False), (b"5", False)]


def test_messages_of_qos_0_come_with_the_others(client: Connected) -> None:
    subscriber, publisher = client("s", receive_maximum=1), client("p")
    subscriber.subscribe("t", qos=1)
    for number in range(6):
        publisher.publish_fully("t", b"%d" % number, 1 - number % 2)
    assert subscriber.take() == [b"%d" % number for number in range(6)]


def test_aliases_end_with_the_connection(client: Connected) -> None:
    more: dict[str, Any] = {"topic_alias_maximum": 2, "clean_start": False, **HOUR}
    subscriber, publisher = client("s", **more), client("p")
    subscriber.subscribe("topic", qos=1)
    for _ in range(2):
        publisher.publish_fully("topic", b"x", 1)
    assert [each.topic for each in subscriber.messages()] == ["topic", ""]
    subscriber.lose()
    publisher.publish("elsewhere", b"", topic_alias=1)
    subscriber = client("s", **more)
    first, second = [each for each in subscriber.after_connack if isinstance(each, Publish)]
    assert first.topic == "topic"
    assert second.topic == "topic" or second.properties["topic_alias"] == first.properties["topic_alias"]
    publisher = client("p")
    answers = publisher.publish("", b"x", topic_alias=1)
    assert only(Disconnect, answers).reason_code == reason_codes.PROTOCOL_ERROR


def test_a_mark_at_the_beginning_of_a_string_is_kept(client: Connected, level: int) -> None:
    subscriber, publisher = client("s", level), client("p", level)
    subscriber.subscribe("\ufefft", "t")
    publisher.publish("\ufefft", b"with")
    publisher.publish("t", b"without")
    assert [(each.topic, each.payload) for each in subscriber.messages()] == [("\ufefft", b"with"), ("t", b"without")]


@pytest.mark.parametrize("character", ["\x01", "\x1f", "\x7f", "\x9f", "\ufdd0", "\uffff", "\U0010ffff"])
def test_characters_that_should_not_be_there_are_taken(client: Connected, level: int, character: str) -> None:
    topic = f"odd/{character}"
    subscriber, publisher = client("s", level), client("p", level)
    subscriber.subscribe(topic)
    publisher.publish(topic, b"x")
    assert [each.topic for each in subscriber.messages()] == [topic]
