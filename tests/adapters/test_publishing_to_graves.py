"""A queue whose surplus is dead-lettered, and publishers that are faster than that: they wait, whatever their protocol.

Publishing takes a few microseconds, and a dead letter a hundred; so without that the queue would grow for as long as
somebody publishes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.support import core_clients
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_client import publish_frames
from tests.support.simulated_mqtt import MqttClient
from tests.support.simulated_stomp import StompClient, frame
from tests.support.simulated_transport import SimulatedTransport
from tests.support.tracebacks import tracebacks
from warren.adapters.mqtt.codec import versions
from warren.adapters.mqtt.codec.encode import encode
from warren.adapters.mqtt.codec.packets import Publish
from warren.core.queues.classic.burials import OVERDUE_MAX

KEPT = 10

READ = 3000
"""Messages in one read."""

ROUNDS = 40
"""Turns of a publisher that never pauses by itself."""


@pytest.fixture
def broker(caplog: pytest.LogCaptureFixture) -> Iterator[SimulatedBroker]:
    made = SimulatedBroker()
    yield made
    made.close()
    assert tracebacks(caplog) == []


def amqp(broker: SimulatedBroker) -> tuple[SimulatedTransport, bytes]:
    return broker.connect().transport, publish_frames("q", b"x")


def stomp(broker: SimulatedBroker) -> tuple[SimulatedTransport, bytes]:
    client = StompClient(broker)
    client.connect()
    return client.transport, frame("SEND", b"x", destination="/amq/queue/q")


def mqtt(broker: SimulatedBroker) -> tuple[SimulatedTransport, bytes]:
    core_clients.bind(broker, "q", "amq.topic", "q")
    client = MqttClient(broker)
    client.connect("publisher")
    return client.transport, encode(Publish("q", b"x"), versions.V5)


@pytest.mark.parametrize("protocol", [amqp, stomp, mqtt])
@pytest.mark.parametrize(
    "rules", [{"x-max-length": KEPT}, {"x-max-length": KEPT, "x-overflow": "reject-publish-dlx"}, {"x-message-ttl": 0}]
)
def test_publishers_are_as_fast_as_the_burials(
    broker: SimulatedBroker,
    rules: dict[str, str | int],
    protocol: Callable[[SimulatedBroker], tuple[SimulatedTransport, bytes]],
) -> None:
    graves = core_clients.queue(broker, "graves")
    letters = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "graves"}
    queue = core_clients.queue(broker, "q", {**rules, **letters})
    transport, message = protocol(broker)
    data = message * READ
    waiting = reads = 0
    for _ in range(ROUNDS):
        if not transport.paused:
            transport.receive(data)
            reads += 1
        broker.broker.end_turn()
        waiting = max(waiting, queue.ready_count + len(queue.burials.refused))  # type: ignore[attr-defined]
    assert waiting <= KEPT + OVERDUE_MAX + READ
    assert 0 < reads <= 2
    assert transport.paused
    broker.settle()
    assert not transport.paused
    assert graves.ready_count + queue.ready_count == reads * READ
    assert not queue.is_overdue


def test_who_publishes_elsewhere_doesn_t_wait(broker: SimulatedBroker) -> None:
    core_clients.queue(broker, "graves")
    core_clients.queue(
        broker,
        "q",
        {"x-max-length": KEPT, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "graves"},
    )
    elsewhere = core_clients.queue(broker, "elsewhere")
    transport, message = amqp(broker)
    other = broker.connect()
    transport.receive(message * READ)
    for turn in range(ROUNDS):
        if not transport.paused:
            transport.receive(message * READ)
        assert not other.transport.paused
        other.send_bytes(publish_frames("elsewhere", b"x") * 100)
        broker.broker.end_turn()
        assert elsewhere.ready_count == 100 * (turn + 1)
    broker.settle()
