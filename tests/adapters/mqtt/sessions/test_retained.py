"""Retained messages over restarts: the last of each topic, until it expires, within the limits."""

from __future__ import annotations

from tests.support.core_broker import core_broker
from warren.adapters.mqtt.sessions.headers import PUBLISH_QOS
from warren.adapters.mqtt.sessions.place import COMPONENT, world_of
from warren.adapters.mqtt.sessions.retained import RetainedMessages
from warren.adapters.mqtt.sessions.topics import key_of
from warren.adapters.mqtt.sessions.world import MqttWorld
from warren.core.broker import Broker
from warren.core.messages.address import Address
from warren.core.messages.message import Message
from warren.core.messages.properties import Properties, encode_properties
from warren.core.storage.definitions.memory import MemoryDefinitionStore


def mqtt_broker(definitions: MemoryDefinitionStore | None = None) -> Broker:
    return core_broker(definitions, components={COMPONENT: MqttWorld})


def retained_of(broker: Broker) -> RetainedMessages:
    return world_of(broker).of(broker.vhosts["/"]).retained


def message(topic: str, body: bytes, published_at_ms: int = 0, properties: Properties | None = None) -> Message:
    return Message(
        0,
        Address("amq.topic", key_of(topic)),
        properties or encode_properties(delivery_mode=2),
        body,
        0,
        len(body),
        0,
        published_at_ms,
    )


def bodies(retained: RetainedMessages, topic_filter: str = "#") -> dict[str, bytes]:
    return {topic: found.body for topic, found in retained.match(topic_filter.split("/"))}


def test_a_restart_brings_back_the_last_of_each_topic() -> None:
    definitions = MemoryDefinitionStore()
    retained = retained_of(mqtt_broker(definitions))
    properties = encode_properties(delivery_mode=2, content_type="t", headers={PUBLISH_QOS: 2, "k": "v"})
    for topic in ("a", "a/b", "", "/", "a.b/*", "日本"):
        if topic:
            retained.put(topic, message(topic, b"older"))
            retained.put(topic, message(topic, topic.encode(), 5, properties))
    retained.put("gone", message("gone", b"x"))
    retained.put("gone", message("gone", b""))
    again = retained_of(mqtt_broker(definitions))
    assert bodies(again) == {topic: topic.encode() for topic in ("a", "a/b", "/", "a.b/*", "日本")}
    for topic, found in again.match(["#"]):
        assert found.properties.raw == properties.raw
        assert found.address.encoded == Address("amq.topic", key_of(topic)).encoded
        assert found.published_at_ms == 5
    assert len(again) == 5
    assert again.body_bytes == retained.body_bytes


def test_they_expire_before_and_after_a_restart() -> None:
    definitions = MemoryDefinitionStore()
    broker = mqtt_broker(definitions)
    for name, lifetime_ms in (("soon", "1000"), ("later", "5000"), ("at-once", "0")):
        retained_of(broker).put(name, message(name, b"x", 0, encode_properties(expiration=lifetime_ms)))
    retained_of(broker).put("never", message("never", b"x"))
    broker.advance(1_000)
    assert set(bodies(retained_of(broker))) == {"later", "never"}
    again = mqtt_broker(definitions)
    again.advance(4_999)
    assert set(bodies(retained_of(again))) == {"later", "never"}
    again.advance(5_000)
    assert set(bodies(retained_of(again))) == {"never"}
    third = mqtt_broker(definitions)
    assert set(bodies(retained_of(third))) == {"never"}, "what has expired is gone from the definitions too"


def test_one_that_expired_while_the_broker_was_down_is_gone_after_the_start() -> None:
    definitions = MemoryDefinitionStore()
    retained_of(mqtt_broker(definitions)).put("t", message("t", b"x", 0, encode_properties(expiration="1000")))
    again = mqtt_broker(definitions)
    again.advance(1_000_000)
    assert bodies(retained_of(again)) == {}
    assert len(retained_of(again)) == 0


def test_a_newer_message_without_a_lifetime_does_not_expire_with_the_older() -> None:
    broker = mqtt_broker()
    retained_of(broker).put("t", message("t", b"older", 0, encode_properties(expiration="1000")))
    retained_of(broker).put("t", message("t", b"newer"))
    broker.advance(10_000)
    assert bodies(retained_of(broker)) == {"t": b"newer"}


def test_past_the_limit_a_further_topic_is_not_retained() -> None:
    retained = retained_of(mqtt_broker())
    retained.messages_max = 2
    assert retained.put("a", message("a", b"1"))
    assert retained.put("b", message("b", b"1"))
    assert not retained.put("c", message("c", b"1"))
    assert retained.put("a", message("a", b"2")), "one that is there can be replaced"
    assert retained.put("b", message("b", b""))
    assert retained.put("c", message("c", b"1"))
    assert bodies(retained) == {"a": b"2", "c": b"1"}


def test_past_the_limit_of_bytes_too() -> None:
    retained = retained_of(mqtt_broker())
    retained.bytes_max = 10
    assert retained.put("a", message("a", b"12345678"))
    assert not retained.put("b", message("b", b"123"))
    assert not retained.put("a", message("a", b"12345678901"))
    assert retained.put("a", message("a", b"1"))
    assert retained.put("b", message("b", b"123"))
    assert retained.body_bytes == 4
