"""A client of many groups comes back in slices; what happens in between is as if at once."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_mqtt import MqttClient
from warren.adapters.mqtt.codec import versions
from warren.adapters.mqtt.codec.encode import encode
from warren.adapters.mqtt.codec.packets import Connect, Subscribe, Subscription, Unsubscribe
from warren.adapters.mqtt.codec.properties import Properties
from warren.adapters.mqtt.subscriptions import BEGUN_AT_ONCE

COUNT = 4 * BEGUN_AT_ONCE + 50
HOUR: Properties = {"session_expiry_interval": 3600}


@pytest.fixture
def broker() -> SimulatedBroker:
    """With a stored session that is subscribed to so many groups, and its client away."""
    simulated = SimulatedBroker()
    client = MqttClient(simulated)
    client.connect("c", **HOUR)
    for number in range(COUNT):
        client.subscribe(f"$share/g/t/{number}", qos=1)
    client.subscribe("own", qos=1)
    client.lose()
    simulated.settle()
    return simulated


def consumed(broker: SimulatedBroker) -> int:
    return sum(len(queue.consumers) for queue in broker.vhost.queues.values())


def come_back(broker: SimulatedBroker, *behind: Any) -> MqttClient:
    """All in one read, before any turn."""
    client = MqttClient(broker)
    connect = Connect("c", clean_start=False, properties=HOUR)
    client.transport.receive(b"".join(encode(each, versions.V5) for each in (connect, *behind)))
    return client


def test_it_comes_back_in_slices(broker: SimulatedBroker) -> None:
    publisher = MqttClient(broker)
    publisher.connect("p")
    for topic in ("own", "t/0", f"t/{COUNT - 1}"):
        publisher.publish(topic, b"x", 1)
    client = come_back(broker)
    now = consumed(broker)
    assert 0 < now <= BEGUN_AT_ONCE + 1
    while broker.broker.end_turn():
        assert consumed(broker) - now <= BEGUN_AT_ONCE
        now = consumed(broker)
    assert consumed(broker) == COUNT + 1
    assert {each.topic for each in client.messages()} == {"own", "t/0", f"t/{COUNT - 1}"}
    broker.close()


def test_what_it_asks_meanwhile(broker: SimulatedBroker) -> None:
    """It gives one up that hasn't begun, and asks for another one anew."""
    last, next_to_last = (f"$share/g/t/{COUNT - number}" for number in (1, 2))
    come_back(broker, Unsubscribe(1, (last,)), Subscribe(2, (Subscription(next_to_last, qos=0),)))
    broker.settle()
    assert consumed(broker) == COUNT
    assert last not in broker.mqtt.of(broker.vhost).sessions["c"].subscriptions
    assert len(broker.vhost.queue(f"mqtt-shared-g/t/{COUNT - 2}").consumers) == 1
    broker.close()


def test_it_leaves_again_before_all_have_begun(broker: SimulatedBroker) -> None:
    client = come_back(broker)
    client.transport.lose()
    broker.settle()
    assert consumed(broker) == 0
    broker.close()
