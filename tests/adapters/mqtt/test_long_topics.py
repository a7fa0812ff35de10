"""Topics and filters longer than a routing key can be: MQTT's 65,535 bytes, and what AMQP sees of them."""

from __future__ import annotations

import pytest

from tests.adapters.mqtt.conftest import Connected
from tests.support import core_clients
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_mqtt import MqttClient, only
from warren.adapters.mqtt.codec import versions
from warren.adapters.mqtt.codec.packets import Packet, PubAck, Publish, PubRec, SubAck, Will
from warren.adapters.mqtt.sessions.headers import TOPIC
from warren.adapters.mqtt.sessions.names import DEFAULT_TOPIC_EXCHANGE
from warren.core.messages.address import KEY_BYTES_MAX, short_key

LONG = "plant/" + "x" * 300
LONGEST = "a/" + "ü" * 32_766
LONGER_THAN_A_KEY_WHEN_ESCAPED = "v1.2/" * 45 + "end"


def messages_in(packets: list[Packet]) -> list[Publish]:
    """The messages among these."""
    return [each for each in packets if isinstance(each, Publish)]


@pytest.mark.parametrize("topic", [LONG, LONGEST + "a", LONGER_THAN_A_KEY_WHEN_ESCAPED, "/" * 65_535, "+/" * 9 + "#"])
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_messages_come_by_their_whole_topic(client: Connected, level: int, topic: str, qos: int) -> None:
    subscriber = client("subscriber", level)
    filter = topic
    if topic.endswith("#"):
        topic = "/".join(["y" * 40] * 12)
    elif topic.count("/") > 5_000:
        filter = "/#"  # more levels than a session may have in its filters
    assert only(SubAck, subscriber.subscribe(filter, qos=2)).reason_codes == (2,)
    client("publisher", level).publish_fully(topic, b"payload", qos)
    (message,) = subscriber.messages()
    assert (message.topic, message.payload, message.qos) == (topic, b"payload", qos)


def test_two_topics_that_differ_behind_the_routing_key_are_two(client: Connected) -> None:
    subscriber, publisher = client("subscriber"), client("publisher")
    subscriber.subscribe(LONG + "/1", LONG + "/2/#", qos=1)
    for end in ("1", "2", "3", "2/more"):
        publisher.publish(f"{LONG}/{end}", end.encode(), 1)
    assert [(each.topic, each.payload) for each in subscriber.messages()] == [
        (LONG + "/1", b"1"),
        (LONG + "/2", b"2"),
        (LONG + "/2/more", b"2/more"),
    ]


def test_an_alias_saves_a_long_topic(client: Connected) -> None:
    subscriber, publisher = client("subscriber", topic_alias_maximum=5), client("publisher")
    subscriber.subscribe("plant/#")
    publisher.publish(LONG, b"1")
    publisher.publish(LONG + "/other", b"2")
    publisher.publish(LONG, b"3")
    found = [(each.topic, each.properties.get("topic_alias"), each.payload) for each in subscriber.messages()]
    assert found == [(LONG, 1, b"1"), (LONG + "/other", 2, b"2"), ("", 1, b"3")]


def test_retained_and_wills_keep_their_topic(client: Connected) -> None:
    publisher = client("publisher", will=Will(LONG + "/will", b"gone", 1, True))
    publisher.publish(LONG, b"kept", 1, retain=True)
    publisher.lose()
    subscriber = client("subscriber")
    found = messages_in(subscriber.subscribe("plant/#", qos=1))
    assert sorted((each.topic, each.payload, each.retain) for each in found) == [
        (LONG, b"kept", True),
        (LONG + "/will", b"gone", True),
    ]
    subscriber.unsubscribe("plant/#")
    client("cleaner").publish(LONG, b"", 1, retain=True)
    assert not messages_in(subscriber.subscribe(LONG))


