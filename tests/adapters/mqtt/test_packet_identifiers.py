"""Packet identifiers that nobody knows, that are in use, and that come again (MQTT 5 2.2.1, 4.3, 4.4; table 2-6)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.adapters.mqtt.conftest import Connected
from tests.support.simulated_mqtt import MqttClient, only
from warren.adapters.mqtt.codec import reason_codes, versions
from warren.adapters.mqtt.codec.packets import (
    PubAck,
    PubComp,
    Publish,
    PubRec,
    PubRel,
    SubAck,
    Subscribe,
    Subscription,
    UnsubAck,
    Unsubscribe,
)

FOR_AN_HOUR: dict[str, Any] = {"session_expiry_interval": 3600}


def code_for(level: int, code: int) -> int:
    """A reason code as far as a version has any."""
    return code if level == versions.V5 else 0


def test_answers_for_unknown_identifiers(client: Connected, level: int) -> None:
    made = client("c", level)
    not_found = code_for(level, reason_codes.PACKET_IDENTIFIER_NOT_FOUND)
    assert made.send(PubAck(7)) == []
    assert made.send(PubRec(7)) == [PubRel(7, not_found)]
    assert made.send(PubRel(7)) == [PubComp(7, not_found)]
    assert made.send(PubComp(7)) == []
    assert not made.closed


def receiving(client: Connected, level: int) -> tuple[MqttClient, Publish]:
    """A client that has been sent a message of QoS 2."""
    more = FOR_AN_HOUR if level == versions.V5 else {}
    subscriber, publisher = client("s", level, clean_start=False, **more), client("p", level)
    subscriber.subscribe("t", qos=2)
    publisher.publish_fully("t", b"x", 2)
    (message,) = subscriber.messages()
    return subscriber, message


def test_pubcomp_before_pubrec_does_not_lose_the_message(client: Connected, level: int) -> None:
    subscriber, message = receiving(client, level)
    subscriber.send(PubComp(message.packet_id))
    subscriber.lose()
    again = client("s", level, clean_start=False, **(FOR_AN_HOUR if level == versions.V5 else {}))
    assert [(each.packet_id, each.payload) for each in again.after_connack if isinstance(each, Publish)] == [
        (message.packet_id, b"x")
    ]


def test_pubrec_twice_is_answered_twice(client: Connected, level: int) -> None:
    subscriber, message = receiving(client, level)
    for _ in range(2):
        assert subscriber.send(PubRec(message.packet_id)) == [PubRel(message.packet_id)]
    assert subscriber.send(PubComp(message.packet_id)) == []
    assert not subscriber.session.outgoing


def test_pubrec_with_a_failure_ends_the_message(client: Connected) -> None:
    subscriber, message = receiving(client, versions.V5)
    assert subscriber.send(PubRec(message.packet_id, reason_codes.QUOTA_EXCEEDED)) == []
    assert not subscriber.session.outgoing
    assert subscriber.session.queue is not None
    assert subscriber.session.queue.unacked_count == 0


def test_pubrel_twice_is_answered_twice(client: Connected, level: int) -> None:
    publisher = client("p", level)
    publisher.publish("t", b"x", 2, packet_id=3)
    assert publisher.send(PubRel(3)) == [PubComp(3)]
    again = only(PubComp, publisher.send(PubRel(3)))
    assert again.reason_code == code_for(level, reason_codes.PACKET_IDENTIFIER_NOT_FOUND)


@pytest.mark.parametrize("duplicate", [False, True])
def test_a_publish_of_qos_2_under_an_identifier_in_use_is_the_same_message(
    client: Connected, level: int, duplicate: bool
) -> None:
    subscriber, publisher = client("s", level), client("p", level)
    subscriber.subscribe("t")
    publisher.publish("t", b"first", 2, packet_id=3)
    only(PubRec, publisher.publish("t", b"another", 2, packet_id=3, duplicate=duplicate))
    assert subscriber.take() == [b"first"], "MQTT-4.3.3-10: no PUBREL has come, so it is the first message again"


def test_an_identifier_in_use_is_refused_for_other_packets(client: Connected) -> None:
    made = client("p")
    made.publish("t", b"x", 2, packet_id=3)
    in_use = reason_codes.PACKET_IDENTIFIER_IN_USE
    assert only(SubAck, made.send(Subscribe(3, (Subscription("a"), Subscription("b"))))).reason_codes == (in_use,) * 2
    assert not made.session.subscriptions
    assert only(UnsubAck, made.send(Unsubscribe(3, ("a",)))).reason_codes == (in_use,)
    assert only(PubAck, made.publish("t", b"y", 1, packet_id=3)).reason_code == in_use
    only(PubComp, made.send(PubRel(3)))
    assert only(SubAck, made.send(Subscribe(3, (Subscription("a"),)))).reason_codes == (0,)


def test_an_identifier_in_use_of_qos_1_to_a_known_topic(client: Connected) -> None:
    subscriber, made = client("s"), client("p")
    subscriber.subscribe("known", qos=1)
    made.publish_fully("known", b"1", 1)
    made.publish("t", b"x", 2, packet_id=3)
    assert only(PubAck, made.publish("known", b"2", 1, packet_id=3)).reason_code == (
        reason_codes.PACKET_IDENTIFIER_IN_USE
    )
    assert subscriber.take() == [b"1"]


def test_an_identifier_is_used_again_only_when_its_message_is_done_with(client: Connected) -> None:
    subscriber, publisher = client("s"), client("p")
    subscriber.subscribe("t", qos=2)
    for number in range(200):
        publisher.publish_fully("t", b"%d" % number, 1 + number % 2)
    held = subscriber.messages()
    assert len({each.packet_id for each in held}) == 200
    session = subscriber.session
    session._packet_id = 65_530
    kept = {each.packet_id for each in held}
    subscriber.send(PubAck(held[0].packet_id))
    publisher.publish_fully("t", b"more", 1)
    for number in range(20):
        (message,) = subscriber.messages()
        assert message.packet_id not in kept - {held[0].packet_id}, "an identifier in use was given away"
        subscriber.send(PubAck(message.packet_id))
        publisher.publish_fully("t", b"%d" % number, 1)


def test_the_client_s_and_the_broker_s_identifiers_are_apart(client: Connected, level: int) -> None:
    both = client("both", level)
    both.subscribe("t", qos=2)
    answers = both.publish("t", b"x", 2, packet_id=1)
    assert only(Publish, answers).packet_id == only(PubRec, answers).packet_id == 1
    assert both.send(PubRec(1)) == [PubRel(1)]
    assert both.send(PubRel(1)) == [PubComp(1)]
    assert both.send(PubComp(1)) == []
    assert not both.session.outgoing
    assert not both.session.inbound
