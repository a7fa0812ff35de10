"""What acknowledging, rejecting and recovering do to the queues, at once and in a transaction (spec A.7)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_client import SimulatedClient
from warren.adapters.amqp091.codec import methods
from warren.core.messages.field_table import FieldTable

LETTERS: FieldTable = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "letters"}


@pytest.fixture
def broker() -> Iterator[SimulatedBroker]:
    broker = SimulatedBroker()
    yield broker
    broker.settle()
    broker.check()
    broker.close()


@pytest.fixture(params=[False, True], ids=["at once", "in a transaction"])
def client(request: pytest.FixtureRequest, broker: SimulatedBroker) -> SimulatedClient:
    """It has polled three messages of the queue q, whose dead letters go to letters."""
    client = broker.connect()
    client.declare("letters")
    client.declare("q", durable=True, arguments={**LETTERS, "x-queue-type": "quorum"})
    for body in (b"1", b"2", b"3"):
        client.publish("q", body)
    if request.param:
        client.send(1, methods.TxSelect())
        client.expect(methods.TxSelectOk)
    for _ in range(3):
        assert client.get("q")
    return client


def ready(broker: SimulatedBroker) -> tuple[int, int, int]:
    """Of q: ready and unacknowledged; and dead letters."""
    queue = broker.queue("q")
    return queue.ready_count, queue.unacked_count, broker.queue("letters").ready_count


SETTLED = {
    "ack": (methods.BasicAck(2), (0, 2, 0)),
    "acks up to it": (methods.BasicAck(2, multiple=True), (0, 1, 0)),
    "all acks": (methods.BasicAck(0, multiple=True), (0, 0, 0)),
    "nack back": (methods.BasicNack(2, multiple=False, requeue=True), (1, 2, 0)),
    "nacks back": (methods.BasicNack(2, multiple=True, requeue=True), (2, 1, 0)),
    "nack": (methods.BasicNack(2, multiple=False, requeue=False), (0, 2, 1)),
    "nacks": (methods.BasicNack(3, multiple=True, requeue=False), (0, 0, 3)),
    "reject back": (methods.BasicReject(2, requeue=True), (1, 2, 0)),
    "reject": (methods.BasicReject(2, requeue=False), (0, 2, 1)),
}


@pytest.mark.parametrize(("method", "after"), SETTLED.values(), ids=SETTLED.keys())
def test_what_becomes_of_messages(
    broker: SimulatedBroker, client: SimulatedClient, method: methods.Method, after: tuple[int, int, int]
) -> None:
    client.send(1, method)
    if client.connection.channels.by_number[1].transaction is not None:
        client.settle()
        assert ready(broker) == (0, 3, 0), "nothing before the commit"
        client.send(1, methods.TxCommit())
        client.expect(methods.TxCommitOk)
    client.settle()
    assert ready(broker) == after


@pytest.mark.parametrize(
    "method",
    [methods.BasicNack(1, multiple=False, requeue=True), methods.BasicReject(1, requeue=True)],
    ids=["nack", "reject"],
)
def test_every_return_counts_towards_a_delivery_limit(
    broker: SimulatedBroker, client: SimulatedClient, method: methods.Method
) -> None:
    client.send(1, method)
    if client.connection.channels.by_number[1].transaction is not None:
        client.send(1, methods.TxCommit())
        client.expect(methods.TxCommitOk)
    client.settle()
    queue = broker.queue("q")
    polled = queue.poll(no_ack=False)
    assert polled is not None
    assert queue.failures(polled[0]) == 1
    queue.requeue([polled[0]], failed=False)


def test_what_get_ok_says(broker: SimulatedBroker, client: SimulatedClient) -> None:
    client.send(1, methods.QueueBind(queue="letters", exchange="amq.direct", routing_key="k"))
    client.expect(methods.QueueBindOk)
    other = broker.connect()
    for _ in range(3):
        other.publish("k", b"x", exchange="amq.direct")
    other.settle()
    first, second = client.get("letters"), client.get("letters", no_ack=True)
    assert first is not None
    assert second is not None
    assert first.method == methods.BasicGetOk(4, False, "amq.direct", "k", 2)
    assert second.method == methods.BasicGetOk(5, False, "amq.direct", "k", 1)
    client.close_channel()
    client.open()
    again = client.get("letters")
    assert again is not None
    assert again.method == methods.BasicGetOk(1, True, "amq.direct", "k", 1)


def test_recovering(broker: SimulatedBroker, client: SimulatedClient) -> None:
    client.send(1, methods.BasicRecover(requeue=True))
    client.expect(methods.BasicRecoverOk)
    assert ready(broker) == (3, 0, 0)
    assert client.get("q")
    client.send(1, methods.BasicRecoverAsync(requeue=True))
    assert client.take() == [], "without an answer"
    assert ready(broker) == (3, 0, 0)


@pytest.mark.parametrize("kind", [methods.BasicRecover, methods.BasicRecoverAsync])
def test_recovering_to_the_same_consumer_is_not_there(
    client: SimulatedClient,
    kind: type[methods.BasicRecover | methods.BasicRecoverAsync],
    caplog: pytest.LogCaptureFixture,
) -> None:
    client.send(1, kind(requeue=False))
    close = client.expect(methods.ConnectionClose, 0)
    assert (close.reply_code, close.reply_text) == (540, "NOT_IMPLEMENTED - requeue=false")
    assert "requeue=false; use requeue=true" in caplog.text


# Transactions


@pytest.fixture
def transactional(broker: SimulatedBroker) -> SimulatedClient:
    client = broker.connect()
    client.send(1, methods.TxSelect())
    client.expect(methods.TxSelectOk)
    return client


def test_a_commit_that_full_queues_refuse_in_part_says_of_how_many(
    broker: SimulatedBroker, transactional: SimulatedClient
) -> None:
    transactional.declare("full", arguments={"x-max-length": 1, "x-overflow": "reject-publish"})
    transactional.declare("other")
    for key in ("full", "full", "full", "other"):
        transactional.publish(key, b"x")
    transactional.send(1, methods.TxCommit())
    close = transactional.expect(methods.ChannelClose)
    assert close.reply_code == 406
    assert "partial tx completion; full queues refused 2 of the publishes; the rest is done" in close.reply_text
    assert [broker.queue(name).ready_count for name in ("full", "other")] == [1, 1]


def test_a_message_is_published_when_it_is_committed(broker: SimulatedBroker, transactional: SimulatedClient) -> None:
    transactional.declare("brief", arguments={"x-message-ttl": 1000})
    transactional.publish("brief", b"x")
    broker.advance(900)
    transactional.send(1, methods.TxCommit())
    transactional.expect(methods.TxCommitOk)
    broker.advance(900)
    assert broker.queue("brief").ready_count == 1
    broker.advance(100)
    assert broker.queue("brief").ready_count == 0


@pytest.mark.interpreted("replaces a method, which the compiled form doesn't let")
def test_a_commit_is_one_group_of_the_store(broker: SimulatedBroker, transactional: SimulatedClient) -> None:
    transactional.declare("q")
    transactional.publish("q", b"1")
    store, calls = broker.broker.store, []
    begin, end, queue = store.begin_group, store.end_group, broker.queue("q")
    store.begin_group = lambda: (calls.append(("begin", queue.ready_count)), begin())  # type: ignore[assignment,func-returns-value,method-assign]
    store.end_group = lambda: (calls.append(("end", queue.ready_count)), end())  # type: ignore[assignment,func-returns-value,method-assign]
    transactional.send(1, methods.TxCommit())
    assert calls == [("begin", 0), ("end", 1)]
