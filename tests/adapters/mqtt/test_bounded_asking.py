"""What one client may ask for, and how often in vain."""

from __future__ import annotations

import pytest

from tests.adapters.mqtt.conftest import Connected
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_mqtt import MqttClient, only
from warren.adapters.mqtt.codec import reason_codes, versions
from warren.adapters.mqtt.codec.encode import encode
from warren.adapters.mqtt.codec.packets import (
    Disconnect,
    PubAck,
    SubAck,
    Subscribe,
    Subscription,
    UnsubAck,
    Unsubscribe,
)
from warren.adapters.mqtt.sessions.settings import DEEP_LEVELS_MAX, QueueLimits
from warren.adapters.mqtt.sessions.subscription import LEVELS_FREE
from warren.adapters.mqtt.settings import MqttSettings
from warren.adapters.mqtt.subscribing import FILTERS_PER_SLICE


def codes(client: MqttClient, *filters: str) -> list[int]:
    """What SUBACK says."""
    return list(only(SubAck, client.subscribe(*filters)).reason_codes)


def filter_of(levels: int, first: str = "a") -> str:
    return "/".join([first, *["+"] * (levels - 1)])


# Levels


def test_levels_of_filters_are_bounded_together(client: Connected, simulated: SimulatedBroker, level: int) -> None:
    made = client("deep", level)
    half = DEEP_LEVELS_MAX // 2 + LEVELS_FREE
    refused = {versions.V5: reason_codes.QUOTA_EXCEEDED, versions.V3_1_1: 0x80, versions.V3_1: 0}[level]
    assert codes(made, filter_of(half, "a"), filter_of(half, "b"), filter_of(LEVELS_FREE + 1, "c")) == [0, 0, refused]
    assert codes(made, filter_of(LEVELS_FREE, "d")) == [0], "a usual one is taken all the same"
    assert codes(made, filter_of(half, "a")) == [0], "so is one that is there"
    assert simulated.broker.limit_hits.of("mqtt_max_deep_filter_levels") == 1
    made.unsubscribe(filter_of(half, "a"))
    assert codes(made, filter_of(half, "e")) == [0]


def test_other_clients_have_theirs(client: Connected) -> None:
    most = DEEP_LEVELS_MAX + LEVELS_FREE
    for name in ("a", "b"):
        assert codes(client(name), filter_of(most, name)) == [0]


def test_groups_count_too(client: Connected) -> None:
    made = client()
    assert codes(made, "$share/g/" + filter_of(DEEP_LEVELS_MAX + LEVELS_FREE + 1)) == [reason_codes.QUOTA_EXCEEDED]


def test_they_are_counted_after_a_restart(durable: SimulatedBroker) -> None:
    made = MqttClient(durable)
    made.connect("deep", session_expiry_interval=3600)
    deep = filter_of(DEEP_LEVELS_MAX + LEVELS_FREE)
    made.subscribe(deep)
    durable.restart()
    back = MqttClient(durable)
    back.connect("deep", clean_start=False, session_expiry_interval=3600)
    assert codes(back, filter_of(LEVELS_FREE + 1, "b")) == [reason_codes.QUOTA_EXCEEDED]
    back.unsubscribe(deep)
    assert codes(back, filter_of(LEVELS_FREE + 1, "b")) == [0]


@pytest.mark.parametrize("most", [0, 5])
def test_the_operator_decides(most: int) -> None:
    simulated = SimulatedBroker(mqtt_limits=QueueLimits(deep_levels=most))
    made = MqttClient(simulated)
    made.connect("deep")
    assert codes(made, filter_of(LEVELS_FREE + 5), filter_of(LEVELS_FREE + 6, "b")) == [0, 0x97 if most else 0]
    made.lose()
    simulated.close()


def test_filters_of_many_levels_take_more_turns(client: Connected, simulated: SimulatedBroker) -> None:
    """What is done in a turn goes by levels, not by filters alone."""

    def turns(levels: int) -> int:
        made = client(f"of {levels}")
        asked = tuple(Subscription(filter_of(levels, f"{levels}-{number}")) for number in range(200))
        made.transport.receive(encode(Subscribe(1, asked), versions.V5))
        made.transport.receive(encode(Unsubscribe(2, tuple(each.filter for each in asked)), versions.V5))
        count = 0
        while simulated.broker.end_turn():
            count += 1
        assert len(only(UnsubAck, made.packets()).reason_codes) == 200
        return count

    assert turns(2) <= 4
    assert turns(LEVELS_FREE) >= 2 * (200 * LEVELS_FREE // 8 // FILTERS_PER_SLICE - 1)


# Refusals


@pytest.fixture
def shut(simulated: SimulatedBroker) -> SimulatedBroker:
    """Nobody may publish or subscribe to anything but "open"."""
    simulated.broker.users.set_topic_permissions("guest", "/", "amq.topic", "^open$", "^open$")
    return simulated


def test_who_publishes_in_vain_again_and_again_is_disconnected(shut: SimulatedBroker) -> None:
    made = MqttClient(shut, settings=MqttSettings(refusals_per_minute_max=3))
    made.connect()
    for number in range(3):
        answer = only(PubAck, made.publish(f"shut/{number}", b"x", 1))
        assert answer.reason_code == reason_codes.NOT_AUTHORIZED
    said = only(Disconnect, made.publish("shut/3", b"x", 1))
    assert said.reason_code == reason_codes.NOT_AUTHORIZED
    assert "mqtt_refusals_per_minute_max" in said.properties["reason_string"]
    assert made.closed
    assert shut.broker.limit_hits.of("mqtt_refusals_per_minute_max") == 1


def test_who_subscribes_in_vain_too(shut: SimulatedBroker, level: int) -> None:
    made = MqttClient(shut, level, settings=MqttSettings(refusals_per_minute_max=3))
    made.connect()
    for number in range(3):
        made.subscribe(f"shut/{number}", f"also/{number}")
        assert not made.closed
    made.subscribe("shut/3")
    assert made.closed


def test_messages_without_an_answer_count_where_they_dont_end_it(shut: SimulatedBroker) -> None:
    made = MqttClient(shut, settings=MqttSettings(refusals_per_minute_max=3, disconnect_on_unauthorized=False))
    made.connect()
    for _ in range(3):
        made.publish("shut", b"x")
    assert not made.closed
    made.publish("shut", b"x")
    assert made.closed


def test_a_minute_later_it_begins_anew(shut: SimulatedBroker) -> None:
    made = MqttClient(shut, settings=MqttSettings(refusals_per_minute_max=3))
    made.connect()
    for _ in range(5):
        for _ in range(3):
            made.publish("shut", b"x", 1)
        shut.advance(60_000)
    assert not made.closed


def test_any_number_if_the_operator_says_so(shut: SimulatedBroker) -> None:
    made = MqttClient(shut, settings=MqttSettings(refusals_per_minute_max=0))
    made.connect()
    for _ in range(300):
        made.publish("shut", b"x", 1)
    assert not made.closed


def test_a_long_topic_is_looked_at_once(shut: SimulatedBroker) -> None:
    """A pattern that a backtracking engine takes seconds for: the answer is kept."""
    shut.broker.users.set_topic_permissions("guest", "/", "amq.topic", r"(.*)*\.state$", ".*")
    made = MqttClient(shut)
    made.connect()
    topic = "a/" * 25_000
    for _ in range(5):
        assert only(PubAck, made.publish(topic, b"x", 1)).reason_code == reason_codes.NOT_AUTHORIZED
    patterns = shut.broker.users._topic_permissions._patterns
    assert len(patterns._answers) == 2, "of the exchange and of the topic"
