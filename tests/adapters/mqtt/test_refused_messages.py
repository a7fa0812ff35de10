"""A message that its client refuses is a dead letter of the queue that it came from, wherever it is by then (4.3)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.adapters.mqtt.conftest import Connected
from tests.support import core_clients
from tests.support.core_clients import advance
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_mqtt import MqttClient, only
from warren.adapters.mqtt.codec import reason_codes
from warren.adapters.mqtt.codec.packets import PubAck, PubComp, Publish, PubRec, PubRel
from warren.core.declaring.queues import remove_queue
from warren.core.messages.field_table import Encodable
from warren.core.policies.policy import POLICY, make_policy
from warren.core.queues.base import Queue
from warren.core.queues.quorum import RETRY_MS

HOUR: dict[str, Any] = {"session_expiry_interval": 3600}

SOURCES = {"own": "t", "shared": "$share/g/t", "classic": "$queue/q", "quorum": "$queue/q"}
"""Filters by the kind of queue behind them; from a queue of a name of its own, messages come with QoS 1 at most."""

BODY = b"m" * 60

SMALL = 60
"""A packet size that has no room for that, but for all else."""

NO = reason_codes.UNSPECIFIED_ERROR


def prepare(broker: SimulatedBroker) -> Queue:
    """A dead letter exchange for everybody, and the queue behind it."""
    core_clients.exchange(broker, "dead", "fanout", durable=True)
    letters = core_clients.bound_queue(broker, "letters", "dead", durable=True)
    policy = make_policy(POLICY, "dlx", "^(mqtt-|q$)", {"dead-letter-exchange": "dead"})
    broker.broker.policies.set(broker.vhost, policy)
    return letters


def receive(broker: SimulatedBroker, source: str, qos: int, *, stored: bool = True) -> tuple[MqttClient, Publish]:
    """A client that has got one message and not answered it."""
    if source in ("classic", "quorum"):
        core_clients.queue(broker, "q", {"x-queue-type": source}, durable=True)
        core_clients.bind(broker, "q", "amq.topic", "t")
    subscriber = MqttClient(broker)
    subscriber.connect("s", clean_start=False, **(HOUR if stored else {}))
    subscriber.subscribe(SOURCES[source], qos=qos)
    publisher = MqttClient(broker)
    publisher.connect("p")
    publisher.publish_fully("t", BODY, qos, user_properties=[("own", "1")])
    publisher.disconnect()
    return subscriber, only(Publish, subscriber.packets())


def refuse(subscriber: MqttClient, message: Publish) -> None:
    answer = PubAck(message.packet_id, NO) if message.qos == 1 else PubRec(message.packet_id, NO)
    assert subscriber.send(answer) == []


def check(broker: SimulatedBroker, died_in: str) -> None:
    """One letter, which says what it should, and nothing else is left."""
    (letter,) = core_clients.take_messages(broker.queue("letters"))
    headers = core_clients.headers_of(letter)
    assert letter.body == BODY
    assert (headers["x-first-death-reason"], headers["own"]) == ("rejected", "1")
    assert str(headers["x-first-death-queue"]).startswith(died_in)
    assert not [name for name in letter.properties.headers or {} if name in ("x-mqtt-packet-id", "x-mqtt-source")]
    for queue in broker.vhost.queues.values():
        assert (queue.ready_count, queue.unacked_count) == (0, 0), queue.name
    broker.settle()
    assert broker.broker.store.statistics().get("entries", 0) == 0


def queue_of(source: str) -> str:
    return {"own": "mqtt-subscription-s", "shared": "mqtt-shared-g"}.get(source, "q")


@pytest.mark.parametrize("stored", [True, False])
@pytest.mark.parametrize("qos", [1, 2])
@pytest.mark.parametrize("source", list(SOURCES))
def test_at_once(durable: SimulatedBroker, source: str, qos: int, stored: bool) -> None:
    prepare(durable)
    subscriber, message = receive(durable, source, qos, stored=stored)
    assert message.qos == min(qos, 1 if SOURCES[source].startswith("$queue") else 2)
    refuse(subscriber, message)
    check(durable, queue_of(source))
    outflow = subscriber.running.outflow
    assert outflow.window == outflow.window_max
    assert not subscriber.session.outgoing


@pytest.mark.parametrize("qos", [1, 2])
@pytest.mark.parametrize("source", list(SOURCES))
def test_on_a_later_connection(durable: SimulatedBroker, source: str, qos: int) -> None:
    prepare(durable)
    subscriber, _ = receive(durable, source, qos)
    subscriber.lose()
    back = MqttClient(durable)
    back.connect("s", clean_start=False, **HOUR)
    refuse(back, only(Publish, back.after_connack))
    check(durable, queue_of(source))


@pytest.mark.parametrize("how", ["restart", "crash"])
@pytest.mark.parametrize("qos", [1, 2])
@pytest.mark.parametrize("source", list(SOURCES))
def test_after_a_restart(durable: SimulatedBroker, source: str, qos: int, how: str) -> None:
    """Where it came from is not in memory any more."""
    prepare(durable)
    receive(durable, source, qos)
    getattr(durable, how)()
    back = MqttClient(durable)
    back.connect("s", clean_start=False, **HOUR)
    refuse(back, only(Publish, back.after_connack))
    check(durable, queue_of(source))


@pytest.mark.parametrize("source", list(SOURCES))
def test_the_letter_is_there_after_a_crash(durable: SimulatedBroker, source: str) -> None:
    """What moves, moves in one group: once, not twice and not away."""
    prepare(durable)
    subscriber, message = receive(durable, source, 2)
    refuse(subscriber, message)
    durable.crash()
    assert MqttClient(durable).connect("s", clean_start=False, **HOUR).session_present
    check(durable, queue_of(source))


@pytest.mark.parametrize("source", list(SOURCES))
def test_too_large_for_a_later_connection(durable: SimulatedBroker, source: str) -> None:
    prepare(durable)
    subscriber, _ = receive(durable, source, 2)
    subscriber.lose()
    back = MqttClient(durable)
    back.connect("s", clean_start=False, maximum_packet_size=SMALL, **HOUR)
    assert back.after_connack == []
    check(durable, queue_of(source))


@pytest.mark.parametrize("qos", [1, 2])
def test_a_queue_that_keeps_its_dead_letters_has_it_back(durable: SimulatedBroker, qos: int) -> None:
    """At least once: with nobody to take the letter, it waits in the queue, also over a crash."""
    arguments: dict[str, Encodable] = {
        "x-queue-type": "quorum",
        "x-overflow": "reject-publish",
        "x-dead-letter-strategy": "at-least-once",
        "x-dead-letter-exchange": "nowhere",
    }
    core_clients.queue(durable, "q", arguments, durable=True)
    subscriber, message = receive_from(durable, qos)
    refuse(subscriber, message)
    queue = durable.queue("q")
    assert (queue.untaken_count, queue.unacked_count) == (1, 0)
    core_clients.exchange(durable, "nowhere", "fanout", durable=True)
    letters = core_clients.bound_queue(durable, "letters", "nowhere", durable=True)
    advance(durable, RETRY_MS)
    assert core_clients.take(letters) == [BODY]
    assert queue.untaken_count == 0


def receive_from(broker: SimulatedBroker, qos: int) -> tuple[MqttClient, Publish]:
    core_clients.bind(broker, "q", "amq.topic", "t")
    subscriber, publisher = MqttClient(broker), MqttClient(broker)
    subscriber.connect("s", clean_start=False, **HOUR)
    subscriber.subscribe("$queue/q", qos=qos)
    publisher.connect("p")
    publisher.publish_fully("t", BODY, qos)
    return subscriber, only(Publish, subscriber.packets())


@pytest.mark.parametrize("source", ["own", "shared"])
def test_a_queue_that_is_gone_has_no_rules(durable: SimulatedBroker, source: str) -> None:
    letters = prepare(durable)
    subscriber, _ = receive(durable, source, 2)
    subscriber.lose()
    if source == "own":
        durable.crash()
        letters = durable.queue("letters")
        back = MqttClient(durable)
        back.connect("s", clean_start=False, **HOUR)
        again = only(Publish, back.after_connack)
        remove_queue(durable.vhost, durable.queue("mqtt-subscription-s"))
    else:
        (name,) = [name for name in durable.vhost.queues if name.startswith("mqtt-shared")]
        remove_queue(durable.vhost, durable.queue(name))
        back = MqttClient(durable)
        back.connect("s", clean_start=False, **HOUR)
        again = only(Publish, back.after_connack)
    if not back.closed:
        refuse(back, again)
    assert letters.ready_count == 0


def test_a_second_refusal_means_nothing(client: Connected, simulated: SimulatedBroker) -> None:
    letters = prepare(simulated)
    subscriber, message = receive(simulated, "own", 2)
    for _ in range(2):
        refuse(subscriber, message)
    assert letters.ready_count == 1
    window = subscriber.running.outflow
    assert window.window == window.window_max


def test_what_was_received_cant_be_refused_any_more(client: Connected, simulated: SimulatedBroker) -> None:
    """After PUBREC without a failure the message is the client's (MQTT-4.3.3)."""
    letters = prepare(simulated)
    subscriber, message = receive(simulated, "own", 2)
    only(PubRel, subscriber.send(PubRec(message.packet_id)))
    subscriber.send(PubRec(message.packet_id, NO))
    assert subscriber.send(PubComp(message.packet_id)) == []
    assert letters.ready_count == 0


@pytest.mark.parametrize("qos", [1, 2])
def test_counts(client: Connected, simulated: SimulatedBroker, qos: int) -> None:
    """A refusal isn't an acknowledgement."""
    prepare(simulated)
    subscriber, message = receive(simulated, "own", qos)
    refuse(subscriber, message)
    counts = simulated.queue("mqtt-subscription-s").message_counts
    assert (counts["deliver"], counts["ack"], counts["dead_letter_rejected"]) == (1, 0, 1)
