"""What queues, exchanges and virtual hosts count, and rates: exactly what has happened."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.counting import bind, consumer_of, counted, declare, send
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_consumer import SimulatedConsumer
from warren.core.administration.listing.selecting import Query, select
from warren.core.clients.client import Client
from warren.core.counters import (
    QUEUES_PER_SLICE,
    ConnectionCounts,
    SessionCounts,
    vhost_counts,
    vhost_counts_in_slices,
)
from warren.core.declaring.queues import remove_queue
from warren.core.messages.field_table import FieldTable
from warren.core.messages.message import Message
from warren.core.messages.properties import EMPTY
from warren.core.routing.publish import publish


@pytest.fixture
def broker() -> Iterator[SimulatedBroker]:
    broker = SimulatedBroker()
    yield broker
    broker.settle()


def test_a_queue_counts_deliveries_and_acknowledgements(broker: SimulatedBroker) -> None:
    queue = declare(broker, "q")
    send(broker, "q", 5)
    consumer = consumer_of(queue)
    broker.settle()
    consumer.acknowledge(3)
    assert counted(queue.message_counts) == {"publish": 5, "deliver": 5, "deliver_get": 5, "ack": 3}
    assert queue.message_counts["publish_bytes"] == 25
    assert queue.message_counts["deliver_get_bytes"] == 25
    assert counted(consumer.counts.snapshot(0)) == {"deliver": 5, "deliver_get": 5}


def test_what_needs_no_acknowledgement_counts_apart(broker: SimulatedBroker) -> None:
    queue = declare(broker, "q")
    consumer = consumer_of(queue, no_ack=True)
    send(broker, "q", 4)
    broker.settle()
    assert counted(queue.message_counts) == {"publish": 4, "deliver_no_ack": 4, "deliver_get": 4}
    assert counted(consumer.counts.snapshot(0)) == {"deliver_no_ack": 4, "deliver_get": 4}


@pytest.mark.parametrize("ttl", [None, 60_000])
def test_each_consumer_of_many_has_what_it_got(broker: SimulatedBroker, ttl: int | None) -> None:
    queue = declare(broker, "q", **({} if ttl is None else {"x_message_ttl": ttl}))
    consumers = [
        consumer_of(queue, no_ack=no_ack, credit=credit) for no_ack, credit in ((False, 2), (True, 9), (True, 1))
    ]
    send(broker, "q", 9)
    broker.settle()
    got = [len(each.taken) for each in consumers]
    assert sum(got) == 9
    assert [each.counts.deliver + each.counts.deliver_no_ack for each in consumers] == got
    assert [each.counts.deliver for each in consumers] == [2, 0, 0]
    assert counted(queue.message_counts) == {"publish": 9, "deliver": 2, "deliver_no_ack": 7, "deliver_get": 9}


@pytest.mark.parametrize("ttl", [None, 60_000])
def test_redeliveries(broker: SimulatedBroker, ttl: int | None) -> None:
    queue = declare(broker, "q", **({} if ttl is None else {"x_message_ttl": ttl}))
    consumer = consumer_of(queue, credit=3)
    send(broker, "q", 3)
    broker.settle()
    consumer.requeue([0, 2])
    consumer.give(2)
    broker.settle()
    counts = {"publish": 3, "deliver": 5, "deliver_get": 5, "redeliver": 2}
    assert counted(queue.message_counts) == counts
    assert consumer.counts.redeliver == 2
    consumer.acknowledge(3)
    assert counted(queue.message_counts) == {**counts, "ack": 3}


def test_polls(broker: SimulatedBroker) -> None:
    queue = declare(broker, "q")
    send(broker, "q", 2)
    first = queue.poll(no_ack=False)
    assert first is not None
    queue.requeue([first[0]])
    again = queue.poll(no_ack=False)
    assert again is not None
    assert queue.poll(no_ack=True) is not None
    assert queue.poll(no_ack=True) is None
    queue.acknowledge(again[0])
    expected = {"publish": 2, "get": 2, "get_no_ack": 1, "get_empty": 1, "deliver_get": 3, "redeliver": 1, "ack": 1}
    assert counted(queue.message_counts) == expected
    assert queue.message_counts["deliver_get_bytes"] == 15


def test_dead_letters_by_reason(broker: SimulatedBroker) -> None:
    dead = {"x_dead_letter_exchange": "", "x_dead_letter_routing_key": "dead"}
    letters = declare(broker, "dead")
    rejecting = declare(broker, "rejecting", **dead)
    send(broker, "rejecting")
    polled = rejecting.poll(no_ack=False)
    assert polled is not None
    rejecting.discard(polled[0])
    assert counted(rejecting.message_counts) == {"publish": 1, "get": 1, "deliver_get": 1, "dead_letter_rejected": 1}
    expiring = declare(broker, "expiring", x_message_ttl=10, **dead)
    send(broker, "expiring", 2)
    broker.settle()
    broker.advance(11)
    assert counted(expiring.message_counts) == {"publish": 2, "dead_letter_expired": 2}
    full = declare(broker, "full", x_max_length=1, **dead)
    send(broker, "full", 4)
    broker.settle()
    assert counted(full.message_counts) == {"publish": 4, "dead_letter_maxlen": 3}
    failing = declare(broker, "failing", x_delivery_limit=0, **dead)
    send(broker, "failing")
    polled = failing.poll(no_ack=False)
    assert polled is not None
    failing.requeue([polled[0]])
    broker.settle()
    expected = {"publish": 1, "get": 1, "deliver_get": 1, "dead_letter_delivery_limit": 1}
    assert counted(failing.message_counts) == expected
    refusing = declare(broker, "refusing", x_max_length=1, x_overflow="reject-publish-dlx", **dead)
    send(broker, "refusing", 2)
    broker.settle()
    assert counted(refusing.message_counts) == {"publish": 1, "dead_letter_maxlen": 1}
    assert letters.message_counts["publish"] == 8
    assert broker.broker.dead_letters.snapshot() == {
        ("classic", False, "rejected"): 1,
        ("classic", False, "expired"): 2,
        ("classic", False, "maxlen"): 4,
        ("classic", False, "delivery_limit"): 1,
    }


def test_dead_letters_that_are_sure_count_when_they_are_taken(broker: SimulatedBroker) -> None:
    """By at-least-once; those of a queue that is gone stay counted."""
    arguments: FieldTable = {
        "x-queue-type": "quorum",
        "x-message-ttl": 10,
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": "dead",
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }
    broker.connect().declare("expiring", durable=True, arguments=arguments)
    send(broker, "expiring", 2)
    broker.settle()
    broker.advance(11)
    assert broker.broker.dead_letters.snapshot() == {}
    declare(broker, "dead")
    broker.advance(600_000)
    assert broker.broker.dead_letters.snapshot() == {("quorum", True, "expired"): 2}
    remove_queue(broker.vhost, broker.queue("expiring"))
    assert broker.broker.dead_letters.snapshot() == {("quorum", True, "expired"): 2}


def test_without_a_dead_letter_exchange_there_are_no_dead_letters(broker: SimulatedBroker) -> None:
    queue = declare(broker, "q", x_max_length=1)
    send(broker, "q", 3)
    broker.settle()
    assert counted(queue.message_counts) == {"publish": 3}


def test_purged_and_trimmed_messages_came_in(broker: SimulatedBroker) -> None:
    queue = declare(broker, "q")
    send(broker, "q", 3)
    queue.drop_ready()
    assert counted(queue.message_counts) == {"publish": 3}
    assert queue.message_counts["publish_bytes"] == 15


def test_what_was_there_before_a_restart_was_not_published_since(tmp_path: Path) -> None:
    broker = SimulatedBroker(tmp_path)
    broker.connect().declare("q", durable=True)
    send(broker, "q", 3, delivery_mode=2)
    broker.settle()
    broker.restart()
    queue = broker.queue("q")
    assert queue.ready_count == 3
    assert counted(queue.message_counts) == {}
    assert queue.message_counts["publish_bytes"] == 0
    send(broker, "q", 1, delivery_mode=2)
    assert queue.poll(no_ack=True) is not None
    assert counted(queue.message_counts) == {"publish": 1, "get_no_ack": 1, "deliver_get": 1}
    broker.settle()
    broker.close()


def test_an_exchange_counts_what_came_and_where_it_went(broker: SimulatedBroker) -> None:
    client = broker.connect()
    for name in ("a", "b"):
        client.declare(name)
        bind(broker, name, "amq.fanout")
    send(broker, "", 3, exchange="amq.fanout")
    send(broker, "nowhere", 2, exchange="amq.direct")
    exchanges = broker.vhost.exchanges
    assert exchanges["amq.fanout"].counts.snapshot() == {"publish_in": 3, "publish_out": 6}
    assert exchanges["amq.direct"].counts.snapshot() == {"publish_in": 2, "publish_out": 0}


def test_a_deleted_queue_stays_in_the_sums_of_its_virtual_host(broker: SimulatedBroker) -> None:
    queue = declare(broker, "q")
    send(broker, "q", 2)
    assert queue.poll(no_ack=True) is not None
    remove_queue(broker.vhost, queue)
    counts = vhost_counts(broker.vhost)
    assert (counts["get_no_ack"], counts["deliver_get_bytes"]) == (1, 5)
    assert "publish_bytes" not in counts


def test_a_session_counts_what_its_vhost_does() -> None:
    broker = SimulatedBroker()
    route = broker.vhost.route("", "nowhere")
    counts = SessionCounts(broker.vhost, lambda: 1)
    counts.published(route, 1)
    counts.published(route, 1, returned=True)
    counts.confirmed(2)
    given = counts.of(declare(broker, "q"))
    given.polled(no_ack=False, redelivered=True)
    given.polled(no_ack=True, redelivered=False)
    given.deliver = 4
    counts.returned = 2
    assert counted(counts.snapshot()) == {
        "publish": 2,
        "confirm": 2,
        "return_unroutable": 1,
        "drop_unroutable": 1,
        "deliver": 4,
        "get": 1,
        "get_no_ack": 1,
        "deliver_get": 6,
        "redeliver": 1,
        "ack": 2,
    }
    of_vhost = counted(vhost_counts(broker.vhost))
    assert of_vhost == {"publish": 2, "confirm": 2, "return_unroutable": 1, "drop_unroutable": 1}


def test_publishing_for_a_client_counts_for_it(broker: SimulatedBroker) -> None:
    declare(broker, "q")
    client = Client("publisher", broker.broker.users["guest"], broker.vhost, "test", {})
    for key in ("q", "q", "nowhere"):
        publish(client, "", key, EMPTY, b"12345")
    assert counted(client.counts.snapshot()) == {"publish": 3, "drop_unroutable": 1}


def test_a_connection_is_the_sum_of_its_channels_closed_ones_too() -> None:
    broker = SimulatedBroker()
    connection = ConnectionCounts(broker.vhost)
    first, second = (connection.begin(SessionCounts(broker.vhost, lambda: 0)) for _ in range(2))
    first.confirmed(2)
    second.confirmed(3)
    connection.own.confirmed(5)
    connection.end(first)
    connection.end(first)
    assert counted(connection.snapshot()) == {"confirm": 10}


def test_the_counts_of_a_virtual_host_are_added_up_in_slices(broker: SimulatedBroker) -> None:
    """Queues that go meanwhile count once, whether or not it had come to them."""
    for number in range(3 * QUEUES_PER_SLICE):
        queue = declare(broker, f"q{number}")
        queue.counts.get = 1
    whole = vhost_counts(broker.vhost)
    assert whole["get"] == 3 * QUEUES_PER_SLICE
    slices = vhost_counts_in_slices(broker.vhost)
    next(slices)
    for number in (0, 1, 3 * QUEUES_PER_SLICE - 1):
        remove_queue(broker.vhost, broker.queue(f"q{number}"))
    declare(broker, "new").counts.get = 1
    steps = 1
    while True:
        try:
            next(slices)
        except StopIteration as end:
            found = end.value
            break
        steps += 1
    assert steps == 3
    assert found == whole
    assert vhost_counts(broker.vhost)["get"] == whole["get"] + 1


@pytest.mark.parametrize(
    "query", [Query("vhosts", columns=("message_stats",)), Query("vhosts", sort="message_stats.get")]
)
def test_a_listing_adds_them_up_in_slices(broker: SimulatedBroker, query: Query) -> None:
    for number in range(2 * QUEUES_PER_SLICE):
        declare(broker, f"q{number}").counts.get = 1
    steps = select(broker.broker, query)
    slices = 0
    while steps.step():
        slices += 1
    assert slices == 4, "two for the counts, and two for the lengths"
    if query.columns is not None:
        assert steps.result.rows == [{"message_stats": vhost_counts(broker.vhost)}]
    assert select(broker.broker, Query("vhosts")).finish().total_count == 1


class Discarding(SimulatedConsumer):
    """Rejects the first message while it is being delivered."""

    __slots__ = ()

    def deliver(self, message: Message, redelivered: bool) -> bool:
        more = super().deliver(message, redelivered)
        if len(self.taken) == 1:
            self.queue.discard(message)
        return more


@pytest.mark.parametrize("no_ack", [False, True])
def test_what_comes_in_while_a_queue_delivers_is_counted_once(broker: SimulatedBroker, no_ack: bool) -> None:
    queue = declare(broker, "q", x_dead_letter_exchange="", x_dead_letter_routing_key="q")
    rejecting = Discarding(queue)
    queue.add_consumer(rejecting)
    send(broker, "q", 3)
    broker.settle()
    counts = queue.message_counts
    assert (counts["publish"], counts["deliver"], counts["deliver_no_ack"]) == (4, 4, 0)
    assert rejecting.counts.deliver == 4
    assert (counts["ack"], counts["dead_letter_rejected"], queue.unacked_count) == (0, 1, 3)
    assert broker.vhost.default_exchange_counts.publish_out == 4
    queue.remove_consumer(rejecting)
    consumer = consumer_of(queue, no_ack=no_ack)
    send(broker, "q", 2)
    broker.settle()
    assert consumer.counts.deliver + consumer.counts.deliver_no_ack == 2
    assert queue.message_counts["publish"] == 6
