"""A message to very many queues is more work than another: who publishes such has fewer of them done in a turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_client import publish_frames
from tests.support.simulated_mqtt import MqttClient
from tests.support.simulated_stomp import StompClient, frame
from tests.support.simulated_transport import SimulatedTransport
from warren.adapters.amqp091.codec import methods
from warren.adapters.mqtt.codec import versions
from warren.adapters.mqtt.codec.encode import encode
from warren.adapters.mqtt.codec.packets import Publish
from warren.adapters.session.ration import COMMANDS_PER_TURN
from warren.core.routing.known_routes import MANY_QUEUES
from warren.core.routing.publish import QUEUES_PER_COMMAND

QUEUES = 300
MESSAGES = 200

Sender = Callable[[SimulatedBroker], tuple[SimulatedTransport, bytes]]
"""Connects a client; what its bytes go by, and those of a message to all queues."""


@pytest.fixture
def broker() -> Iterator[SimulatedBroker]:
    """In memory."""
    simulated = SimulatedBroker()
    yield simulated
    simulated.close()


def amqp(broker: SimulatedBroker) -> tuple[SimulatedTransport, bytes]:
    return broker.connect().transport, publish_frames("many", b"x", exchange="amq.topic")


def mqtt(broker: SimulatedBroker) -> tuple[SimulatedTransport, bytes]:
    client = MqttClient(broker, versions.V3_1_1)
    client.connect()
    return client.transport, encode(Publish("many", b"x"), versions.V3_1_1)


def stomp(broker: SimulatedBroker) -> tuple[SimulatedTransport, bytes]:
    client = StompClient(broker)
    client.connect()
    return client.transport, frame("SEND", b"x", destination="/topic/many")


def bind(broker: SimulatedBroker, queues: int) -> None:
    client = broker.connect()
    for number in range(queues):
        client.declare(f"q{number}")
        client.send(1, methods.QueueBind(0, f"q{number}", "amq.topic", "many", False))
    broker.settle()


def arrived_in_each_turn(broker: SimulatedBroker, transport: SimulatedTransport, data: bytes) -> list[int]:
    queue = broker.queue("q0")
    transport.receive(data)
    counts = [0, queue.ready_count]
    has_more = True
    while has_more:
        has_more = broker.broker.end_turn()
        counts.append(queue.ready_count)
    return [after - before for before, after in pairwise(counts)]


@pytest.mark.parametrize("sender", [amqp, mqtt, stomp])
def test_few_of_them_are_done_in_a_turn(broker: SimulatedBroker, sender: Sender) -> None:
    bind(broker, QUEUES)
    transport, message = sender(broker)
    arrived = arrived_in_each_turn(broker, transport, message * MESSAGES)
    assert sum(arrived) == MESSAGES
    assert max(arrived) <= COMMANDS_PER_TURN // (QUEUES // QUEUES_PER_COMMAND) + 1
    assert [broker.queue(f"q{number}").ready_count for number in range(QUEUES)] == [MESSAGES] * QUEUES


@pytest.mark.parametrize("sender", [amqp, mqtt, stomp])
def test_those_to_fewer_queues_count_as_others_do(broker: SimulatedBroker, sender: Sender) -> None:
    bind(broker, MANY_QUEUES)
    transport, message = sender(broker)
    assert arrived_in_each_turn(broker, transport, message * MESSAGES)[0] == MESSAGES


def test_a_commit_of_them_is_done_in_turns(broker: SimulatedBroker) -> None:
    bind(broker, QUEUES)
    client = broker.connect()
    client.send(1, methods.TxSelect())
    client.send_bytes(publish_frames("many", b"x", exchange="amq.topic") * 20)
    broker.settle()
    client.send(1, methods.TxCommit())
    assert client.connection.settling.busy
    assert broker.queue("q0").ready_count == 0
    broker.settle()
    assert [broker.queue(f"q{number}").ready_count for number in range(QUEUES)] == [20] * QUEUES


def test_a_commit_of_them_in_stomp_is_done_in_turns(broker: SimulatedBroker) -> None:
    bind(broker, QUEUES)
    client = StompClient(broker)
    client.connect()
    client.transport.receive(frame("BEGIN", transaction="t"))
    client.transport.receive(frame("SEND", b"x", destination="/topic/many", transaction="t") * 20)
    broker.settle()
    client.transport.receive(frame("COMMIT", transaction="t"))
    assert client.session.settling.busy
    assert broker.queue("q0").ready_count == 0
    broker.settle()
    assert [broker.queue(f"q{number}").ready_count for number in range(QUEUES)] == [20] * QUEUES
