"""tx.commit of very many publishes of every kind, and of rejections: no turn has more than a slice of it, and whoever
looks sees all of it or nothing.

Counted is how many ways are looked for, and messages delivered one by one, in a turn: whatever publishes does either.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support import core_clients
from tests.support.core_clients import publish, take
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_client import SimulatedClient, publish_frames
from warren.adapters.amqp091.codec import methods
from warren.adapters.amqp091.long_commit import RETURNED_PER_SLICE
from warren.adapters.session.deliveries import SETTLED_PER_SLICE
from warren.core.declaring.queues import delete_queue
from warren.core.messages.properties import Properties, encode_properties
from warren.core.queues.base import Queue
from warren.core.queues.classic.burials import DEAD_LETTER_WORK
from warren.core.queues.classic.queue import ClassicQueue
from warren.core.routing.staging import STAGED_PER_SLICE, TRACED_PER_SLICE
from warren.core.routing.vhost import Outcome, VirtualHost

PERSISTENT = encode_properties(delivery_mode=2)

MANY = 3 * STAGED_PER_SLICE + 5

IN_ORDER = [b"%d" % number for number in range(MANY)]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[SimulatedBroker]:
    """On disk."""
    simulated = SimulatedBroker(tmp_path)
    yield simulated
    simulated.settle()
    simulated.close()


class Work:
    """What one turn has done of looking for ways and delivering one by one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.done = 0
        for name in ("route", "deliver"):
            self._count(monkeypatch, name, getattr(VirtualHost, name))

    def _count(self, monkeypatch: pytest.MonkeyPatch, name: str, call: Callable[..., object]) -> None:
        def counted(*arguments: object, **more: object) -> object:
            self.done += 1
            return call(*arguments, **more)

        monkeypatch.setattr(VirtualHost, name, counted)

    def turns(self, broker: SimulatedBroker, count: Callable[[], int]) -> tuple[int, list[int]]:
        """The most of it in one turn; and what `count` says after each."""
        most, seen, more = 0, [], True
        while more:
            self.done = 0
            more = broker.broker.end_turn()
            most = max(most, self.done)
            seen.append(count())
        broker.settle()
        return most, seen


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Work:
    return Work(monkeypatch)


def transactional(broker: SimulatedBroker) -> SimulatedClient:
    client = broker.connect()
    client.send(1, methods.TxSelect())
    client.take()
    return client


def publishing(
    client: SimulatedClient, properties: Properties = PERSISTENT, exchange: str = "", key: str = "q"
) -> None:
    """Many publishes, not committed."""
    raw = properties.raw
    for number in range(MANY):
        client.send_bytes(publish_frames(key, b"%d" % number, exchange=exchange, properties=raw))
        if number % 100 == 0:
            client.broker.settle()
    client.broker.settle()


def names(client: SimulatedClient) -> list[str]:
    return [event.method.NAME for event in client.take() if event.method is not None]


QUEUES: dict[str, dict[str, str | int]] = {
    "classic": {},
    "quorum": {"x-queue-type": "quorum"},
    "priorities": {"x-max-priority": 3},
    "with room": {"x-max-length": 2 * MANY, "x-overflow": "reject-publish"},
    "bytes with room": {"x-max-length-bytes": 20 * MANY, "x-overflow": "reject-publish"},
    "quorum with room": {"x-queue-type": "quorum", "x-max-length": 2 * MANY, "x-overflow": "reject-publish"},
    "length": {"x-max-length": 2 * MANY},
    "time to live": {"x-message-ttl": 60_000},
}

PROPERTIES: dict[str, Properties] = {
    "plain": PERSISTENT,
    "transient": encode_properties(delivery_mode=1),
    "expiration": encode_properties(delivery_mode=2, expiration="60000"),
    "copies": core_clients.persistent(CC=["copy"], BCC=["blind"]),
    "urgent": encode_properties(delivery_mode=2, priority=7),
}


@pytest.mark.parametrize("properties", PROPERTIES)
@pytest.mark.parametrize("arguments", QUEUES)
def test_all_or_nothing_in_slices(broker: SimulatedBroker, work: Work, arguments: str, properties: str) -> None:
    queue = core_clients.queue(broker, "q", QUEUES[arguments], durable=True)
    copies = [core_clients.queue(broker, name, durable=True) for name in ("copy", "blind")]
    client = transactional(broker)
    publishing(client, PROPERTIES[properties])
    client.send(1, methods.TxCommit())
    most, seen = work.turns(broker, lambda: queue.ready_count)
    assert set(seen) == {0, MANY}
    assert most <= STAGED_PER_SLICE
    assert names(client) == ["tx.commit-ok"]
    broker.check()
    broker.restart()
    stays = properties != "transient" or arguments.startswith("quorum")
    assert take(broker.queue("q")) == (IN_ORDER if stays else [])
    for copy in copies:
        assert take(broker.queue(copy.name)) == (IN_ORDER if properties == "copies" else [])


