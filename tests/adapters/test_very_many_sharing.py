"""A client with more consumers that share its credit than may be available at once gets what everybody gets."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_mqtt import MqttClient
from warren.adapters.amqp091.codec import methods
from warren.adapters.mqtt.codec.packets import PubAck, Publish
from warren.adapters.session.shared_turns import FREE_MAX
from warren.core.clients.outbox import HIGH_WATER_BYTES

COUNT = 2 * FREE_MAX + 50


@pytest.fixture
def broker() -> SimulatedBroker:
    return SimulatedBroker()


def available(broker: SimulatedBroker) -> int:
    return sum(not consumer.parked for queue in broker.vhost.queues.values() for consumer in queue.consumers)


@pytest.mark.parametrize("window", [1, 7, 65_535])
def test_an_mqtt_client_of_very_many_groups(broker: SimulatedBroker, window: int) -> None:
    client = MqttClient(broker)
    client.connect("c", receive_maximum=window)
    for number in range(COUNT):
        client.subscribe(f"$share/g/t/{number}", qos=1)
    assert available(broker) <= FREE_MAX
    publisher = MqttClient(broker)
    publisher.connect("p")
    topics = [f"t/{number}" for number in (*range(COUNT), 0, COUNT - 1)]
    for topic in topics:
        publisher.publish(topic, b"x", 1)
    got: Counter[str] = Counter()
    waiting = client.messages()
    while waiting:
        assert len(waiting) <= window
        got.update(each.topic for each in waiting)
        answers = client.send(*[PubAck(each.packet_id) for each in waiting])
        waiting = [each for each in answers if isinstance(each, Publish)]
    assert got == Counter(topics)
    assert available(broker) <= FREE_MAX
    for topic in topics:
        publisher.publish(topic, b"y")
    assert Counter(each.topic for each in client.messages()) == Counter(topics)
    broker.close()


def test_they_come_and_go(broker: SimulatedBroker) -> None:
    client = MqttClient(broker)
    client.connect("c", receive_maximum=2)
    for number in range(COUNT):
        client.subscribe(f"$share/g/t/{number}", qos=1)
    for number in range(0, COUNT, 2):
        client.unsubscribe(f"$share/g/t/{number}")
    publisher = MqttClient(broker)
    publisher.connect("p")
    for number in range(COUNT):
        publisher.publish(f"t/{number}", b"x", 1)
    got: list[str] = []
    waiting = client.messages()
    while waiting:
        got += [each.topic for each in waiting]
        answers = client.send(*[PubAck(each.packet_id) for each in waiting])
        waiting = [each for each in answers if isinstance(each, Publish)]
    assert sorted(got) == sorted(f"t/{number}" for number in range(1, COUNT, 2))
    client.lose()
    broker.settle()
    broker.close()


@pytest.mark.parametrize("limit", [1, 5])
def test_an_amqp_channel_of_very_many_consumers(broker: SimulatedBroker, limit: int) -> None:
    client = broker.connect()
    client.qos(limit, global_=True)
    for number in range(COUNT):
        client.declare(f"q{number}")
        client.consume(f"q{number}", f"c{number}")
    for number in range(COUNT):
        client.publish(f"q{number}", b"x")
    got: Counter[str] = Counter()
    while True:
        came = [event.method for event in client.take() if isinstance(event.method, methods.BasicDeliver)]
        if not came:
            break
        assert len(came) <= limit
        got.update(each.consumer_tag for each in came)
        client.ack(came[-1].delivery_tag, multiple=True)
    assert got == Counter(f"c{number}" for number in range(COUNT))
    assert available(broker) <= FREE_MAX
    client.qos(0, global_=True)
    client.settle()
    for number in range(COUNT):
        client.publish(f"q{number}", b"y")
    client.settle()
    assert len([event for event in client.take() if isinstance(event.method, methods.BasicDeliver)]) == COUNT


def test_room_on_a_connection_for_very_many(broker: SimulatedBroker) -> None:
    client = broker.connect()
    client.declare("fill")
    for number in range(COUNT):
        client.declare(f"q{number}")
        client.consume(f"q{number}", f"c{number}", no_ack=True)
    client.consume("fill", "fill", no_ack=True)
    client.take()
    client.transport.socket_room = 0
    publisher = broker.connect()
    publisher.publish("fill", b"f" * HIGH_WATER_BYTES)
    publisher.settle()
    for _ in range(2):
        for number in range(COUNT):
            publisher.publish(f"q{number}", b"x")
    publisher.settle()
    got: Counter[str] = Counter()
    for _ in range(COUNT):
        client.transport.read_by_peer(None)
        broker.settle()
        came = [event.method for event in client.take() if isinstance(event.method, methods.BasicDeliver)]
        got.update(each.consumer_tag for each in came)
        if sum(got.values()) == 2 * COUNT + 1:
            break
    assert got == Counter({"fill": 1, **{f"c{number}": 2 for number in range(COUNT)}})
