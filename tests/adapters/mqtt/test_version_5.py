"""What MQTT 5 adds."""

from __future__ import annotations

from typing import Any

import pytest

from tests.adapters.mqtt.conftest import Connected
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_mqtt import MqttClient, only
from warren.adapters.mqtt.codec import reason_codes
from warren.adapters.mqtt.codec.packets import (
    Disconnect,
    PubAck,
    Publish,
    PubRec,
    Subscription,
)
from warren.adapters.mqtt.settings import MqttSettings


def test_properties_come_as_they_went(client: Connected) -> None:
    subscriber, publisher = client("s"), client("p")
    subscriber.subscribe("t")
    properties: dict[str, Any] = {
        "payload_format_indicator": 1,
        "content_type": "text/plain",
        "response_topic": "answers/1",
        "correlation_data": b"\xff\0",
        "user_properties": [("b", "2"), ("a", "1"), ("b", "2"), ("", "")],
    }
    publisher.publish("t", b"x", **properties)
    (message,) = subscriber.messages()
    assert message.properties == properties


def test_what_is_left_of_the_lifetime_is_told(client: Connected, simulated: SimulatedBroker) -> None:
    subscriber, publisher = client("s", clean_start=False, session_expiry_interval=60), client("p")
    subscriber.subscribe("t", qos=1)
    subscriber.lose()
    publisher.publish("t", b"long", 1, message_expiry_interval=10)
    publisher.publish("t", b"short", 1, message_expiry_interval=1)
    simulated.advance(4_000)
    subscriber = client("s", clean_start=False, session_expiry_interval=60)
    (message,) = [each for each in subscriber.after_connack if isinstance(each, Publish)]
    assert (message.payload, message.properties) == (b"long", {"message_expiry_interval": 6})


def test_topic_aliases_to_the_broker(client: Connected) -> None:
    subscriber, publisher = client("s"), client("p")
    subscriber.subscribe("t/#")
    publisher.publish("t/1", b"1", topic_alias=3)
    publisher.publish("", b"2", topic_alias=3)
    publisher.publish("t/2", b"3", topic_alias=3)
    publisher.publish("", b"4", topic_alias=3)
    messages = subscriber.messages()
    assert [(each.topic, each.payload) for each in messages] == [
        ("t/1", b"1"), ("t/1", b"2"), ("t/2", b"3"), ("t/2", b"4")
    ]  # fmt: skip
    assert all(not each.properties for each in messages)


@pytest.mark.parametrize(("alias", "code"), [(17, 0x94), (5, 0x82)])
def test_a_bad_alias_ends_the_connection(client: Connected, alias: int, code: int) -> None:
    publisher = client("p")
    answers = publisher.publish("" if code == 0x82 else "t", b"x", topic_alias=alias)
    assert only(Disconnect, answers).reason_code == code
    assert publisher.closed


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_topic_aliases_from_the_broker(client: Connected, qos: int) -> None:
    subscriber, publisher = client("s", topic_alias_maximum=1), client("p")
    subscriber.subscribe("#", qos=2)
    for topic in ("first", "second", "first"):
        publisher.publish_fully(topic, b"x", qos)
    messages = subscriber.messages()
    assert [(each.topic, each.properties.get("topic_alias")) for each in messages] == [
        ("first", 1), ("second", None), ("", 1)
    ]  # fmt: skip


def test_subscription_identifiers_of_all_that_match(client: Connected) -> None:
    subscriber, publisher = client("s"), client("p")
    subscriber.subscribe("a/#", identifier=7)
    subscriber.subscribe("a/b", identifier=5)
    subscriber.subscribe("+/b")
    publisher.publish("a/b", b"x")
    assert only(Publish, subscriber.packets()).properties == {"subscription_identifiers": [5, 7]}


