"""MQTT 5's properties of a message through the broker: they come out as they went in, in order, duplicates too."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.adapters.mqtt.codec.strategies import blobs, texts, topics
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_mqtt import MqttClient, only
from warren.adapters.mqtt.codec.packets import Publish, Will

pairs = st.lists(st.tuples(texts, texts), min_size=1, max_size=6)

forwarded = st.fixed_dictionaries(
    {},
    optional={
        "payload_format_indicator": st.integers(0, 1),
        "content_type": texts,
        "response_topic": topics,
        "correlation_data": blobs,
        "user_properties": pairs
        | st.just([("a", "1"), ("b", "2"), ("a", "1"), ("a", "3"), ("", ""), ("b", "2")])
        | st.just([("x-mqtt-publish-qos", "2"), ("x-mqtt-retain", "1"), ("x-mqtt-properties", "z")]),
        "message_expiry_interval": st.sampled_from([1, 60, 4_000_000, 0xFFFF_FFFF]),
    },
)


def connected(simulated: SimulatedBroker, client_id: str, **more: Any) -> MqttClient:
    made = MqttClient(simulated)
    assert made.connect(client_id, **more).reason_code == 0
    return made


@settings(max_examples=150)
@given(forwarded, st.integers(0, 2), st.booleans())
def test_of_a_publish(properties: dict[str, Any], qos: int, retain: bool) -> None:
    simulated = SimulatedBroker()
    subscriber, publisher = connected(simulated, "s"), connected(simulated, "p")
    subscriber.subscribe("t", qos=2)
    for _ in range(2):
        publisher.publish_fully("t", b"x", qos, retain=retain, **properties)
        (message,) = subscriber.messages()
        assert (message.qos, message.properties) == (qos, properties)
    if retain:
        later = connected(simulated, "later")
        assert only(Publish, later.subscribe("t", qos=2)).properties == properties
    simulated.close()


@settings(max_examples=60)
@given(forwarded, st.integers(0, 2))
def test_of_a_will(properties: dict[str, Any], qos: int) -> None:
    simulated = SimulatedBroker()
    watcher = connected(simulated, "w")
    watcher.subscribe("t", qos=2)
    will: Any = {**properties, "will_delay_interval": 5}
    connected(simulated, "dying", will=Will("t", b"x", qos, True, will), session_expiry_interval=60).lose()
    simulated.advance(5_000)
    (message,) = watcher.messages()
    assert (message.qos, message.properties) == (qos, properties), "its lifetime begins when it is published"
    simulated.close()


@settings(max_examples=60)
@given(forwarded, st.integers(1, 268_435_455), st.integers(0, 2))
def test_beside_what_is_made_for_each_subscriber(properties: dict[str, Any], identifier: int, qos: int) -> None:
    simulated = SimulatedBroker()
    subscriber, publisher = connected(simulated, "s", topic_alias_maximum=3), connected(simulated, "p")
    subscriber.subscribe("topic", qos=2, identifier=identifier)
    for expected_topic in ("topic", ""):
        publisher.publish_fully("topic", b"x", qos, **properties)
        (message,) = subscriber.messages()
        assert message.topic == expected_topic
        assert message.properties == {**properties, "subscription_identifiers": [identifier], "topic_alias": 1}
    simulated.close()
