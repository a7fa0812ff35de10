"""tx.commit of very many publishes to exchanges that hold or remember messages: in slices, and in one moment."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.adapters.amqp091.test_long_commit_kinds import IN_ORDER, MANY, Work, names, publishing, transactional
from tests.support import core_clients
from tests.support.core_clients import take
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_client import SimulatedClient, publish_frames
from tests.support.simulated_mqtt import MqttClient
from warren.adapters.amqp091.codec import methods
from warren.adapters.mqtt.sessions.settings import QueueLimits
from warren.core.exchanges.delaying.exchange import DelayedMessageExchange
from warren.core.exchanges.recent_history import LENGTH_DEFAULT
from warren.core.queues.base import Queue
from warren.core.routing.staging import STAGED_PER_SLICE

DELAY_MS = 10_000


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[SimulatedBroker]:
    """On disk."""
    simulated = SimulatedBroker(tmp_path)
    yield simulated
    simulated.settle()
    simulated.close()


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Work:
    return Work(monkeypatch)


def delaying(broker: SimulatedBroker) -> DelayedMessageExchange:
    if "q" not in broker.vhost.queues:
        core_clients.queue(broker, "q", durable=True)
        core_clients.exchange(broker, "later", "x-delayed-message", {"x-delayed-type": "fanout"}, durable=True)
        core_clients.bind(broker, "q", "later")
    found = broker.vhost.exchanges["later"]
    assert isinstance(found, DelayedMessageExchange)
    return found


def let_all_come(broker: SimulatedBroker) -> list[bytes]:
    for _ in range(1 + MANY // 100):
        broker.advance(1)
    return take(broker.queue("q"))


def test_messages_are_held_in_one_moment(broker: SimulatedBroker, work: Work) -> None:
    exchange = delaying(broker)
    client = transactional(broker)
    publishing(client, core_clients.persistent(**{"x-delay": DELAY_MS}), "later")
    broker.advance(DELAY_MS - 1)
    client.send(1, methods.TxCommit())
    most, seen = work.turns(broker, lambda: exchange.messages_delayed)
    assert set(seen) == {0, MANY}
    assert most <= STAGED_PER_SLICE
    assert names(client) == ["tx.commit-ok"]
    counts = broker.vhost.exchange_counts("later")
    assert (counts.publish_in, counts.publish_out) == (MANY, 0)
    broker.advance(DELAY_MS - 1)
    assert broker.queue("q").ready_count == 0, "the delay counts from the commit"
    broker.advance(1)
    assert let_all_come(broker) == IN_ORDER


def test_a_time_of_its_own_stays(broker: SimulatedBroker) -> None:
    exchange = delaying(broker)
    client = transactional(broker)
    at_ms = broker.broker.now_ms + DELAY_MS
    publishing(client, core_clients.persistent(**{"x-deliver-at": at_ms}), "later")
    broker.advance(DELAY_MS // 2)
    client.send(1, methods.TxCommit())
    broker.settle()
    assert exchange.messages_delayed == MANY
    broker.advance(at_ms - broker.broker.now_ms - 1)
    assert broker.queue("q").ready_count == 0
    broker.advance(1)
    assert let_all_come(broker) == IN_ORDER


@pytest.mark.parametrize("turns", range(7))
def test_a_crash_keeps_all_of_it_or_nothing(broker: SimulatedBroker, turns: int) -> None:
    client = transactional(broker)
    exchange = delaying(broker)
    publishing(client, core_clients.persistent(**{"x-delay": DELAY_MS}), "later")
    broker.commits_by_itself = False
    client.send(1, methods.TxCommit())
    for _ in range(turns):
        broker.broker.end_turn()
    is_done = exchange.messages_delayed > 0
    broker.begin_commit()
    broker.finish_commit()
    broker.crash()
    broker.commits_by_itself = True
    assert delaying(broker).messages_delayed == (MANY if is_done else 0)
    broker.advance(DELAY_MS)
    assert let_all_come(broker) == (IN_ORDER if is_done else [])


def test_what_is_given_up_is_held_nowhere(broker: SimulatedBroker) -> None:
    """A queue comes meanwhile, so that all begins anew."""
    exchange = delaying(broker)
    client = transactional(broker)
    publishing(client, core_clients.persistent(**{"x-delay": DELAY_MS}), "later")
    client.send(1, methods.TxCommit())
    broker.broker.end_turn()
    core_clients.queue(broker, "another")
    broker.settle()
    assert names(client) == ["tx.commit-ok"]
    assert exchange.messages_delayed == MANY
    broker.restart()
    broker.advance(DELAY_MS)
    assert let_all_come(broker) == IN_ORDER


def test_a_history_has_the_latest_of_them(broker: SimulatedBroker, work: Work) -> None:
    queue = core_clients.queue(broker, "q", durable=True)
    core_clients.exchange(broker, "h", "x-recent-history", durable=True)
    core_clients.bind(broker, "q", "h")
    client = transactional(broker)
    publishing(client, exchange="h")
    client.send(1, methods.TxCommit())
    most, seen = work.turns(broker, lambda: queue.ready_count)
    assert set(seen) == {0, MANY}
    assert most <= STAGED_PER_SLICE
    assert take(queue) == IN_ORDER
    late = core_clients.queue(broker, "late", durable=True)
    core_clients.bind(broker, "late", "h")
    assert take(late) == IN_ORDER[-LENGTH_DEFAULT:]


@pytest.mark.parametrize("is_persistent", [False, True])
def test_a_session_of_mqtt_that_is_full(work: Work, *, is_persistent: bool) -> None:
    broker = SimulatedBroker(mqtt_limits=QueueLimits(messages=10))
    away = MqttClient(broker)
    away.connect("away", clean_start=False, session_expiry_interval=1000)
    away.subscribe("t", qos=1)
    away.lose()
    for _ in range(10):
        core_clients.publish(broker, "amq.topic", b"first", core_clients.persistent(), "t")
        broker.settle()
    queue = core_clients.bound_queue(broker, "q", "amq.topic", "t")
    client = transactional(broker)
    publishing(client, core_clients.persistent() if is_persistent else core_clients.with_headers(), "amq.topic", "t")
    client.send(1, methods.TxCommit())
    most, seen = work.turns(broker, lambda: queue.ready_count)
    assert set(seen) == {0, MANY}
    assert most <= STAGED_PER_SLICE
    assert names(client) == ["channel.close" if is_persistent else "tx.commit-ok"]
    assert broker.mqtt.dropped == MANY
    assert broker.broker.limit_hits.of("mqtt_max_queued_messages") == MANY
    assert broker.queue("mqtt-subscription-away").ready_count == 10
    broker.close()


def publishing_with_ids(client: SimulatedClient, ids: int) -> None:
    """Many publishes, of which each has one of so many values."""
    for number in range(MANY):
        properties = core_clients.persistent(**{"x-deduplication-header": number % ids})
        client.send_bytes(publish_frames("q", b"%d" % number, exchange="once", properties=properties.raw))
        if number % 100 == 0:
            client.broker.settle()
    client.broker.settle()


def publish_id(broker: SimulatedBroker, value: int, body: bytes = b"other") -> None:
    core_clients.publish(broker, "once", body, core_clients.persistent(**{"x-deduplication-header": value}), "q")


def dropping_duplicates(
    broker: SimulatedBroker, size: int = 10 * MANY, arguments: dict[str, str | int] | None = None
) -> Queue:
    core_clients.exchange(broker, "once", "fanout", {"x-message-deduplication": True, "x-cache-size": size})
    queue = core_clients.queue(broker, "q", arguments, durable=True)
    core_clients.bind(broker, "q", "once")
    return queue


def test_duplicates_of_each_other_and_of_others(broker: SimulatedBroker, work: Work) -> None:
    queue, ids = dropping_duplicates(broker), MANY - 500
    for value in (0, 7):
        publish_id(broker, value)
    client = transactional(broker)
    publishing_with_ids(client, ids)
    client.send(1, methods.TxCommit())
    most, seen = work.turns(broker, lambda: queue.ready_count)
    assert set(seen) == {2, ids}
    assert most <= STAGED_PER_SLICE
    assert names(client) == ["tx.commit-ok"]
    publish_id(broker, ids - 1)
    assert take(queue) == [b"other", b"other", *(body for at, body in enumerate(IN_ORDER[:ids]) if at not in (0, 7))]


def test_what_others_publish_meanwhile_is_no_duplicate_of_them(broker: SimulatedBroker) -> None:
    queue = dropping_duplicates(broker)
    client = transactional(broker)
    publishing_with_ids(client, MANY)
    client.send(1, methods.TxCommit())
    for _ in range(3):
        broker.broker.end_turn()
    assert not queue.ready_count
    publish_id(broker, 3)
    broker.settle()
    assert names(client) == ["tx.commit-ok"]
    assert take(queue) == [b"other", *(body for body in IN_ORDER if body != b"3")]


def test_a_window_that_they_push_others_out_of(broker: SimulatedBroker) -> None:
    queue = dropping_duplicates(broker, size=100)
    publish_id(broker, MANY - 1)
    client = transactional(broker)
    publishing_with_ids(client, MANY)
    client.send(1, methods.TxCommit())
    broker.settle()
    assert take(queue) == [b"other", *IN_ORDER]


def test_what_nobody_takes_was_not_there(broker: SimulatedBroker) -> None:
    room = MANY - 1
    queue = dropping_duplicates(broker, arguments={"x-max-length": room, "x-overflow": "reject-publish"})
    client = transactional(broker)
    publishing_with_ids(client, MANY)
    client.send(1, methods.TxCommit())
    broker.settle()
    assert take(queue) == IN_ORDER[:room]
    publish_id(broker, MANY - 1)
    publish_id(broker, 0)
    assert take(queue) == [b"other"]