@pytest.mark.parametrize("turns", range(7))
def test_a_crash_keeps_all_of_it_or_nothing(broker: SimulatedBroker, turns: int) -> None:
    core_clients.queue(broker, "q", {"x-queue-type": "quorum"}, durable=True)
    client = transactional(broker)
    publishing(client, PROPERTIES["expiration"])
    broker.commits_by_itself = False
    client.send(1, methods.TxCommit())
    for _ in range(turns):
        broker.broker.end_turn()
    is_done = broker.queue("q").ready_count > 0
    broker.begin_commit()
    broker.finish_commit()
    broker.crash()
    broker.commits_by_itself = True
    assert take(broker.queue("q")) == (IN_ORDER if is_done else [])


def test_by_a_headers_exchange(broker: SimulatedBroker, work: Work) -> None:
    queue = core_clients.queue(broker, "q", durable=True)
    core_clients.exchange(broker, "h", "headers", durable=True)
    core_clients.bind(broker, "q", "h")
    client = transactional(broker)
    publishing(client, core_clients.persistent(a=1), "h")
    client.send(1, methods.TxCommit())
    most, seen = work.turns(broker, lambda: queue.ready_count)
    assert set(seen) == {0, MANY}
    assert most <= STAGED_PER_SLICE
    assert take(queue) == IN_ORDER
    counts = broker.vhost.exchange_counts("h")
    assert (counts.publish_in, counts.publish_out) == (MANY, MANY)


def test_what_the_firehose_sees(broker: SimulatedBroker, work: Work) -> None:
    queue = core_clients.queue(broker, "q", durable=True)
    seen_by_firehose = core_clients.bound_queue(broker, "traces", "amq.rabbitmq.trace", "publish.#")
    client = transactional(broker)
    publishing(client)
    broker.broker.set_tracing("/", True)
    client.send(1, methods.TxCommit())
    most, seen = work.turns(broker, lambda: queue.ready_count)
    assert set(seen) == {0, MANY}
    assert most <= max(STAGED_PER_SLICE, 2 * TRACED_PER_SLICE)
    assert take(seen_by_firehose) == IN_ORDER
    assert names(client) == ["tx.commit-ok"]


def test_mandatory_ones_come_back_before_the_answer(broker: SimulatedBroker, work: Work) -> None:
    client = transactional(broker)
    for number in range(MANY):
        client.send_bytes(publish_frames("nowhere", b"%d" % number, mandatory=number % 2 == 0))
    broker.settle()
    client.send(1, methods.TxCommit())
    returned: list[int] = []
    work.turns(broker, lambda: returned.append(len(client.connection.outbox.chunks)) or 0)  # type: ignore[func-returns-value]
    events = client.take()
    assert [event.body for event in events[:-1]] == IN_ORDER[::2]
    assert isinstance(events[-1].method, methods.TxCommitOk)
    assert RETURNED_PER_SLICE < MANY // 2
    counts = client.connection.channels.by_number[1].counts
    assert (counts.publish, counts.return_unroutable, counts.drop_unroutable) == (MANY, MANY // 2 + 1, MANY // 2)


def test_places_in_a_queue_that_refuses_are_kept(broker: SimulatedBroker) -> None:
    """Whoever publishes meanwhile finds it as full as it is going to be."""
    queue = core_clients.queue(broker, "q", {"x-max-length": MANY, "x-overflow": "reject-publish"}, durable=True)
    client = transactional(broker)
    publishing(client)
    client.send(1, methods.TxCommit())
    for _ in range(3):
        broker.broker.end_turn()
    assert queue.ready_count == 0
    outcomes = [publish(broker, "", b"x", core_clients.persistent(), "q")[1] for _ in range(MANY)]
    assert outcomes.count(Outcome.REFUSED) >= 2 * STAGED_PER_SLICE
    broker.settle()
    assert queue.ready_count == MANY
    assert isinstance(queue, ClassicQueue)
    assert (queue.bounds.reserved_count, queue.bounds.reserved_bytes) == (0, 0)


def test_places_are_given_back_where_all_begins_anew(broker: SimulatedBroker) -> None:
    queue = core_clients.queue(broker, "q", {"x-max-length": MANY, "x-overflow": "reject-publish"}, durable=True)
    client = transactional(broker)
    publishing(client)
    client.send(1, methods.TxCommit())
    broker.broker.end_turn()
    core_clients.queue(broker, "another")
    broker.settle()
    assert isinstance(queue, ClassicQueue)
    assert queue.bounds.reserved_count == 0
    assert take(queue) == IN_ORDER
    assert names(client) == ["tx.commit-ok"]


def test_a_consumer_of_a_queue_that_refuses_makes_room(broker: SimulatedBroker) -> None:
    queue = core_clients.queue(broker, "q", {"x-max-length": 0, "x-overflow": "reject-publish"}, durable=True)
    other = broker.connect()
    other.qos(STAGED_PER_SLICE)
    other.consume("q", "c")
    client = transactional(broker)
    publishing(client)
    client.send(1, methods.TxCommit())
    (close,) = [event.method for event in client.take()]
    assert isinstance(close, methods.ChannelClose)
    assert f"refused {MANY - STAGED_PER_SLICE} of the publishes" in close.reply_text
    assert (queue.ready_count, queue.unacked_count) == (0, STAGED_PER_SLICE)


def acknowledged(broker: SimulatedBroker, count: int, *, requeue: bool | None = None) -> tuple[Queue, SimulatedClient]:
    """A client that has rejected so many messages of a queue with dead letters, and not committed."""
    arguments: dict[str, str | int] = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "graves"}
    queue = core_clients.queue(broker, "from", arguments, durable=True)
    core_clients.queue(broker, "graves", durable=True)
    for number in range(count):
        publish(broker, "", b"%d" % number, core_clients.persistent(), "from")
    client = transactional(broker)
    client.consume("from", "c")
    client.take()
    client.send(1, methods.BasicCancel("c", False))
    client.take()
    client.nack(count, multiple=True, requeue=bool(requeue))
    broker.settle()
    assert queue.unacked_count == count
    return queue, client


