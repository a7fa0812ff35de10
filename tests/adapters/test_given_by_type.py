"""What clients were given and have acknowledged is told apart by the type of the queues, whatever the protocol."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.counting import counted
from tests.support.direct_clients import consume, session_of, taken
from tests.support.simulated_amqp10 import Amqp10Client
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_client import SimulatedClient
from tests.support.simulated_mqtt import MqttClient
from tests.support.simulated_stomp import StompClient
from tests.support.simulated_stream import StreamClient, publish, published
from warren.adapters.amqp091.codec import methods
from warren.adapters.stream.codec import commands
from warren.adapters.stream.codec.keys import Code, OffsetType
from warren.adapters.stream.codec.kinds import OffsetSpec
from warren.core.clients.client import Client
from warren.core.counters import Counts, total
from warren.core.messages.field_table import FieldValue
from warren.core.messages.properties import EMPTY

TYPES = ("classic", "quorum", "stream")
"""Each has a queue of its name."""


@pytest.fixture
def broker() -> Iterator[SimulatedBroker]:
    """With three messages in a queue of each type."""
    broker = SimulatedBroker()
    client = broker.connect()
    for queue_type in TYPES:
        client.declare(queue_type, durable=True, arguments={"x-queue-type": queue_type})
        for number in range(3):
            client.publish(queue_type, b"%d" % number)
    client.close()
    broker.settle()
    yield broker
    for session in list(broker.broker.sessions):
        session.force_close("the test is over")
    broker.settle()
    broker.close()


def by_type(client: Client | None) -> dict[str, Counts]:
    """All that isn't 0, which in sum is what the connection has counted."""
    assert client is not None
    found = client.counts.by_type()
    sums = total(found.values())
    counts = client.counts.snapshot()
    assert sums == {name: counts[name] for name in sums}
    return {queue_type: counted(each) for queue_type, each in found.items()}


def fanned(count: int, **more: int) -> Counts:
    return {"deliver": count, "deliver_get": count, **more}


def consuming(broker: SimulatedBroker) -> SimulatedClient:
    """Each type in turn gives its three messages: tags 1 to 3 are of the classic queue and so on."""
    client = broker.connect()
    client.qos(100)
    for queue_type in TYPES:
        client.send(1, methods.BasicConsume(queue=queue_type, consumer_tag=queue_type, arguments=at_first(queue_type)))
        broker.settle()
    assert len(client.take()) == 12
    return client


def at_first(queue_type: str) -> dict[str, FieldValue]:
    return {"x-stream-offset": "first"} if queue_type == "stream" else {}


def test_amqp_091_settles_one_by_one_and_otherwise(broker: SimulatedBroker) -> None:
    client = consuming(broker)
    assert by_type(client.connection.client) == dict.fromkeys(TYPES, fanned(3))
    client.ack(1)
    client.ack(4)
    client.ack(7)
    client.nack(5, requeue=False)
    client.nack(2, requeue=True)
    client.nack(8, requeue=True)
    broker.settle()
    expected = {
        "classic": fanned(4, ack=1, redeliver=1),
        "quorum": fanned(3, ack=1),
        "stream": fanned(3, ack=1),
    }
    assert by_type(client.connection.client) == expected
    gone = client.connection.client
    client.close_channel()
    assert by_type(gone) == expected
    client.close()
    assert {name: counted(dict(each)) for name, each in broker.broker.ended.by_type["AMQP 0-9-1"].items()} == expected


@pytest.mark.parametrize("up_to", range(1, 10))
def test_amqp_091_settles_up_to_a_tag(broker: SimulatedBroker, up_to: int) -> None:
    client = consuming(broker)
    client.ack(up_to, multiple=True)
    acked = [min(max(up_to - 3 * number, 0), 3) for number in range(3)]
    found = by_type(client.connection.client)
    assert [found[queue_type].get("ack", 0) for queue_type in TYPES] == acked


def test_amqp_091_acknowledges_in_a_transaction(broker: SimulatedBroker) -> None:
    client = consuming(broker)
    client.send(1, methods.TxSelect())
    client.expect(methods.TxSelectOk)
    client.ack(5, multiple=True)
    assert by_type(client.connection.client) == dict.fromkeys(TYPES, fanned(3))
    client.send(1, methods.TxRollback())
    client.expect(methods.TxRollbackOk)
    assert by_type(client.connection.client) == dict.fromkeys(TYPES, fanned(3))
    client.ack(5, multiple=True)
    client.send(1, methods.TxCommit())
    client.expect(methods.TxCommitOk)
    found = by_type(client.connection.client)
    assert [found[queue_type].get("ack", 0) for queue_type in TYPES] == [3, 2, 0]


