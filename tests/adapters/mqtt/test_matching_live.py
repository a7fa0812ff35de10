"""Random filters and topics through a whole broker: what is delivered is what a plain reading of the rules delivers.

Own subscriptions bring one copy of a message however many match, each group one more; retained messages come to each
own subscription that matches, and to no group (MQTT 5 3.3.1.3, 3.3.4, 4.7, 4.8.2).
"""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.adapters.mqtt.conftest import Connected
from tests.adapters.mqtt.sessions.plain_matching import filters, matches, topics
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_mqtt import MqttClient
from warren.adapters.mqtt.codec import versions
from warren.adapters.mqtt.codec.packets import Publish

some_topics = st.lists(topics.filter(lambda topic: not topic.startswith(("$SYS", "$queue/"))), min_size=1, max_size=5)
own_filters = st.lists(filters.filter(lambda text: not text.startswith("$SYS")), max_size=3)
groups = st.lists(st.tuples(st.sampled_from(["g", "h.i", "g*"]), filters), max_size=2)


def connected(simulated: SimulatedBroker, client_id: str, level: int) -> MqttClient:
    made = MqttClient(simulated, level)
    assert made.connect(client_id).reason_code == 0
    return made


@settings(max_examples=150)
@given(own_filters, groups, some_topics, st.sampled_from([versions.V3_1_1, versions.V5]), st.integers(0, 2))
@example(["#", "+/b"], [("g", "#")], ["$x/b", "a/b", "a.b"], versions.V5, 1)
def test_what_is_published_comes_where_it_matches(
    own: list[str], shared: list[tuple[str, str]], published: list[str], level: int, qos: int
) -> None:
    simulated = SimulatedBroker()
    subscriber, publisher = connected(simulated, "s", level), connected(simulated, "p", level)
    for each in own:
        subscriber.subscribe(each, qos=qos)
    for group, each in shared:
        subscriber.subscribe(f"$share/{group}/{each}", qos=qos)
    expected: Counter[bytes] = Counter()
    for number, topic in enumerate(published):
        body = b"%d %s" % (number, topic.encode())
        publisher.publish_fully(topic, body, qos)
        expected[body] += any(matches(each, topic) for each in own)
        expected[body] += sum(matches(each, topic) for _, each in set(shared))
    assert Counter(subscriber.take()) == +expected
    for each in own:
        subscriber.unsubscribe(each)
    for group, each in shared:
        subscriber.unsubscribe(f"$share/{group}/{each}")
    publisher.publish_fully(published[0], b"nobody", qos)
    assert subscriber.take() == []
    assert not [name for name in simulated.vhost.queues if name.startswith("mqtt-shared-")]
    simulated.close()


@settings(max_examples=150)
@given(own_filters.filter(bool), some_topics, st.sampled_from([versions.V3_1_1, versions.V5]))
@example(["+/+", "/+"], ["/"], versions.V5)
def test_retained_messages_come_where_they_match(own: list[str], published: list[str], level: int) -> None:
    simulated = SimulatedBroker()
    publisher = connected(simulated, "p", level)
    for topic in published:
        publisher.publish(topic, b"older", retain=True)
        publisher.publish(topic, topic.encode(), retain=True)
    subscriber = connected(simulated, "s", level)
    for each in dict.fromkeys(own):
        answers = subscriber.subscribe(each)
        found = [packet for packet in answers if isinstance(packet, Publish)]
        assert all(packet.retain for packet in found)
        assert sorted(packet.topic for packet in found) == sorted(
            {topic for topic in published if matches(each, topic)}
        )
        assert all(packet.payload.decode() == packet.topic for packet in found)
    shared = connected(simulated, "shared", level)
    assert not [each for each in shared.subscribe("$share/g/#") if isinstance(each, Publish)]
    simulated.close()


@pytest.mark.parametrize("topic", ["x" * 255, "x" * 256, "é" * 200, "x" * 65_535, "/".join("a" * 200), "%2E" * 200])
def test_long_topics(client: Connected, level: int, topic: str) -> None:
    subscriber, publisher = client("s", level), client("p", level)
    subscriber.subscribe(topic, qos=1)
    publisher.publish(topic, b"x", 1)
    assert subscriber.take() == [b"x"]