def test_dead_letters_of_a_transaction(broker: SimulatedBroker, work: Work) -> None:
    queue, client = acknowledged(broker, 300)
    graves = broker.queue("graves")
    client.send(1, methods.TxCommit())
    most, seen = work.turns(broker, lambda: graves.ready_count)
    assert set(seen) == {0, 300}
    assert most <= max(STAGED_PER_SLICE, SETTLED_PER_SLICE // DEAD_LETTER_WORK + 10)
    assert queue.unacked_count == 0
    assert queue.message_counts["dead_letter_rejected"] == 300
    assert names(client) == ["tx.commit-ok"]
    broker.restart()
    assert take(broker.queue("graves")) == IN_ORDER[:300]
    assert take(broker.queue("from")) == []


@pytest.mark.parametrize("turns", [0, 1, 5, 10, 16, 17, 18, 19, 25])
def test_a_crash_amid_dead_letters(broker: SimulatedBroker, turns: int) -> None:
    _, client = acknowledged(broker, 300)
    broker.commits_by_itself = False
    client.send(1, methods.TxCommit())
    for _ in range(turns):
        broker.broker.end_turn()
    is_done = broker.queue("graves").ready_count > 0
    broker.begin_commit()
    broker.finish_commit()
    broker.crash()
    broker.commits_by_itself = True
    left = (take(broker.queue("graves")), take(broker.queue("from")))
    assert left == ((IN_ORDER[:300], []) if is_done else ([], IN_ORDER[:300]))


def test_dead_letters_that_go_nowhere_by_then(broker: SimulatedBroker) -> None:
    queue, client = acknowledged(broker, 300)
    client.send(1, methods.TxCommit())
    broker.broker.end_turn()
    delete_queue(core_clients.guest(broker), "graves")
    assert names(client) == ["tx.commit-ok"]
    assert queue.message_counts["dead_letter_lost_no_queue"] > 0
    assert queue.unacked_count == 0
    assert broker.broker.store.statistics()["entries"] == 0


def test_what_is_requeued_comes_back_in_slices(broker: SimulatedBroker) -> None:
    queue, client = acknowledged(broker, 3 * SETTLED_PER_SLICE, requeue=True)
    client.send(1, methods.TxCommit())
    most, more = 0, True
    while more:
        before = queue.unacked_count
        more = broker.broker.end_turn()
        most = max(most, before - queue.unacked_count)
    assert most == SETTLED_PER_SLICE
    assert names(client) == ["tx.commit-ok"]
    assert take(queue) == [b"%d" % number for number in range(3 * SETTLED_PER_SLICE)]
