"""What a session keeps of its open transactions, and what their COMMIT asks first and waits for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import core_clients
from tests.support.late_queue import LateQueue, late_queues
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_stomp import StompClient
from warren.adapters.stomp.codec.errors import StompError
from warren.adapters.stomp.open_transactions import OpenTransactions
from warren.adapters.stomp.settings import ACTIONS_MAX, TRANSACTIONS_MAX
from warren.adapters.stomp.settling import Settlement


def test_what_is_kept() -> None:
    made = OpenTransactions()
    first, second, third = (Settlement(tag, multiple=False, verdict="ack") for tag in (1, 2, 3))
    for name in ("t", "u"):
        made.begin(name)
        made.add_receipt(name, f"of {name}")
    for name, action in (("t", first), ("u", second), ("t", third)):
        made.check_room(name)
        made.add(name, action)
    assert (len(made), made.action_count) == (2, 3)
    assert (made.receipts("t"), made.receipts("v")) == (["of t"], [])
    assert made.take("t") == [first, third]
    assert (len(made), made.action_count, made.receipts("t"), made.receipts("u")) == (1, 1, [], ["of u"])
    made.begin("u")
    assert (len(made), made.action_count, made.receipts("u")) == (1, 0, [])
    made.add_receipt("u", "again")
    made.clear()
    assert (len(made), made.action_count, made.receipts("u")) == (0, 0, [])


def test_so_many_and_no_more() -> None:
    made = OpenTransactions()
    for number in range(TRANSACTIONS_MAX):
        made.begin(str(number))
    made.begin("0")
    with pytest.raises(StompError) as raised:
        made.begin("x")
    assert (raised.value.message, raised.value.limit) == ("Too many transactions", "transactions of a STOMP connection")
    for _ in range(ACTIONS_MAX):
        made.check_room("0")
        made.add("0", Settlement(1, multiple=False, verdict="ack"))
    with pytest.raises(StompError) as raised:
        made.check_room("0")
    assert (raised.value.message, raised.value.limit) == ("Transaction too large", "frames of a STOMP transaction")


def test_one_that_is_not_open() -> None:
    made = OpenTransactions()
    with pytest.raises(StompError) as raised:
        made.take("t")
    assert raised.value.message == "Bad transaction"
    assert raised.value.detail == (
        'Invalid transaction identifier: "t"; it isn\'t open in this session; BEGIN it first'
    )


# COMMIT


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[SimulatedBroker]:
    """On a disk, with the durable queues a and late; its commits are the tests' to begin and finish."""
    with late_queues():
        broker = SimulatedBroker(tmp_path)
        core_clients.queue(broker, "a", durable=True)
        core_clients.queue(broker, "late", {"x-queue-type": "late"}, durable=True)
        broker.settle()
        broker.commits_by_itself = False
        yield broker
        broker.commits_by_itself = True
        broker.settle()
        broker.close()


def commit(client: StompClient, *frames: dict[str, str]) -> list[str]:
    """BEGIN, those frames, COMMIT with a receipt: what is answered at once."""
    client.send("BEGIN", transaction="t")
    for frame in frames:
        headers = {"transaction": "t", **frame}
        command = headers.pop("command", "SEND")
        assert client.send(command, b"x" if command == "SEND" else b"", **headers) == []
    return [answer.command for answer in client.send("COMMIT", transaction="t", receipt="1")]


TRANSIENT = {"destination": "/amq/queue/a"}
PERSISTENT = {**TRANSIENT, "persistent": "true"}
WAITING: list[tuple[list[dict[str, str]], bool]] = [
    ([], False),
    ([TRANSIENT], False),
    ([PERSISTENT], True),
    ([PERSISTENT, TRANSIENT], True),
]


@pytest.mark.parametrize(("frames", "waits"), WAITING)
def test_it_waits_for_the_disk_when_something_was_stored(
    broker: SimulatedBroker, frames: list[dict[str, str]], waits: bool
) -> None:
    client = StompClient(broker).connect()
    assert commit(client, *frames) == ([] if waits else ["RECEIPT"])
    broker.begin_commit()
    broker.finish_commit()
    broker.settle()
    assert [answer.command for answer in client.answers()] == (["RECEIPT"] if waits else [])


