"""The bytes of what is out, and of what outlives a restart, against what was published."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_client import SimulatedClient
from tests.support.simulated_mqtt import MqttClient
from tests.support.simulated_stomp import StompClient
from warren.adapters.amqp091.codec import methods
from warren.adapters.mqtt.codec.packets import Publish, Subscribe, Subscription
from warren.core.administration.listing.queues import QueueRow
from warren.core.administration.listing.selecting import Query, select
from warren.core.administration.steps import Steps
from warren.core.messages.field_table import FieldValue
from warren.core.messages.properties import encode_properties
from warren.core.queues.weight import OUT_WEIGHS, Weighing, Weights

PERSISTENT = encode_properties(delivery_mode=2).raw
TRANSIENT = encode_properties(delivery_mode=1).raw

COLUMNS = (
    "messages",
    "messages_persistent",
    "message_bytes",
    "message_bytes_ready",
    "message_bytes_unacknowledged",
    "message_bytes_persistent",
    "message_bytes_ram",
)


@pytest.fixture(params=["memory", "disk"])
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SimulatedBroker]:
    simulated = SimulatedBroker(tmp_path) if request.param == "disk" else SimulatedBroker()
    yield simulated
    simulated.close()


def weights(broker: SimulatedBroker, name: str) -> tuple[object, ...]:
    """The columns, in order, of a queue, as a listing has them."""
    broker.settle()
    rows = Steps.finish(select(broker.broker, Query("queues", columns=("name", *COLUMNS)))).rows
    (row,) = [row for row in rows if row["name"] == name]
    return tuple(row[column] for column in COLUMNS)


def publish(client: SimulatedClient, queue: str, *sizes: int, persistent: bool = True) -> None:
    for size in sizes:
        client.publish(queue, b"x" * size, properties=PERSISTENT if persistent else TRANSIENT)


@pytest.mark.parametrize("arguments", [{}, {"x-max-priority": 3}])
def test_of_both_sorts_ready_and_out(broker: SimulatedBroker, arguments: dict[str, FieldValue]) -> None:
    client = broker.connect()
    client.declare("q", durable=True, arguments=arguments)
    publish(client, "q", 10, 20, 30)
    publish(client, "q", 1, 2, persistent=False)
    assert weights(broker, "q") == (5, 3, 63, 63, 0, 60, 63)
    for _ in range(2):
        client.send(1, methods.BasicGet(queue="q"))
    assert weights(broker, "q") == (5, 3, 63, 33, 30, 60, 63)
    client.send(1, methods.BasicAck(1))
    assert weights(broker, "q") == (4, 2, 53, 33, 20, 50, 53)
    client.send(1, methods.BasicNack(2, requeue=True))
    assert weights(broker, "q") == (4, 2, 53, 53, 0, 50, 53)
    client.send(1, methods.QueuePurge(queue="q"))
    assert weights(broker, "q") == (0, 0, 0, 0, 0, 0, 0)


def test_of_a_transient_queue_nothing_outlives_a_restart(broker: SimulatedBroker) -> None:
    client = broker.connect()
    client.declare("q")
    publish(client, "q", 10, 20)
    client.send(1, methods.BasicGet(queue="q"))
    assert weights(broker, "q") == (2, 0, 30, 20, 10, 0, 30)


def test_of_a_quorum_queue_everything_does(broker: SimulatedBroker) -> None:
    client = broker.connect()
    client.declare("q", durable=True, arguments={"x-queue-type": "quorum"})
    publish(client, "q", 10, 20, persistent=False)
    client.send(1, methods.BasicGet(queue="q"))
    assert weights(broker, "q") == (2, 2, 30, 20, 10, 30, 30)


def test_whatever_protocol_has_it(broker: SimulatedBroker) -> None:
    client = broker.connect()
    client.declare("q", durable=True)
    client.consume("q", "tag", no_ack=False)
    stomp = StompClient(broker).connect()
    stomp.send("SUBSCRIBE", destination="/queue/s", id="1", ack="client")
    mqtt = MqttClient(broker)
    mqtt.connect("m", clean_start=False, session_expiry_interval=1000)
    mqtt.send(Subscribe(1, (Subscription("t", 1),), {}))
    for queue in ("q", "s"):
        publish(client, queue, 7)
    publisher = MqttClient(broker)
    publisher.connect("p")
    publisher.send(Publish("t", b"12345", qos=1, packet_id=1))
    broker.settle()
    assert weights(broker, "q") == (1, 1, 7, 0, 7, 7, 7)
    assert weights(broker, "s")[3:5] == (0, 7)
    (of_session,) = [name for name in broker.broker.vhosts["/"].queues if name not in ("q", "s")]
    assert weights(broker, of_session) == (1, 1, 5, 0, 5, 5, 5)
    mqtt.lose()
    assert weights(broker, of_session) == (1, 1, 5, 0, 5, 5, 5), "the client is away, and what it was sent is out"


def test_in_slices(broker: SimulatedBroker) -> None:
    client = broker.connect()
    client.declare("q", durable=True)
    publish(client, "q", *range(100))
    publish(client, "q", 1, persistent=False)
    for _ in range(10):
        client.send(1, methods.BasicGet(queue="q"))
    broker.settle()
    steps = Steps(Weighing(broker.broker, per_slice=30).weigh(broker.queue("q")))
    slices = 1
    while steps.step():
        slices += 1
    assert slices >= 1 + 90 // 30 + 10 * OUT_WEIGHS // 30
    unacknowledged, persistent = steps.result
    assert unacknowledged == (10, sum(range(10)))
    assert persistent == (100, sum(range(100)))


def test_more_than_is_walked_through(broker: SimulatedBroker) -> None:
    def weighed(name: str) -> Weights:
        return Steps(Weighing(broker.broker, walked_max=50).weigh(broker.queue(name))).finish()

    client = broker.connect()
    for name, count in (("few", 50), ("many", 51)):
        client.declare(name, durable=True)
        publish(client, name, *[3] * count)
    broker.settle()
    assert weighed("few").persistent == (50, 150)
    assert weighed("many").persistent is None
    assert weighed("many").unacknowledged == (0, 0)


def test_only_who_asks_pays(broker: SimulatedBroker) -> None:
    client = broker.connect()
    client.declare("q", durable=True)
    row = QueueRow(broker.queue("q"))
    assert not set(row.slow_names) & set(row.names())
    assert [row.value(name) for name in sorted(row.slow_names)] == [None] * len(row.slow_names)
