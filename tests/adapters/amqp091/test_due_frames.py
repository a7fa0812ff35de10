"""Frames that have waited, for an answer or an alarm, and are due, obey alarms as others do, and keep their order."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.late_queue import LATE_BY_MS, late_queues
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_client import SimulatedClient
from tests.support.simulated_transport import SimulatedTransport
from warren.adapters.amqp091.codec import methods
from warren.adapters.amqp091.codec.constants import FRAME_BODY, FRAME_METHOD
from warren.adapters.amqp091.due_frames import DueFrames
from warren.adapters.session.held import HELD_BYTES_MAX
from warren.adapters.session.ration import COMMANDS_PER_TURN
from warren.adapters.session.read_gate import DUE, ReadGate

CLOSE = (10, 50)
ACK, PUBLISH = (60, 80), (60, 40)


def test_what_comes_behind_them() -> None:
    due = DueFrames(ReadGate(SimulatedTransport()))
    assert not due.wants(FRAME_METHOD, 0, *CLOSE)
    due.add(FRAME_METHOD, 1, b"a")
    assert due.active
    assert due.wants(FRAME_METHOD, 1, *PUBLISH)
    assert not due.wants(FRAME_METHOD, 1, *ACK)
    assert due.wants(FRAME_BODY, 1, *ACK)
    assert not due.wants(FRAME_METHOD, 2, *PUBLISH)
    assert due.wants(FRAME_METHOD, 0, *CLOSE)
    assert not due.wants(FRAME_METHOD, 0, 10, 60)
    due.put_before([(FRAME_METHOD, 2, b"earlier")])
    due.put_before([])
    due.add(FRAME_METHOD, 3, b"c")
    due.drop(1)
    due.drop(1)
    assert not due.wants(FRAME_METHOD, 1, *PUBLISH)
    assert due.take() == [(FRAME_METHOD, 2, b"earlier"), (FRAME_METHOD, 3, b"c")]
    assert not due.active
    assert not due.wants(FRAME_METHOD, 2, *PUBLISH)
    due.add(FRAME_METHOD, 1, b"a")
    due.drop(1)
    assert not due.active
    due.add(FRAME_METHOD, 1, b"a")
    due.clear()
    assert not due.active
    assert due.take() == []


def test_they_are_bounded() -> None:
    transport = SimulatedTransport()
    gate = ReadGate(transport)
    due = DueFrames(gate)
    due.add(FRAME_METHOD, 1, b"x" * (HELD_BYTES_MAX + 1))
    assert transport.paused
    assert gate.is_closed_for(DUE)
    due.take()
    assert not transport.paused


# With a connection


@pytest.fixture
def broker() -> Iterator[SimulatedBroker]:
    with late_queues():
        broker = SimulatedBroker()
        yield broker
        broker.settle()
        broker.check()
        broker.close()


@pytest.fixture
def client(broker: SimulatedBroker) -> SimulatedClient:
    """Two channels, a queue that answers later, and one that doesn't."""
    client = broker.connect(channels=2)
    client.declare("fast")
    client.send(1, methods.QueueDeclare(queue="late", arguments={"x-queue-type": "late"}))
    broker.advance(LATE_BY_MS)
    client.expect(methods.QueueDeclareOk)
    return client


def block(broker: SimulatedBroker, *, raised: bool = True) -> None:
    broker.broker.alarms.set("memory", raised)
    broker.settle()


def bodies(broker: SimulatedBroker) -> list[bytes]:
    return [message.body for message in broker.queue("fast").browse(0, 9_999)]


def names(client: SimulatedClient) -> list[str]:
    return [method.NAME for method in client.take_methods() if method is not None]


@pytest.mark.parametrize("is_known", [False, True])
def test_a_publish_behind_an_answer_obeys_an_alarm(
    broker: SimulatedBroker, client: SimulatedClient, is_known: bool
) -> None:
    """The alarm is raised while it waits; what is before it isn't kept by the alarm, what is behind it is."""
    if is_known:
        client.publish("fast", b"known")
        client.publish("fast", b"known")
        broker.queue("fast").purge(lambda count: None)
    client.send(1, methods.BasicGet(queue="late"))
    client.send(1, methods.QueueDeclare(queue="before"))
    client.publish("fast", b"1")
    client.send(1, methods.QueueDeclare(queue="behind"))
    client.publish("fast", b"2")
    block(broker)
    assert client.take() == []
    broker.advance(LATE_BY_MS)
    assert names(client) == ["basic.get-empty", "queue.declare-ok", "connection.blocked"]
    assert bodies(broker) == []
    assert "behind" not in broker.vhost.queues
    client.publish("fast", b"3")
    client.publish("fast", b"held too", channel=2)
    block(broker, raised=False)
    assert names(client) == ["connection.unblocked", "queue.declare-ok"]
    assert bodies(broker) == [b"1", b"2", b"3", b"held too"]