def test_without_a_disk_there_is_nothing_to_wait_for() -> None:
    broker = SimulatedBroker()
    core_clients.queue(broker, "a", durable=True)
    broker.settle()
    broker.commits_by_itself = False
    client = StompClient(broker).connect()
    client.send("SUBSCRIBE", id="1", destination="/amq/queue/a", ack="client")
    (message,) = client.send("SEND", b"x", **PERSISTENT)
    assert commit(client, {"command": "ACK", "id": message["ack"]}) == ["RECEIPT"]
    assert commit(client, PERSISTENT) == ["RECEIPT", "MESSAGE"]


def test_what_is_settled_is_stored_too(broker: SimulatedBroker) -> None:
    client = StompClient(broker).connect()
    broker.commits_by_itself = True
    client.send("SUBSCRIBE", id="1", destination="/amq/queue/a", ack="client-individual")
    (message,) = client.send("SEND", b"x", **PERSISTENT)
    broker.commits_by_itself = False
    assert commit(client, {"command": "ACK", "id": message["ack"]}) == []


def test_a_queue_that_could_be_late_and_is_not(broker: SimulatedBroker) -> None:
    late = broker.vhost.queue("late")
    assert isinstance(late, LateQueue)
    late.append_with = lambda message, receipt: late.append(message)  # type: ignore[method-assign]
    assert commit(StompClient(broker).connect(), {"destination": "/amq/queue/late"}) == ["RECEIPT"]


@pytest.mark.interpreted("replaces a method, which the compiled form doesn't let")
def test_it_is_one_group_of_the_store(broker: SimulatedBroker) -> None:
    client = StompClient(broker).connect()
    store, calls, queue = broker.broker.store, [], broker.queue("a")
    begin, end = store.begin_group, store.end_group
    store.begin_group = lambda: (calls.append(("begin", queue.ready_count)), begin())  # type: ignore[assignment,func-returns-value,method-assign]
    store.end_group = lambda: (calls.append(("end", queue.ready_count)), end())  # type: ignore[assignment,func-returns-value,method-assign]
    commit(client, TRANSIENT, PERSISTENT)
    assert calls == [("begin", 0), ("end", 2)]


def test_the_firehose_shows_who_published(broker: SimulatedBroker) -> None:
    client = StompClient(broker).connect()
    traces = core_clients.bound_queue(broker, "traces", "amq.rabbitmq.trace", "publish.#")
    broker.broker.set_tracing("/", True)
    commit(client, TRANSIENT)
    broker.broker.set_tracing("/", False)
    (copy,) = core_clients.take_messages(traces)
    said = core_clients.headers_of(copy)
    assert (said["user"], said["channel"]) == ("guest", 0)


TAKEN_TWICE = [
    ("client-individual", (1, 0), True),
    ("client-individual", (1, 2, 0), True),
    ("client-individual", (1, 1), False),
    ("client", (1, 2), True),
    ("client", (1, 0), False),
    ("client", (1, 1), False),
    ("client", (2, 1), False),
]


@pytest.mark.parametrize(("ack", "acked", "done"), TAKEN_TWICE)
def test_all_of_it_or_nothing_when_a_message_is_settled_twice(
    broker: SimulatedBroker, ack: str, acked: tuple[int, ...], done: bool
) -> None:
    """Three were delivered."""
    broker.commits_by_itself = True
    client = StompClient(broker).connect()
    client.send("SUBSCRIBE", id="1", destination="/amq/queue/a", ack=ack)
    tags = [client.send("SEND", b"x", **TRANSIENT)[0]["ack"] for _ in range(3)]
    said = commit(client, *({"command": "ACK", "id": tags[index]} for index in acked))
    assert said == ["RECEIPT" if done else "ERROR"]
    settled = max(acked) + 1 if ack == "client" else len(acked)
    assert broker.queue("a").unacked_count == (3 - settled if done else 3)
