"""Messages from publisher to subscriber in each version and QoS; acknowledgements; cuts anywhere."""

from __future__ import annotations

from typing import Any

import pytest

from tests.adapters.mqtt.conftest import Connected
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_mqtt import MqttClient, only
from warren.adapters.mqtt.codec import versions
from warren.adapters.mqtt.codec.encode import encode
from warren.adapters.mqtt.codec.packets import PubAck, PubComp, Publish, PubRec, PubRel, SubAck


@pytest.mark.parametrize("published", [0, 1, 2])
@pytest.mark.parametrize("subscribed", [0, 1, 2])
def test_the_lower_qos_counts(client: Connected, level: int, published: int, subscribed: int) -> None:
    subscriber, publisher = client("s", level), client("p", level)
    assert only(SubAck, subscriber.subscribe("a/+", qos=subscribed)).reason_codes == (subscribed,)
    publisher.publish_fully("a/b", b"hello", published)
    (message,) = subscriber.messages()
    assert (message.topic, message.payload, message.qos) == ("a/b", b"hello", min(published, subscribed))
    assert not message.retain
    assert not message.duplicate


@pytest.mark.parametrize("publisher_level", [versions.V3_1_1, versions.V5])
def test_versions_meet(client: Connected, level: int, publisher_level: int) -> None:
    subscriber, publisher = client("s", level), client("p", publisher_level)
    subscriber.subscribe("#", qos=2)
    for qos in (0, 1, 2, 0, 1, 2):
        publisher.publish_fully("x", b"%d" % qos, qos)
    assert subscriber.take() == [b"0", b"1", b"2"] * 2


@pytest.mark.parametrize("cut", ["whole", "byte by byte", "1", "2", "3"])
def test_how_bytes_are_cut_does_not_matter(client: Connected, level: int, cut: str) -> None:
    subscriber, publisher = client("s", level), client("p", level)
    subscriber.subscribe("t", qos=1)
    packets = [
        Publish("t", bytes([number]) * (number * 60), number % 2, number if number % 2 else 0)
        for number in range(1, 12)
    ]
    data = b"".join(encode(packet, level) for packet in packets)
    answers = publisher.send_bytes(data, cut)
    assert [each.packet_id for each in answers if isinstance(each, PubAck)] == [1, 3, 5, 7, 9, 11]
    assert subscriber.take() == [packet.payload for packet in packets]


def test_a_message_of_qos_2_is_taken_once_however_often_it_is_sent(client: Connected, level: int) -> None:
    subscriber, publisher = client("s", level), client("p", level)
    subscriber.subscribe("t")
    for _ in range(3):
        only(PubRec, publisher.publish("t", b"once", 2, packet_id=7, duplicate=True))
    only(PubComp, publisher.send(PubRel(7)))
    publisher.publish("t", b"next", 2, packet_id=7)
    assert subscriber.take() == [b"once", b"next"]


def test_unacknowledged_messages_come_again_in_order_with_dup(client: Connected, level: int) -> None:
    expiry: dict[str, Any] = {"session_expiry_interval": 60} if level == versions.V5 else {}
    subscriber, publisher = client("s", level, clean_start=False, **expiry), client("p", level)
    subscriber.subscribe("t", qos=2)
    for number in range(4):
        publisher.publish_fully("t", b"%d" % number, 1 + number % 2)
    first = subscriber.messages()
    subscriber.send(PubRec(first[1].packet_id))
    subscriber.lose()
    again = MqttClient(publisher.simulated, level)
    answer = again.connect("s", clean_start=False, **expiry)
    assert answer.session_present or level == versions.V3_1
    released, *others = [each for each in again.after_connack if isinstance(each, PubRel)]
    assert released.packet_id == first[1].packet_id
    assert not others
    messages = [each for each in again.after_connack if isinstance(each, Publish)]
    assert [(each.payload, each.packet_id, each.duplicate) for each in messages] == [
        (first[index].payload, first[index].packet_id, True) for index in (0, 2, 3)
    ]


def test_no_more_is_under_way_than_the_client_takes(client: Connected) -> None:
    subscriber, publisher = client("s", receive_maximum=2), client("p")
    subscriber.subscribe("t", qos=2)
    for number in range(5):
        publisher.publish_fully("t", b"%d" % number, 2)
    first, second = subscriber.messages()
    subscriber.send(PubRec(first.packet_id))
    assert subscriber.messages() == []
    answers = subscriber.send(PubComp(first.packet_id), PubRec(second.packet_id), PubComp(second.packet_id))
    assert [each.payload for each in answers if isinstance(each, Publish)] == [b"2", b"3"]


def test_dollar_topics_are_hidden_from_wildcards(client: Connected, level: int) -> None:
    subscriber, publisher = client("s", level), client("p", level)
    subscriber.subscribe("#", "+/b")
    publisher.publish("$a/b", b"hidden")
    assert subscriber.messages() == []
    subscriber.subscribe("$a/+")
    publisher.publish("$a/b", b"seen")
    assert subscriber.take() == [b"seen"]


def test_dots_and_slashes_are_told_apart(client: Connected, level: int) -> None:
    subscriber, publisher = client("s", level), client("p", level)
    subscriber.subscribe("a.b/+", "x/*/y")
    for topic in ("a.b/c", "a/b/c", "x/*/y", "x/z/y", "%2E/c"):
        publisher.publish(topic, topic.encode())
    assert subscriber.take() == [b"a.b/c", b"x/*/y"]


def test_overlapping_subscriptions_bring_one_copy_of_the_highest_qos(client: Connected, level: int) -> None:
    subscriber, publisher = client("s", level), client("p", level)
    subscriber.subscribe("a/#", qos=2)
    subscriber.subscribe("a/+", qos=1)
    publisher.publish_fully("a/b", b"x", 2)
    (message,) = subscriber.messages()
    assert message.qos == 2


def test_messages_wait_for_a_client_that_comes_back(client: Connected, level: int, simulated: SimulatedBroker) -> None:
    expiry: dict[str, Any] = {"session_expiry_interval": 60} if level == versions.V5 else {}
    subscriber, publisher = client("s", level, clean_start=False, **expiry), client("p", level)
    subscriber.subscribe("t", qos=2)
    subscriber.disconnect()
    for qos in (0, 1, 2):
        publisher.publish_fully("t", b"%d" % qos, qos)
    again = MqttClient(simulated, level)
    answer = again.connect("s", clean_start=False, **expiry)
    assert answer.session_present or level == versions.V3_1
    again.connection.receive(b"")
    assert [each.payload for each in again.after_connack if isinstance(each, Publish)] == [b"1", b"2"]
    assert simulated.mqtt.dropped == 1
