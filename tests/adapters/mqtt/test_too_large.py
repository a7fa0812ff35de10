"""Messages that are larger than a client takes: dropped, or dead letters (MQTT-3.1.2-24, -25; spec C.5)."""

from __future__ import annotations

import pytest

from tests.adapters.mqtt.conftest import Connected
from tests.support import core_clients
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_mqtt import MqttClient, only
from warren.adapters.mqtt.codec.packets import PubAck, Publish, PubRec
from warren.core.policies.policy import POLICY, make_policy

SMALL = 60


def dead_letters_to(simulated: SimulatedBroker, exchange: str) -> None:
    """A policy for the queues of sessions."""
    policy = make_policy(POLICY, "dlx", "^mqtt-", {"dead-letter-exchange": exchange})
    simulated.broker.policies.set(simulated.vhost, policy)


@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize("granted", [0, 1, 2])
def test_it_is_a_dead_letter(client: Connected, simulated: SimulatedBroker, qos: int, granted: int) -> None:
    core_clients.exchange(simulated, "dead", "fanout")
    letters = core_clients.bound_queue(simulated, "letters", "dead")
    dead_letters_to(simulated, "dead")
    subscriber = client("s", maximum_packet_size=SMALL, clean_start=False, session_expiry_interval=100)
    subscriber.subscribe("t", qos=granted)
    publisher = client("p")
    publisher.publish_fully("t", b"x" * SMALL, qos)
    publisher.publish_fully("t", b"small", qos)
    assert subscriber.take() == [b"small"]
    (letter,) = core_clients.take_messages(letters)
    assert letter.body == b"x" * SMALL
    assert core_clients.headers_of(letter)["x-first-death-reason"] == "rejected"
    assert simulated.mqtt.dropped == 1
    queue = simulated.queue("mqtt-subscription-s")
    assert (queue.ready_count, queue.unacked_count) == (0, 0)
    assert not subscriber.session.outgoing
    assert subscriber.running.outflow.window == subscriber.running.outflow.window_max


def test_a_dead_letter_that_comes_back_is_dropped(client: Connected, simulated: SimulatedBroker) -> None:
    dead_letters_to(simulated, "amq.topic")
    subscriber = client("s", maximum_packet_size=SMALL)
    subscriber.subscribe("t", qos=1)
    only(PubAck, client("p").publish("t", b"x" * SMALL, 1))
    assert subscriber.take() == []
    queue = simulated.queue("mqtt-subscription-s")
    assert (queue.ready_count, queue.unacked_count) == (0, 0)


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_exactly_as_large_as_allowed(client: Connected, qos: int) -> None:
    overhead = 2 + 3 + 1 + (2 if qos else 0)
    subscriber, publisher = client("s", maximum_packet_size=SMALL), client("p")
    subscriber.subscribe("t", qos=2)
    publisher.publish_fully("t", b"x" * (SMALL - overhead), qos)
    publisher.publish_fully("t", b"x" * (SMALL - overhead + 1), qos)
    assert [len(payload) for payload in subscriber.take()] in ([SMALL - overhead], [SMALL - 8])


def test_an_alias_is_not_given_where_it_would_not_fit(client: Connected) -> None:
    subscriber, publisher = client("s", maximum_packet_size=SMALL, topic_alias_maximum=4), client("p")
    subscriber.subscribe("topic")
    full = b"x" * (SMALL - 10)
    for payload in (full, b"small", full):
        publisher.publish("topic", payload)
    assert [(each.topic, each.properties.get("topic_alias"), each.payload) for each in subscriber.messages()] == [
        ("topic", None, full),
        ("topic", 1, b"small"),
        ("", 1, full),
    ]


@pytest.mark.parametrize("qos", [1, 2])
def test_of_an_earlier_connection_that_took_more(durable: SimulatedBroker, qos: int) -> None:
    def connect(packet_bytes_max: int) -> MqttClient:
        made = MqttClient(durable)
        made.connect("s", clean_start=False, session_expiry_interval=100, maximum_packet_size=packet_bytes_max)
        return made

    subscriber = connect(1000)
    subscriber.subscribe("t", qos=qos)
    publisher = MqttClient(durable)
    publisher.connect("p")
    for payload in (b"x" * SMALL, b"1", b"y" * SMALL, b"z" * SMALL, b"2"):
        publisher.publish_fully("t", payload, qos)
    assert len(subscriber.messages()) == 5
    subscriber.lose()
    again = connect(SMALL)
    messages = [each for each in again.after_connack if isinstance(each, Publish)]
    assert [(each.payload, each.duplicate) for each in messages] == [(b"1", True), (b"2", True)]
    for each in messages:
        again.send(PubAck(each.packet_id) if qos == 1 else PubRec(each.packet_id))
    publisher.publish_fully("t", b"3", qos)
    assert [each.payload for each in again.messages()] == [b"3"]
