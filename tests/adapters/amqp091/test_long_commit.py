"""tx.commit of very many publishes and acknowledgements: in slices, and still all of it or nothing, for everybody."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import core_clients
from tests.support.core_clients import publish, take
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_client import PERSISTENT, SimulatedClient, publish_frames
from warren.adapters.amqp091.codec import methods
from warren.adapters.session.deliveries import SETTLED_PER_SLICE
from warren.core.queues.base import Queue
from warren.core.routing.staging import STAGED_PER_SLICE
from warren.core.storage.recovery import finish_chores

MANY = 3 * STAGED_PER_SLICE + 5

IN_ORDER = [b"%d" % number for number in range(MANY)]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[SimulatedBroker]:
    """On disk."""
    simulated = SimulatedBroker(tmp_path)
    yield simulated
    simulated.settle()
    simulated.close()


def publishing(broker: SimulatedBroker, count: int = MANY, arguments: dict[str, str | int] | None = None) -> Queue:
    """A queue, and a first client that has published to it and not committed."""
    queue = core_clients.queue(broker, "q", arguments or {}, durable=True)
    client = broker.connect()
    client.send(1, methods.TxSelect())
    client.take()
    for number in range(count):
        client.send_bytes(publish_frames("q", b"%d" % number, properties=PERSISTENT))
        if number % 100 == 0:
            broker.settle()
    broker.settle()
    return queue


def committer(broker: SimulatedBroker) -> SimulatedClient:
    return broker.clients[0]


def names(client: SimulatedClient) -> list[str]:
    return [event.method.NAME for event in client.take() if event.method is not None]


def test_others_see_all_of_it_or_nothing(broker: SimulatedBroker) -> None:
    queue = publishing(broker)
    other = broker.connect()
    other.consume("q", "c")
    committer(broker).send(1, methods.TxCommit())
    seen: list[int] = []
    while broker.broker.chores or not seen:
        broker.broker.end_turn()
        seen.append(queue.ready_count + queue.unacked_count)
    assert len(seen) > 3
    assert set(seen) == {0, MANY}, "in one turn"
    assert other.take_bodies() == IN_ORDER
    assert names(committer(broker)) == ["tx.commit-ok"]


def test_it_is_answered_when_it_is_on_disk(broker: SimulatedBroker) -> None:
    broker.commits_by_itself = False
    publishing(broker)
    client = committer(broker)
    client.send(1, methods.TxCommit())
    assert names(client) == []
    broker.begin_commit()
    assert names(client) == []
    broker.finish_commit()
    assert names(client) == ["tx.commit-ok"]
    broker.commits_by_itself = True


@pytest.mark.parametrize("turns", range(8))
def test_a_crash_keeps_all_of_it_or_nothing(broker: SimulatedBroker, turns: int) -> None:
    publishing(broker)
    broker.commits_by_itself = False
    committer(broker).send(1, methods.TxCommit())
    for _ in range(turns):
        broker.broker.end_turn()
    is_done = broker.queue("q").ready_count > 0
    broker.begin_commit()
    broker.finish_commit()
    broker.crash()
    broker.commits_by_itself = True
    assert take(broker.queue("q")) == (IN_ORDER if is_done else [])


def acknowledging(broker: SimulatedBroker, count: int) -> Queue:
    """The client has so many messages of another queue, too, and has acknowledged them."""
    queue = core_clients.queue(broker, "from", durable=True)
    for number in range(count):
        publish(broker, "", b"%d" % number, core_clients.persistent(), "from")
    client = committer(broker)
    client.consume("from", "c")
    client.take()
    client.ack(count, multiple=True)
    broker.settle()
    assert queue.unacked_count == count
    return queue


@pytest.mark.parametrize("turns", range(9))
def test_acknowledgements_and_publishes_together(broker: SimulatedBroker, turns: int) -> None:
    publishing(broker)
    acknowledging(broker, 2 * SETTLED_PER_SLICE + 1)
    broker.commits_by_itself = False
    committer(broker).send(1, methods.TxCommit())
    for _ in range(turns):
        broker.broker.end_turn()
    is_done = broker.queue("q").ready_count > 0
    broker.begin_commit()
    broker.finish_commit()
    broker.crash()
    broker.commits_by_itself = True
    left = len(take(broker.queue("from")))
    assert (left, take(broker.queue("q"))) == ((0, IN_ORDER) if is_done else (2 * SETTLED_PER_SLICE + 1, []))


def test_acknowledgements_go_in_slices(broker: SimulatedBroker) -> None:
    publishing(broker, 0)
    queue = acknowledging(broker, 3 * SETTLED_PER_SLICE)
    committer(broker).send(1, methods.TxCommit())
    most, more = 0, True
    while more:
        before = queue.unacked_count
        more = broker.broker.end_turn()
        most = max(most, before - queue.unacked_count)
    assert (most, queue.unacked_count) == (SETTLED_PER_SLICE, 0)
    assert names(committer(broker)) == ["tx.commit-ok"]
    assert broker.broker.store.statistics()["entries"] == 0
    assert queue.message_counts["ack"] == 3 * SETTLED_PER_SLICE


def test_rejections_of_the_transaction(broker: SimulatedBroker) -> None:
    publishing(broker)
    queue = core_clients.queue(broker, "from", durable=True)
    for number in range(4):
        publish(broker, "", b"%d" % number, core_clients.persistent(), "from")
    client = committer(broker)
    client.consume("from", "c")
    client.take()
    client.send(1, methods.BasicCancel("c", False))
    client.take()
    client.ack(1)
    client.nack(2, requeue=False)
    client.nack(3, requeue=True)
    client.send(1, methods.TxCommit())
    assert names(client) == ["tx.commit-ok"]
    assert queue.unacked_count == 1
    assert take(queue) == [b"2"]
    assert take(broker.queue("q")) == IN_ORDER


@pytest.mark.parametrize("turns", range(5))
def test_a_connection_that_is_lost_meanwhile(broker: SimulatedBroker, turns: int) -> None:
    queue = publishing(broker)
    client = committer(broker)
    client.send(1, methods.TxCommit())
    for _ in range(turns):
        broker.broker.end_turn()
    client.transport.lose()
    broker.settle()
    assert take(queue) == IN_ORDER


def test_a_stop_meanwhile(broker: SimulatedBroker) -> None:
    publishing(broker)
    committer(broker).send(1, methods.TxCommit())
    broker.broker.end_turn()
    finish_chores(broker.broker)
    assert take(broker.queue("q")) == IN_ORDER


@pytest.mark.parametrize("changes", [1, 2, 10])
def test_topology_that_changes_meanwhile(broker: SimulatedBroker, changes: int) -> None:
    """It is what it is when all is published that counts; and a storm of changes is no reason to wait for ever."""
    queue = publishing(broker)
    committer(broker).send(1, methods.TxCommit())
    turns = 0
    while broker.broker.chores:
        broker.broker.end_turn()
        turns += 1
        if turns <= changes:
            core_clients.queue(broker, f"new {turns}")
        assert turns < 60
    broker.settle()
    assert take(queue) == IN_ORDER
    assert names(committer(broker)) == ["tx.commit-ok"]
    assert broker.vhost.exchange_counts("").publish_in == MANY


def test_a_queue_that_goes_meanwhile(broker: SimulatedBroker) -> None:
    from warren.core.declaring.queues import remove_queue

    queue = publishing(broker)
    committer(broker).send(1, methods.TxCommit())
    broker.broker.end_turn()
    remove_queue(broker.vhost, queue)
    assert names(committer(broker)) == ["tx.commit-ok"]
    assert broker.broker.store.statistics()["entries"] == 0


def test_a_full_queue_refuses_what_is_too_much(broker: SimulatedBroker) -> None:
    queue = publishing(broker, arguments={"x-max-length": 10, "x-overflow": "reject-publish"})
    client = committer(broker)
    client.send(1, methods.TxCommit())
    (close,) = [event.method for event in client.take()]
    assert isinstance(close, methods.ChannelClose)
    assert (close.reply_code, f"refused {MANY - 10} of the publishes" in close.reply_text) == (406, True)
    assert take(queue) == IN_ORDER[:10]


def test_a_right_that_is_withdrawn(broker: SimulatedBroker) -> None:
    queue = publishing(broker)
    client = committer(broker)
    broker.broker.users.set_permissions("guest", "/", ".*", "nothing", ".*")
    client.send(1, methods.TxCommit())
    broker.settle()
    assert queue.ready_count == 0
    assert "channel.close" in names(client)


@pytest.mark.parametrize("is_lost", [False, True])
def test_a_right_that_is_withdrawn_leaves_what_was_acknowledged_unacknowledged(
    broker: SimulatedBroker, is_lost: bool
) -> None:
    publishing(broker)
    queue = acknowledging(broker, 10)
    client = committer(broker)
    broker.broker.users.set_permissions("guest", "/", ".*", "nothing", ".*")
    client.send(1, methods.TxCommit())
    if is_lost:
        client.transport.lose()
    broker.settle()
    assert (queue.unacked_count, queue.ready_count) == (0, 10)
    assert take(queue) == IN_ORDER[:10]


def test_a_priority_queue(broker: SimulatedBroker) -> None:
    queue = publishing(broker, arguments={"x-max-priority": 2})
    committer(broker).send(1, methods.TxCommit())
    broker.settle()
    assert take(queue) == IN_ORDER


def test_counts(broker: SimulatedBroker) -> None:
    queue = publishing(broker)
    client = committer(broker)
    counts = client.connection.channels.by_number[1].counts
    client.send(1, methods.TxCommit())
    broker.settle()
    assert counts.publish == MANY
    assert broker.vhost.exchange_counts("").publish_out == MANY
    assert queue.message_counts["publish"] == MANY
    broker.check()