def test_what_no_publish_precedes_is_not_kept_by_an_alarm(broker: SimulatedBroker, client: SimulatedClient) -> None:
    """Its answer came, but the ration of the turn was used up; the alarm that is raised has nothing to do with it."""
    count = 2 * COMMANDS_PER_TURN
    client.send(1, methods.BasicGet(queue="late"))
    for _ in range(count):
        client.send(1, methods.BasicGet(queue="fast"))
    broker.broker.advance(broker.broker.now_ms + LATE_BY_MS)
    assert client.connection.due.active
    broker.broker.alarms.set("memory", raised=True)
    assert client.connection.reported_state == "running"
    broker.settle()
    assert names(client) == ["basic.get-empty"] * (1 + count)
    block(broker, raised=False)


def test_a_second_alarm_keeps_only_from_the_next_publish_on(broker: SimulatedBroker, client: SimulatedClient) -> None:
    block(broker)
    client.publish("fast", b"1")
    for number in range(2 * COMMANDS_PER_TURN):
        client.send(1, methods.BasicQos(0, number % 9, False))
    client.publish("fast", b"2")
    client.send(1, methods.BasicQos(0, 1, False))
    assert names(client) == ["connection.blocked"]
    broker.broker.alarms.set("memory", raised=False)
    assert client.connection.due.active
    broker.broker.alarms.set("memory", raised=True)
    broker.settle()
    assert bodies(broker) == [b"1"]
    assert names(client).count("basic.qos-ok") == 2 * COMMANDS_PER_TURN
    block(broker, raised=False)
    assert bodies(broker) == [b"1", b"2"]
    assert "basic.qos-ok" in names(client)


def test_a_question_among_what_is_due_keeps_the_order(broker: SimulatedBroker, client: SimulatedClient) -> None:
    """Frames behind the question wait for its answer; those that come meanwhile come behind them."""
    block(broker)
    client.publish("fast", b"1")
    client.send(1, methods.BasicGet(queue="late"))
    for _ in range(2 * COMMANDS_PER_TURN):
        client.send(1, methods.BasicQos(0, 1, False))
    client.publish("fast", b"2")
    client.take()
    broker.broker.alarms.set("memory", raised=False)
    client.publish("fast", b"3")
    broker.advance(LATE_BY_MS)
    answers = names(client)
    assert answers[:2] == ["connection.unblocked", "basic.get-empty"]
    assert answers.count("basic.qos-ok") == 2 * COMMANDS_PER_TURN
    assert bodies(broker) == [b"1", b"2", b"3"]


def test_closing_waits_for_what_is_due(broker: SimulatedBroker, client: SimulatedClient) -> None:
    block(broker)
    for number in range(2 * COMMANDS_PER_TURN):
        client.publish("fast", b"%d" % number)
    client.take()
    broker.broker.alarms.set("memory", raised=False)
    assert client.connection.due.active
    client.send_bytes(methods.encode_frame(0, methods.ConnectionClose(200)))
    broker.settle()
    assert names(client) == ["connection.unblocked", "connection.close-ok"]
    assert len(bodies(broker)) == 2 * COMMANDS_PER_TURN


@pytest.mark.parametrize("how", ["channel", "connection"])
def test_what_is_due_is_void_when_its_channel_ends(broker: SimulatedBroker, client: SimulatedClient, how: str) -> None:
    block(broker)
    client.publish("fast", b"1")
    for _ in range(COMMANDS_PER_TURN):
        client.send(1, methods.BasicQos(0, 1, False))
    client.publish("fast", b"void")
    client.take()
    broker.broker.alarms.set("memory", raised=False)
    assert client.connection.due.active
    if how == "channel":
        client.connection.channels.by_number[1].closing = True
        client.connection.channel_closed(client.connection.channels.by_number[1])
    else:
        client.connection.force_close("maintenance")
    assert not client.connection.due.active
    broker.settle()
    assert bodies(broker) == [b"1"]
