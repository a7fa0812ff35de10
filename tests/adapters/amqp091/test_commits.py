"""When tx.commit-ok is due, and what is asked once more at the commit (AMQP 0-9-1 1.9)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.late_queue import LATE_BY_MS, LateQueue, late_queues
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_client import NO_PROPERTIES, PERSISTENT, SimulatedClient
from tests.support.tracebacks import tracebacks
from warren.adapters.amqp091.codec import methods
from warren.core.messages.properties import encode_properties

USER = "alice"


@pytest.fixture
def broker(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Iterator[SimulatedBroker]:
    """On a disk, with queues of a type that answers late; its commits are the tests' to begin and finish."""
    with late_queues():
        broker = SimulatedBroker(tmp_path)
        yield broker
        broker.commits_by_itself = True
        broker.settle()
        broker.check()
        broker.close()
    assert tracebacks(caplog) == []


@pytest.fixture
def client(broker: SimulatedBroker) -> SimulatedClient:
    """Channel 1 is transactional; `late` answers late, `fast` at once."""
    client = broker.connect()
    client.declare("fast", durable=True)
    client.send(1, methods.QueueDeclare(queue="late", durable=True, arguments={"x-queue-type": "late"}))
    broker.advance(LATE_BY_MS)
    client.expect(methods.QueueDeclareOk)
    client.send(1, methods.TxSelect())
    client.expect(methods.TxSelectOk)
    broker.commits_by_itself = False
    return client


def flush(broker: SimulatedBroker) -> None:
    broker.begin_commit()
    broker.finish_commit()


def answer(broker: SimulatedBroker) -> None:
    broker.advance(LATE_BY_MS)


@pytest.mark.parametrize(("first", "second"), [(flush, answer), (answer, flush)], ids=["disk first", "queue first"])
def test_it_comes_after_the_disk_and_the_queue(
    broker: SimulatedBroker,
    client: SimulatedClient,
    first: Callable[[SimulatedBroker], None],
    second: Callable[[SimulatedBroker], None],
) -> None:
    """Twice, since what is counted must go on from where it was."""
    for _ in range(2):
        client.publish("late", b"1", properties=PERSISTENT)
        client.publish("fast", b"2", properties=PERSISTENT)
        client.send(1, methods.TxCommit())
        assert client.take() == []
        first(broker)
        assert client.take() == [], "one of two"
        second(broker)
        assert client.take_methods() == [methods.TxCommitOk()]


@pytest.mark.parametrize("properties", [NO_PROPERTIES, PERSISTENT], ids=["transient", "persistent"])
def test_it_comes_at_once_unless_something_was_stored(
    broker: SimulatedBroker, client: SimulatedClient, properties: bytes
) -> None:
    """That there is a disk is no reason to wait for it."""
    client.publish("fast", b"1", properties=properties)
    client.send(1, methods.TxCommit())
    client.settle()
    client.collect()
    assert [event.method for event in client.events] == ([] if properties is PERSISTENT else [methods.TxCommitOk()])


def test_a_queue_that_could_be_late_and_is_not(broker: SimulatedBroker, client: SimulatedClient) -> None:
    """What it has answered within the publish is nothing to wait for."""
    late = broker.vhost.queue("late")
    assert isinstance(late, LateQueue)
    late.append_with = lambda message, receipt: late.append(message)  # type: ignore[method-assign]
    client.publish("late", b"1")
    client.send(1, methods.TxCommit())
    assert client.take_methods() == [methods.TxCommitOk()]
    assert late.ready_count == 1


# Rights that have changed since


@pytest.fixture
def alice(broker: SimulatedBroker) -> SimulatedClient:
    """A transaction of a user who may write to amq.topic alone, with a message for the queue q."""
    users = broker.broker.users
    users.add_user(USER, "secret")
    users.set_permissions(USER, "/", ".*", r"^amq\.topic$", ".*")
    guest = broker.connect()
    guest.declare("q")
    guest.send(1, methods.QueueBind(queue="q", exchange="amq.topic", routing_key="#"))
    guest.expect(methods.QueueBindOk)
    client = broker.accept()
    client.handshake(user=USER, password="secret")
    client.open()
    client.send(1, methods.TxSelect())
    client.expect(methods.TxSelectOk)
    copied = encode_properties(headers={"CC": ["copied"]}).raw
    client.publish("key", b"x", exchange="amq.topic", properties=copied)
    client.settle()
    return client


ASKED_AGAIN = [
    ("^key$|^copied$", r"^amq\.topic$", ""),
    ("^key$", r"^amq\.topic$", "write access to topic 'copied' in exchange 'amq.topic'"),
    ("^copied$", r"^amq\.topic$", "write access to topic 'key' in exchange 'amq.topic'"),
    (".*", "^other$", "write access to exchange 'amq.topic' in vhost '/' refused for user 'alice'"),
]


@pytest.mark.parametrize(("topics", "write", "refusal"), ASKED_AGAIN)
def test_each_right_is_asked_for_once_more(
    broker: SimulatedBroker, alice: SimulatedClient, topics: str, write: str, refusal: str
) -> None:
    broker.broker.users.set_permissions(USER, "/", ".*", write, ".*")
    broker.broker.users.set_topic_permissions(USER, "/", "amq.topic", topics, ".*")
    broker.settle()
    alice.send(1, methods.TxCommit())
    if not refusal:
        alice.expect(methods.TxCommitOk)
    else:
        close = alice.expect(methods.ChannelClose)
        assert close.reply_code == 403
        assert refusal in close.reply_text
    assert broker.queue("q").ready_count == (not refusal)
