"""Publisher confirms and transactions on the wire: when answers come, and to whom (spec A.7)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_client import PERSISTENT, SimulatedClient, publish_frames
from warren.adapters.amqp091.codec import methods


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[SimulatedBroker]:
    broker = SimulatedBroker(tmp_path)
    yield broker
    broker.settle()
    broker.check()
    broker.close()


@pytest.fixture
def client(broker: SimulatedBroker) -> SimulatedClient:
    """Channel 1 confirms, 2 is transactional; the queue q is durable.  Commits wait for the test."""
    client = broker.connect(channels=3)
    client.declare("q", durable=True)
    client.confirm_select()
    client.send(2, methods.TxSelect())
    client.expect(methods.TxSelectOk, 2)
    broker.commits_by_itself = False
    return client


def answers(client: SimulatedClient) -> list[object]:
    """What the client got, in short."""
    found: list[object] = []
    for event in client.take():
        method = event.method
        if isinstance(method, methods.BasicAck):
            found.append((method.delivery_tag, method.multiple))
        elif method is not None:
            found.append(method.NAME)
    return found


def test_a_stored_publish_is_confirmed_after_the_flush(broker: SimulatedBroker, client: SimulatedClient) -> None:
    client.publish("q", b"1", properties=PERSISTENT)
    assert answers(client) == []
    broker.begin_commit()
    assert answers(client) == []
    broker.finish_commit()
    assert answers(client) == [(1, False)]


@pytest.mark.parametrize("count", [1, 3])
def test_a_transient_publish_is_confirmed_at_once(client: SimulatedClient, count: int) -> None:
    client.send_bytes(publish_frames("q", b"1") * count)
    assert answers(client) == [(count, count > 1)]


def test_confirms_are_cumulative_and_never_overtake(broker: SimulatedBroker, client: SimulatedClient) -> None:
    client.publish("q", b"1")
    assert answers(client) == [(1, False)]
    client.publish("q", b"2", properties=PERSISTENT)
    client.publish("q", b"3")
    broker.begin_commit()
    client.publish("q", b"4", properties=PERSISTENT)
    client.publish("q", b"5")
    assert answers(client) == []
    broker.finish_commit()
    assert answers(client) == [(3, True)]
    broker.begin_commit()
    broker.finish_commit()
    assert answers(client) == [(5, True)]


def test_a_return_comes_before_its_confirm(client: SimulatedClient) -> None:
    client.publish("nowhere", b"back", mandatory=True)
    events = client.take()
    assert isinstance(events[0].method, methods.BasicReturn)
    assert (events[0].method.reply_code, events[0].method.reply_text) == (312, "NO_ROUTE")
    assert events[0].body == b"back"
    assert events[1].method == methods.BasicAck(1, False)


def test_confirming_when_a_consumer_was_faster_than_the_disk(broker: SimulatedBroker, client: SimulatedClient) -> None:
    client.consume("q", "c", channel=3, no_ack=True)
    client.publish("q", b"1", properties=PERSISTENT)
    assert "basic.deliver" in answers(client)
    broker.begin_commit()
    broker.finish_commit()
    assert answers(client) == [(1, False)]
    assert broker.broker.store.statistics()["entries"] == 0


def test_a_deleted_queue_counts_as_confirmed(broker: SimulatedBroker, client: SimulatedClient) -> None:
    client.publish("q", b"1", properties=PERSISTENT)
    client.send(3, methods.QueueDelete(queue="q"))
    client.expect(methods.QueueDeleteOk, 3)
    broker.begin_commit()
    broker.finish_commit()
    assert answers(client) == [(1, False)]


def test_a_new_channel_of_the_same_number_gets_no_confirm_of_the_old_one(
    broker: SimulatedBroker, client: SimulatedClient
) -> None:
    client.publish("q", b"1", properties=PERSISTENT)
    broker.settle()
    broker.begin_commit()
    client.close_channel()
    client.open()
    client.confirm_select()
    broker.finish_commit()
    assert answers(client) == []


def test_a_new_channel_of_the_same_number_gets_no_commit_ok_of_the_old_one(
    broker: SimulatedBroker, client: SimulatedClient
) -> None:
    client.publish("q", b"1", properties=PERSISTENT, channel=2)
    client.send(2, methods.TxCommit())
    broker.settle()
    broker.begin_commit()
    client.close_channel(2)
    client.open(2)
    client.send(2, methods.TxSelect())
    client.expect(methods.TxSelectOk, 2)
    broker.finish_commit()
    assert answers(client) == []


def test_what_was_taken_before_an_error_is_confirmed_before_the_close(client: SimulatedClient) -> None:
    client.send_bytes(publish_frames("q", b"1") + publish_frames("q", b"2", exchange="missing"))
    assert answers(client) == [(1, False), "channel.close"]
    client.send(3, methods.QueueDeclare(queue="other"))
    assert answers(client) == ["queue.declare-ok"], "and nothing more for a channel that is closing"


def test_a_channel_that_failed_gets_no_confirm_behind_the_close(
    broker: SimulatedBroker, client: SimulatedClient
) -> None:
    client.send_bytes(publish_frames("q", b"1", properties=PERSISTENT) + publish_frames("q", b"2", exchange="missing"))
    assert answers(client) == ["channel.close"]
    client.send(3, methods.QueueDeclare(queue="other"))
    broker.begin_commit()
    broker.finish_commit()
    client.send(3, methods.QueueDeclare(queue="another"))
    assert answers(client) == ["queue.declare-ok", "queue.declare-ok"]
    assert not broker.broker.awaiting_flush
    broker.commits_by_itself = True


def test_closing_says_what_is_confirmed(client: SimulatedClient) -> None:
    client.send_bytes(publish_frames("q", b"1") * 2 + methods.encode_frame(1, methods.ChannelClose(200)))
    assert answers(client) == [(2, True), "channel.close-ok"]


def test_confirm_select_again_goes_on_counting(client: SimulatedClient) -> None:
    client.publish("q", b"1")
    client.confirm_select()
    client.publish("q", b"2")
    assert answers(client)[-1] == (2, False)
    client.send(1, methods.ConfirmSelect(nowait=True))
    client.publish("q", b"3")
    assert answers(client) == [(3, False)]


@pytest.mark.parametrize(("channel", "method"), [(1, methods.TxSelect()), (2, methods.ConfirmSelect())])
def test_a_channel_is_in_one_mode(client: SimulatedClient, channel: int, method: methods.Method) -> None:
    client.send(channel, method)
    assert client.expect(methods.ChannelClose, channel).reply_code == 406


@pytest.mark.parametrize("method", [methods.TxCommit(), methods.TxRollback()])
def test_ending_a_transaction_takes_one(client: SimulatedClient, method: methods.Method) -> None:
    client.send(3, method)
    assert client.expect(methods.ChannelClose, 3).reply_code == 406


def test_refused_publishes_are_told_once(broker: SimulatedBroker, client: SimulatedClient) -> None:
    client.declare("full", arguments={"x-max-length": 1, "x-overflow": "reject-publish"})
    for _ in range(3):
        client.publish("full", b"x")
    found = client.take_methods()
    assert found == [
        methods.BasicAck(1, False),
        methods.BasicNack(2, False, False),
        methods.BasicNack(3, False, False),
    ]
    client.send_bytes(publish_frames("full", b"x") + publish_frames("q", b"x"))
    assert client.take_methods() == [methods.BasicNack(4, False, False), methods.BasicAck(5, True)]


# Transactions


def test_nothing_of_a_transaction_shows_before_the_commit(broker: SimulatedBroker, client: SimulatedClient) -> None:
    client.publish("q", b"1", channel=2)
    client.publish("nowhere", b"2", channel=2, mandatory=True)
    assert answers(client) == []
    assert broker.queue("q").ready_count == 0
    client.send(2, methods.TxCommit())
    assert answers(client) == ["basic.return", "tx.commit-ok"]
    assert broker.queue("q").ready_count == 1


def test_a_commit_of_stored_messages_is_answered_after_the_flush(
    broker: SimulatedBroker, client: SimulatedClient
) -> None:
    client.publish("q", b"1", properties=PERSISTENT, channel=2)
    client.send(2, methods.TxCommit())
    assert answers(client) == []
    broker.begin_commit()
    broker.finish_commit()
    assert answers(client) == ["tx.commit-ok"]


def test_each_commit_is_answered_once(broker: SimulatedBroker, client: SimulatedClient) -> None:
    for body in (b"1", b"2", b"3"):
        client.publish("q", body, properties=PERSISTENT, channel=2)
        client.send(2, methods.TxCommit())
        assert answers(client) == []
        broker.begin_commit()
        broker.finish_commit()
        assert answers(client) == ["tx.commit-ok"]


def test_a_command_during_a_commit_is_an_error(client: SimulatedClient) -> None:
    client.publish("q", b"1", properties=PERSISTENT, channel=2)
    client.send(2, methods.TxCommit())
    client.send(2, methods.TxRollback())
    assert client.expect(methods.ConnectionClose, 0).reply_code == 504


def test_a_rollback_forgets_publishes_and_acks(broker: SimulatedBroker, client: SimulatedClient) -> None:
    client.publish("q", b"1", channel=3)
    client.consume("q", "c", channel=2)
    client.take()
    client.ack(1, channel=2)
    client.publish("q", b"2", channel=2)
    client.send(2, methods.TxRollback())
    assert answers(client) == ["tx.rollback-ok"]
    broker.check()
    assert broker.queue("q").unacked_count == 1
    assert list(client.connection.channels.by_number[2].deliveries.unacked) == [1]
    client.ack(1, channel=2)
    client.send(2, methods.TxCommit())
    client.expect(methods.TxCommitOk, 2)
    assert broker.queue("q").unacked_count == 0


def test_a_rollback_restores_the_order_of_tags(broker: SimulatedBroker, client: SimulatedClient) -> None:
    for number in range(6):
        client.publish("q", b"%d" % number, channel=3)
    client.consume("q", "c", channel=2)
    client.take()
    client.ack(5, channel=2)
    client.ack(2, multiple=True, channel=2)
    client.send(2, methods.TxRollback())
    client.expect(methods.TxRollbackOk, 2)
    assert list(client.connection.channels.by_number[2].deliveries.unacked) == [1, 2, 3, 4, 5, 6]
    client.ack(4, multiple=True, channel=2)
    client.send(2, methods.TxCommit())
    client.expect(methods.TxCommitOk, 2)
    assert list(client.connection.channels.by_number[2].deliveries.unacked) == [5, 6]


def test_an_ack_in_a_transaction_is_taken_once(client: SimulatedClient) -> None:
    client.publish("q", b"1", channel=3)
    client.consume("q", "c", channel=2)
    client.take()
    client.ack(1, channel=2)
    client.ack(1, channel=2)
    assert client.expect(methods.ChannelClose, 2).reply_code == 406


@pytest.mark.parametrize("end", ["close", "fail", "lose"])
def test_an_open_transaction_is_void_when_its_channel_ends(
    broker: SimulatedBroker, client: SimulatedClient, end: str
) -> None:
    client.publish("q", b"1", channel=3)
    client.consume("q", "c", channel=2)
    client.take()
    client.ack(1, channel=2)
    client.publish("q", b"2", channel=2)
    if end == "close":
        client.close_channel(2)
    elif end == "fail":
        client.ack(9, channel=2)
        client.expect(methods.ChannelClose, 2)
    else:
        client.lose()
    queue = broker.queue("q")
    assert (queue.ready_count, queue.unacked_count) == (1, 0)
    found = queue.poll(no_ack=True)
    assert found is not None
    assert (found[0].body, found[1]) == (b"1", True)


def test_an_exchange_that_went_away_before_the_commit_takes_nothing_else_with_it(
    broker: SimulatedBroker, client: SimulatedClient
) -> None:
    """The other publishes and the acks of the transaction are still done."""
    client.publish("q", b"acked", channel=3)
    client.consume("q", "c", channel=2)
    client.take()
    client.send(3, methods.ExchangeDeclare(exchange="x", type="fanout"))
    client.expect(methods.ExchangeDeclareOk, 3)
    client.ack(1, channel=2)
    client.publish("", b"lost", exchange="x", channel=2)
    client.publish("", b"back", exchange="x", channel=2, mandatory=True)
    client.publish("other", b"kept", channel=2)
    client.declare("other", channel=3)
    client.send(3, methods.ExchangeDelete(exchange="x"))
    client.expect(methods.ExchangeDeleteOk, 3)
    client.send(2, methods.TxCommit())
    assert answers(client) == ["basic.return", "tx.commit-ok"]
    assert broker.queue("q").unacked_count == 0
    assert broker.queue("other").ready_count == 1


def test_a_queue_that_went_away_before_the_commit_gets_nothing(
    broker: SimulatedBroker, client: SimulatedClient
) -> None:
    client.send(3, methods.QueueDeclare(queue="gone", durable=True))
    client.send(3, methods.QueueBind(queue="gone", exchange="amq.headers"))
    client.send(3, methods.QueueBind(queue="q", exchange="amq.headers"))
    client.settle()
    client.publish("", b"1", exchange="amq.headers", properties=PERSISTENT, channel=2)
    client.send(3, methods.QueueDelete(queue="gone"))
    client.expect(methods.QueueDeleteOk, 3)
    client.send(2, methods.TxCommit())
    broker.settle()
    broker.begin_commit()
    broker.finish_commit()
    client.expect(methods.TxCommitOk, 2)
    assert broker.broker.store.statistics()["entries"] == 1, "nothing is stored for a queue that isn't there"


def test_committed_messages_take_their_place_at_the_commit(broker: SimulatedBroker, client: SimulatedClient) -> None:
    """The order is that of the commit, also for messages that come back later."""
    client.publish("q", b"late", channel=2)
    client.publish("q", b"early", channel=3)
    client.send(2, methods.TxCommit())
    client.expect(methods.TxCommitOk, 2)
    for _ in range(3):
        first, second = client.get("q", channel=3), client.get("q", channel=3)
        assert first is not None
        assert second is not None
        assert [first.body, second.body] == [b"early", b"late"]
        client.send(3, methods.BasicRecover(requeue=True))
        client.expect(methods.BasicRecoverOk, 3)


def test_a_transaction_survives_as_a_whole_or_not_at_all(broker: SimulatedBroker, client: SimulatedClient) -> None:
    client.declare("r", durable=True)
    client.publish("q", b"old", properties=PERSISTENT, channel=3)
    broker.settle()
    broker.begin_commit()
    broker.finish_commit()
    client.consume("q", "c", channel=2)
    client.take()
    client.ack(1, channel=2)
    client.publish("r", b"new", properties=PERSISTENT, channel=2)
    client.send(2, methods.TxCommit())
    broker.settle()
    broker.crash()
    assert (broker.queue("q").ready_count, broker.queue("r").ready_count) == (1, 0)
    again = broker.connect()
    again.send(1, methods.TxSelect())
    assert again.get("q") is not None
    again.ack(1)
    again.publish("r", b"new", properties=PERSISTENT)
    again.send(1, methods.TxCommit())
    broker.settle()
    broker.begin_commit()
    broker.crash()
    assert (broker.queue("q").ready_count, broker.queue("r").ready_count) == (0, 1)
    broker.commits_by_itself = True
