"""AMQP clients and a queue that answers late: order on the channel, confirms, transactions, and who is gone by then."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.late_queue import LATE_BY_MS, LateQueue, late_queues
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_client import PERSISTENT, SimulatedClient
from warren.adapters.amqp091.codec import methods
from warren.core.errors import PreconditionFailed


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[SimulatedBroker]:
    with late_queues():
        broker = SimulatedBroker(tmp_path)
        yield broker
        broker.settle()
        broker.check()
        broker.close()


@pytest.fixture
def client(broker: SimulatedBroker) -> SimulatedClient:
    """Channel 1 confirms, 2 is transactional, 3 is neither; `late` answers late, `fast` at once."""
    client = broker.connect(channels=3)
    client.declare("fast", durable=True)
    client.send(1, methods.QueueDeclare(queue="late", durable=True, arguments={"x-queue-type": "late"}))
    assert client.take() == []
    broker.advance(LATE_BY_MS)
    client.expect(methods.QueueDeclareOk)
    client.confirm_select()
    client.send(2, methods.TxSelect())
    client.expect(methods.TxSelectOk, 2)
    return client


def late(broker: SimulatedBroker) -> LateQueue:
    queue = broker.vhost.queue("late")
    assert isinstance(queue, LateQueue)
    return queue


def answers(client: SimulatedClient) -> list[object]:
    """What the client got, in short."""
    found: list[object] = []
    for event in client.take():
        method = event.method
        if isinstance(method, methods.BasicAck):
            found.append(("ack", method.delivery_tag, method.multiple))
        elif isinstance(method, methods.BasicNack):
            found.append(("nack", method.delivery_tag, method.multiple))
        elif isinstance(method, methods.ChannelClose):
            found.append((method.NAME, event.channel, method.reply_code))
        elif method is not None:
            found.append(method.NAME)
    return found


def test_a_confirm_comes_after_the_answer(broker: SimulatedBroker, client: SimulatedClient) -> None:
    client.publish("late", b"1", properties=PERSISTENT)
    client.publish("late", b"2")
    assert answers(client) == []
    broker.advance(LATE_BY_MS)
    assert answers(client) == [("ack", 1, False), ("ack", 2, False)]
    assert late(broker).ready_count == 2


def test_a_confirm_comes_after_the_disk_as_well(broker: SimulatedBroker, client: SimulatedClient) -> None:
    broker.commits_by_itself = False
    client.publish("late", b"1", properties=PERSISTENT)
    broker.advance(LATE_BY_MS)
    assert answers(client) == []
    broker.begin_commit()
    broker.finish_commit()
    assert answers(client) == [("ack", 1, False)]


def test_confirms_do_not_overtake_a_late_one(broker: SimulatedBroker, client: SimulatedClient) -> None:
    client.publish("fast", b"1")
    client.publish("late", b"2")
    client.publish("fast", b"3")
    client.publish("fast", b"4", properties=PERSISTENT)
    assert answers(client) == [("ack", 1, False)]
    broker.advance(LATE_BY_MS)
    assert answers(client) == [("ack", 4, True)]


def test_a_late_refusal_is_a_nack(broker: SimulatedBroker, client: SimulatedClient) -> None:
    client.publish("late", b"1")
    client.publish("late", b"2", properties=PERSISTENT)
    client.publish("fast", b"3")
    late(broker).refuses = True
    assert answers(client) == []
    broker.advance(LATE_BY_MS)
    assert answers(client) == [("nack", 1, False), ("nack", 2, False), ("ack", 3, True)]
    broker.restart()
    assert broker.vhost.queue("late").ready_count == 0


def test_nothing_is_remembered_of_a_way_to_a_late_queue(client: SimulatedClient) -> None:
    for _ in range(3):
        client.publish("late", b"x", channel=3)
    assert client.connection.known_now() == {}
    client.publish("fast", b"x", channel=3)
    assert len(client.connection.known_now()) == 1


def test_a_commit_waits(broker: SimulatedBroker, client: SimulatedClient) -> None:
    client.publish("late", b"1", properties=PERSISTENT, channel=2)
    client.publish("fast", b"2", channel=2)
    client.send(2, methods.TxCommit())
    assert answers(client) == []
    broker.advance(LATE_BY_MS)
    assert answers(client) == ["tx.commit-ok"]
    client.publish("fast", b"3", channel=2)
    client.send(2, methods.TxCommit())
    assert answers(client) == ["tx.commit-ok"]


def test_a_commit_that_is_refused_late_closes_the_channel(broker: SimulatedBroker, client: SimulatedClient) -> None:
    client.publish("late", b"1", channel=2)
    client.send(2, methods.TxCommit())
    late(broker).refuses = True
    assert answers(client) == []
    broker.advance(LATE_BY_MS)
    close = client.expect(methods.ChannelClose, 2)
    assert close.reply_code == 406
    assert "partial tx completion; full queues refused some of the publishes; the rest is done" in close.reply_text


def test_later_methods_of_the_channel_wait_their_turn(broker: SimulatedBroker, client: SimulatedClient) -> None:
    client.publish("late", b"1", channel=3)
    broker.advance(LATE_BY_MS)
    client.send(3, methods.BasicGet(queue="late"))
    client.publish("fast", b"2", channel=3)
    client.send(3, methods.QueuePurge(queue="late"))
    client.send(3, methods.QueueDeclare(queue="fast", passive=True))
    client.declare("other")
    assert answers(client) == []
    assert broker.queue("fast").ready_count == 0
    broker.advance(LATE_BY_MS)
    assert answers(client) == ["basic.get-ok"]
    assert broker.queue("fast").ready_count == 1
    broker.advance(LATE_BY_MS)
    assert answers(client) == ["queue.purge-ok", "queue.declare-ok"]
    client.ack(1, channel=3)
    client.settle()
    assert late(broker).unacked_count == 0


def test_acknowledgements_do_not_wait(broker: SimulatedBroker, client: SimulatedClient) -> None:
    client.publish("fast", b"1", channel=3)
    client.consume("fast", channel=3)
    client.take()
    client.send(3, methods.BasicGet(queue="late"))
    client.ack(1, channel=3)
    client.settle()
    assert broker.queue("fast").unacked_count == 0
    broker.advance(LATE_BY_MS)
    assert answers(client) == ["basic.get-empty"]


def test_deleting(broker: SimulatedBroker, client: SimulatedClient) -> None:
    client.publish("late", b"1", channel=3)
    broker.advance(LATE_BY_MS)
    client.send(3, methods.QueueDelete(queue="late"))
    assert answers(client) == []
    assert "late" not in broker.vhost.queues
    broker.advance(LATE_BY_MS)
    assert client.expect(methods.QueueDeleteOk, 3).message_count == 1


def test_a_late_error_closes_the_channel(broker: SimulatedBroker, client: SimulatedClient) -> None:
    late(broker).fails = True
    client.send(3, methods.BasicGet(queue="late"))
    client.publish("fast", b"void", channel=3)
    assert answers(client) == []
    broker.advance(LATE_BY_MS)
    assert answers(client) == [("channel.close", 3, 406)]
    assert broker.queue("fast").ready_count == 0
    client.send(3, methods.ChannelCloseOk())
    client.open(3)
    client.publish("fast", b"1", channel=3)
    client.settle()
    assert broker.queue("fast").ready_count == 1


@pytest.mark.parametrize("end", ["channel", "connection", "lost"])
def test_who_is_gone_gets_no_answer(broker: SimulatedBroker, client: SimulatedClient, end: str) -> None:
    client.publish("late", b"1", channel=3)
    broker.advance(LATE_BY_MS)
    client.send(3, methods.BasicGet(queue="late"))
    client.publish("late", b"2")
    if end == "channel":
        client.connection.channel_failed(client.connection.channels.by_number[3], PreconditionFailed("for a test"))
    elif end == "connection":
        client.connection.force_close("enough")
    else:
        client.transport.lose()
    client.settle()
    client.collect()
    client.events.clear()
    broker.advance(LATE_BY_MS)
    assert [message.body for message in late(broker).browse(0, 9)] == [b"1", b"2"]
    assert late(broker).unacked_count == 0
    if end == "channel":
        assert answers(client) == [("ack", 1, False)]


def test_a_close_waits_for_what_was_sent_before_it(broker: SimulatedBroker, client: SimulatedClient) -> None:
    client.send(3, methods.QueuePurge(queue="late", nowait=True))
    client.publish("fast", b"1", channel=3)
    client.send(0, methods.ConnectionClose(200, "bye", 0, 0))
    assert answers(client) == []
    broker.advance(LATE_BY_MS)
    assert answers(client) == ["connection.close-ok"]
    assert broker.queue("fast").ready_count == 1


def test_so_much_may_wait_and_then_the_connection_is_not_read(broker: SimulatedBroker, client: SimulatedClient) -> None:
    client.send(3, methods.BasicGet(queue="late"))
    for _ in range(400):
        client.publish("fast", b"x" * 4000, channel=3)
    assert client.transport.paused
    broker.advance(LATE_BY_MS)
    assert not client.transport.paused
    assert answers(client) == ["basic.get-empty"]
    assert broker.queue("fast").ready_count > 200