@pytest.mark.parametrize("crash", [False, True])
def test_everything_survives_a_restart(durable: SimulatedBroker, crash: bool) -> None:
    subscriber = MqttClient(durable)
    subscriber.connect("subscriber", clean_start=False, session_expiry_interval=3600)
    assert only(SubAck, subscriber.subscribe(LONG + "/#", qos=2)).reason_codes == (2,)
    publisher = MqttClient(durable)
    publisher.connect("publisher")
    publisher.publish_fully(LONG + "/sent", b"sent", 2)
    subscriber.lose()
    only(PubAck, publisher.publish(LONG + "/1", b"1", 1, retain=True))
    only(PubRec, publisher.publish(LONG + "/2", b"2", 2))
    if crash:
        durable.crash()
    else:
        durable.restart()

    again = MqttClient(durable)
    assert again.connect("subscriber", clean_start=False, session_expiry_interval=3600).session_present
    messages = [*again.after_connack, *again.messages()]
    assert [(each.topic, each.payload, each.qos) for each in messages if isinstance(each, Publish)] == [
        (LONG + "/sent", b"sent", 2),
        (LONG + "/1", b"1", 1),
        (LONG + "/2", b"2", 2),
    ]
    publisher = MqttClient(durable)
    publisher.connect("publisher")
    publisher.publish(LONG + "/3", b"3")
    publisher.publish("plant/else", b"else")
    assert [each.topic for each in again.messages()] == [LONG + "/3"]
    other = MqttClient(durable)
    other.connect("other")
    assert [(each.topic, each.payload) for each in messages_in(other.subscribe("plant/#"))] == [(LONG + "/1", b"1")]


def test_amqp_gets_the_beginning_as_routing_key_and_the_topic_in_a_header(
    simulated: SimulatedBroker, client: Connected
) -> None:
    queue = core_clients.bound_queue(simulated, "all", DEFAULT_TOPIC_EXCHANGE, "plant.#")
    client("publisher").publish(LONG, b"payload", 1)
    (delivered,) = core_clients.take_messages(queue)
    assert delivered.address.routing_key == short_key(LONG.replace("/", "."))
    assert len(delivered.address.routing_key) == KEY_BYTES_MAX
    assert (delivered.properties.headers or {})[TOPIC] == LONG


def test_a_topic_in_a_header_counts_only_with_its_routing_key(simulated: SimulatedBroker, client: Connected) -> None:
    subscriber = client("subscriber")
    subscriber.subscribe("#")
    properties = core_clients.properties(headers={TOPIC: LONG})
    core_clients.publish(simulated, DEFAULT_TOPIC_EXCHANGE, b"1", properties, key="z" * 255)
    core_clients.publish(simulated, DEFAULT_TOPIC_EXCHANGE, b"2", properties, key="short")
    simulated.settle()
    assert [each.topic for each in subscriber.messages()] == ["z" * 255, "short"]


def test_a_named_queue_whose_name_is_too_long_is_nobody(client: Connected) -> None:
    publisher: MqttClient = client("publisher")
    answer = only(PubAck, publisher.publish("$queue/" + "q" * 300, b"1", 1))
    assert answer.reason_code == 0x10
    assert only(SubAck, publisher.subscribe("$queue/" + "q" * 300)).reason_codes == (0x80,)


@pytest.mark.parametrize("level", [versions.V3_1_1, versions.V5])
def test_permissions_look_at_the_whole_topic(simulated: SimulatedBroker, client: Connected, level: int) -> None:
    users = simulated.broker.users
    users.set_topic_permissions("guest", "/", "amq.topic", f"^plant\\.{'x' * 300}$", "")
    try:
        publisher = client("publisher", level)
        publisher.publish(LONG, b"1", 1)
        assert not publisher.closed
        publisher.publish(LONG + "x", b"1")
        assert publisher.closed
    finally:
        users.clear_topic_permissions("guest", "/", "amq.topic")