def test_amqp_091_polls_and_channels_of_their_own(broker: SimulatedBroker) -> None:
    client = broker.connect(2)
    assert client.get("quorum") is not None
    assert client.get("quorum", no_ack=True) is not None
    assert client.get("classic") is not None
    assert client.get("classic", channel=2, no_ack=True) is not None
    assert client.get("classic", channel=2, no_ack=True) is not None
    assert client.get("classic", channel=2) is None
    client.ack(3)
    client.ack(1)
    expected = {
        "quorum": {"get": 1, "get_no_ack": 1, "deliver_get": 2, "ack": 1},
        "classic": {"get": 1, "get_no_ack": 2, "get_empty": 1, "deliver_get": 3, "ack": 1},
    }
    assert by_type(client.connection.client) == expected
    client.close_channel(2)
    assert by_type(client.connection.client) == expected


def test_a_consumer_without_acknowledgements(broker: SimulatedBroker) -> None:
    client = broker.connect()
    for queue_type in TYPES[:2]:
        client.consume(queue_type, no_ack=True)
    broker.settle()
    assert by_type(client.connection.client) == {name: {"deliver_no_ack": 3, "deliver_get": 3} for name in TYPES[:2]}


def test_amqp_10(broker: SimulatedBroker) -> None:
    client = Amqp10Client(broker).open().begin()
    for handle, name in ((1, "quorum"), (2, "classic")):
        client.attach_receiver(f"/queues/{name}", handle=handle)
        client.credit(3, handle=handle)
    client.settle(0, 1)
    client.settle(3, 3)
    assert by_type(client.connection.logged_in) == {"quorum": fanned(3, ack=2), "classic": fanned(3, ack=1)}


def test_stomp(broker: SimulatedBroker) -> None:
    client = StompClient(broker).connect("1.2")
    acks: dict[str, list[str]] = {}
    for queue_type in TYPES:
        headers = {"x-stream-offset": "first"} if queue_type == "stream" else {}
        found = client.send(
            "SUBSCRIBE",
            id=queue_type,
            destination=f"/amq/queue/{queue_type}",
            ack="client-individual",
            prefetch_count="9",
            **headers,
        )
        acks[queue_type] = [each["ack"] for each in found if each.command == "MESSAGE"]
    for number, queue_type in enumerate(TYPES, 1):
        for ack in acks[queue_type][:number]:
            client.send("ACK", id=ack)
    assert by_type(client.session.logged_in) == {
        "classic": fanned(3, ack=1),
        "quorum": fanned(3, ack=2),
        "stream": fanned(3, ack=3),
    }


def test_clients_in_the_process(broker: SimulatedBroker) -> None:
    session = session_of(broker)
    found: list[object] = []
    for queue_type, count in (("quorum", 2), ("classic", 1)):
        for _ in range(count):
            session.get(queue_type, found.append, no_ack=False)
    session.settle(3, "ack", multiple=True)
    consumer = consume(session, "classic", prefetch=5)
    broker.settle()
    first, second = taken(consumer)
    first.nack(requeue=False)
    second.ack()
    broker.settle()
    assert by_type(session.client) == {
        "quorum": {"get": 2, "deliver_get": 2, "ack": 2},
        "classic": {"get": 1, "deliver": 2, "deliver_get": 3, "ack": 2},
    }


@pytest.mark.parametrize("level", [4, 5])
def test_the_queues_of_mqtt_sessions_are_classic_ones(broker: SimulatedBroker, level: int) -> None:
    client, publisher = MqttClient(broker, level), MqttClient(broker, level)
    client.connect("c")
    publisher.connect("publisher")
    client.subscribe("a", qos=1)
    for qos in (0, 1):
        publisher.publish_fully("a", b"x", qos)
    assert len(client.take()) == 2
    given = {"deliver": 1, "deliver_no_ack": 1, "deliver_get": 2, "ack": 1}
    assert by_type(client.running.client) == {"classic": given}


def test_the_stream_protocol(broker: SimulatedBroker) -> None:
    client = StreamClient(broker).connect(heartbeat=0)
    assert client.code(commands.DeclarePublisher, 1, None, "stream") is Code.OK
    client.send(publish(1, published(1, b"x")))
    client.send(commands.Subscribe(7, 5, "stream", OffsetSpec(OffsetType.FIRST), 10, None))
    assert by_type(client.session.logged_in) == {"stream": {"deliver_no_ack": 4, "deliver_get": 4}}


def test_messages_that_do_not_come_from_a_queue_are_of_no_type(broker: SimulatedBroker) -> None:
    session = session_of(broker)
    session.publish("", "nowhere", EMPTY, b"x")
    assert by_type(session.client) == {}