def test_no_local(client: Connected) -> None:
    both, other = client("both"), client("other")
    both.subscribe(Subscription("t", no_local=True))
    both.publish("t", b"own")
    both.publish("t", b"own again")
    other.publish("t", b"other's")
    assert both.take() == [b"other's"]


def test_retain_as_published(client: Connected) -> None:
    subscriber, publisher = client("s"), client("p")
    subscriber.subscribe(Subscription("a", retain_as_published=True), Subscription("b"))
    publisher.publish("a", b"x", retain=True)
    publisher.publish("a", b"y")
    publisher.publish("b", b"z", retain=True)
    assert [each.retain for each in subscriber.messages()] == [True, False, False]


@pytest.mark.parametrize(("handling", "first", "second"), [(0, 1, 1), (1, 1, 0), (2, 0, 0)])
def test_retain_handling(client: Connected, handling: int, first: int, second: int) -> None:
    client("p").publish("t", b"x", retain=True)
    subscriber = client("s")
    for expected in (first, second):
        answers = subscriber.subscribe(Subscription("t", retain_handling=handling))
        assert len([each for each in answers if isinstance(each, Publish)]) == expected


def test_an_assigned_client_identifier_and_what_was_agreed_on(simulated: SimulatedBroker) -> None:
    made = MqttClient(simulated, settings=MqttSettings(keep_alive_max_s=30, session_expiry_max_s=100))
    answer = made.connect("", keep_alive_s=100, session_expiry_interval=500)
    assert answer.properties["assigned_client_identifier"] == made.session.client_id
    assert answer.properties["server_keep_alive"] == 30
    assert answer.properties["session_expiry_interval"] == 100
    assert answer.properties["receive_maximum"] == 1024


def test_a_packet_that_is_too_large_for_the_client_is_not_sent(client: Connected) -> None:
    subscriber, publisher = client("s", maximum_packet_size=100), client("p")
    subscriber.subscribe("t", qos=2)
    for qos in (0, 1, 2):
        publisher.publish_fully("t", b"x" * 100, qos)
        publisher.publish_fully("t", b"y", qos)
    assert subscriber.take() == [b"y"] * 3
    assert not subscriber.session.outgoing


def test_a_publish_without_subscribers_says_so(client: Connected) -> None:
    publisher = client("p")
    for _ in range(2):
        assert only(PubAck, publisher.publish("t", b"", 1)).reason_code == reason_codes.NO_MATCHING_SUBSCRIBERS
    assert only(PubRec, publisher.publish("t", b"", 2)).reason_code == reason_codes.NO_MATCHING_SUBSCRIBERS


def test_too_many_unfinished_messages(simulated: SimulatedBroker) -> None:
    publisher = MqttClient(simulated, settings=MqttSettings(receive_maximum=2))
    publisher.connect("p")
    publisher.publish("t", b"", 2)
    publisher.publish("t", b"", 2)
    assert only(Disconnect, publisher.publish("t", b"", 2)).reason_code == reason_codes.RECEIVE_MAXIMUM_EXCEEDED


def test_takeover(client: Connected) -> None:
    first = client("same", session_expiry_interval=60)
    first.subscribe("t")
    second = client("same", clean_start=False, session_expiry_interval=60)
    assert only(Disconnect, first.packets()).reason_code == reason_codes.SESSION_TAKEN_OVER
    assert first.closed
    assert only(Publish, second.publish("t", b"x")).payload == b"x"


def test_an_expiry_can_be_changed_when_leaving_but_not_from_zero(client: Connected, simulated: SimulatedBroker) -> None:
    leaving = client("a", session_expiry_interval=60)
    leaving.subscribe("t")
    leaving.disconnect(session_expiry_interval=0)
    assert "a" not in simulated.mqtt.of(simulated.vhost).sessions
    wrong = client("b")
    answers = wrong.send(Disconnect(0, {"session_expiry_interval": 5}))
    assert only(Disconnect, answers).reason_code == reason_codes.PROTOCOL_ERROR
