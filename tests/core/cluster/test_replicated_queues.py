"""Replicated queues without a network: a shard's log on disk, queues that come and go with it, clients that stay."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.core.storage.support import open_disk
from tests.support.core_broker import core_broker, core_client
from tests.support.core_clients import table
from tests.support.simulated_consumer import SimulatedConsumer
from warren.core.broker import Broker
from warren.core.cluster.queue import ReplicatedQueue, made
from warren.core.cluster.replacing import replace
from warren.core.cluster.shard import Shard
from warren.core.cluster.unowned import HELD_MAX, HELD_MS, UnownedQueue
from warren.core.declaring.bindings import bind
from warren.core.declaring.exchanges import declare_exchange
from warren.core.messages.address import Address
from warren.core.messages.field_table import encode_table
from warren.core.messages.message import Message
from warren.core.messages.properties import EMPTY
from warren.core.routing.receipt import Receipt
from warren.core.routing.vhost import VirtualHost

NUMBER = 7


def opened(broker: Broker, directory: Path) -> Shard:
    """A shard whose log is this directory's."""
    engine = open_disk(directory)
    return Shard(broker, 0, engine, engine.recover())


def here(shard: Shard, vhost: VirtualHost, name: str = "q") -> ReplicatedQueue:
    """The queue where its shard is, with what the log has of it."""
    arguments, raw = table({"x-queue-type": "quorum"})
    queue = made(shard, vhost, name, auto_delete=False, arguments=arguments, arguments_raw=raw, store_id=NUMBER)
    assert isinstance(queue, ReplicatedQueue)
    shard.attach(queue)
    return queue


def nowhere(vhost: VirtualHost, name: str = "q") -> UnownedQueue:
    return UnownedQueue(vhost, name, durable=True, store_id=NUMBER)


def flush(shard: Shard) -> None:
    job = shard.begin_flush()
    if job is not None:
        job.write()
    shard.finish_flush(job)


def published(vhost: VirtualHost, *bodies: bytes, exchange: str = "", key: str = "q") -> Receipt:
    """One receipt for all of them."""
    route = vhost.route(exchange, key)
    receipt = Receipt()
    for body in bodies:
        broker = vhost.broker
        message = Message(broker.next_sequence(), Address(exchange, key), EMPTY, body, 0, len(body), 0, broker.now_ms)
        vhost.publish(route, message, receipt=receipt)
    vhost.broker.end_turn()
    return receipt


@pytest.fixture
def vhost() -> VirtualHost:
    return core_broker().vhosts["/"]


def test_a_publish_is_taken_when_the_shard_is_flushed(vhost: VirtualHost, tmp_path: Path) -> None:
    shard = opened(vhost.broker, tmp_path)
    vhost.queues["q"] = here(shard, vhost)
    receipt = published(vhost, b"a", b"b")
    assert receipt.pending
    assert shard.is_wanted
    job = shard.begin_flush()
    assert job is not None
    later = published(vhost, b"c")
    job.write()
    shard.finish_flush(job)
    assert not receipt.pending
    assert not receipt.refused
    assert later.pending, "it came behind the beginning of the flush"
    flush(shard)
    assert not later.pending


def test_another_owner_has_what_was_flushed_and_nothing_that_was_settled(vhost: VirtualHost, tmp_path: Path) -> None:
    shard = opened(vhost.broker, tmp_path)
    vhost.queues["q"] = here(shard, vhost)
    consumer = SimulatedConsumer(vhost.queues["q"], credit=1)
    vhost.queues["q"].add_consumer(consumer)
    published(vhost, b"a", b"b", b"c")
    vhost.queues["q"].acknowledge(consumer.taken[0][0])
    flush(shard)
    shard.engine.close()
    other = core_broker().vhosts["/"]
    again = opened(other.broker, tmp_path)
    queue = here(again, other)
    assert [message.body for message in queue.browse(0, 9)] == [b"b", b"c"]
    assert published_after(other, again, queue) == [b"b", b"c", b"d"]


def published_after(vhost: VirtualHost, shard: Shard, queue: ReplicatedQueue) -> list[bytes]:
    """What comes now is behind what was there, whatever numbers a young broker gives."""
    vhost.queues["q"] = queue
    published(vhost, b"d")
    flush(shard)
    consumer = SimulatedConsumer(queue)
    queue.add_consumer(consumer)
    vhost.broker.end_turn()
    queue.requeue([message for message, _ in consumer.taken])
    vhost.broker.end_turn()
    return consumer.bodies[-3:]


def test_what_is_lost_with_the_shard_is_refused_and_old_deliveries_mean_nothing(
    vhost: VirtualHost, tmp_path: Path
) -> None:
    shard = opened(vhost.broker, tmp_path)
    vhost.queues["q"] = old = here(shard, vhost)
    consumer = SimulatedConsumer(old, credit=2)
    old.add_consumer(consumer)
    receipt = published(vhost, b"a", b"b", b"c")
    replace(vhost, old, nowhere(vhost))
    shard.give_up()
    assert receipt.refused
    first, second = (message for message, _ in consumer.taken)
    old.acknowledge(first)
    old.requeue([second])
    old.discard(second)
    vhost.broker.end_turn()
    assert old.ready_count == 0
    assert vhost.queues["q"].consumers == [consumer]
    assert consumer.queue is vhost.queues["q"]
    assert not consumer.told


def test_publishes_and_consumers_wait_for_the_next_owner(vhost: VirtualHost, tmp_path: Path) -> None:
    waiting = vhost.queues["q"] = nowhere(vhost)
    consumer = SimulatedConsumer(waiting)
    waiting.add_consumer(consumer)
    receipt = published(vhost, b"a", b"b")
    assert receipt.pending
    shard = opened(vhost.broker, tmp_path)
    replace(vhost, waiting, here(shard, vhost))
    vhost.broker.end_turn()
    assert receipt.pending
    flush(shard)
    assert not receipt.pending
    assert not receipt.refused
    assert consumer.bodies == [b"a", b"b"]


def test_what_was_held_is_behind_what_the_log_brings(vhost: VirtualHost, tmp_path: Path) -> None:
    """Also when all of it comes back: its number is its place, and a young broker's are low."""
    shard = opened(vhost.broker, tmp_path)
    vhost.queues["q"] = here(shard, vhost)
    published(vhost, b"a", b"b")
    flush(shard)
    shard.engine.close()
    other = core_broker().vhosts["/"]
    waiting = other.queues["q"] = nowhere(other)
    published(other, b"c")
    again = opened(other.broker, tmp_path)
    queue = here(again, other)
    replace(other, waiting, queue)
    flush(again)
    consumer = SimulatedConsumer(queue)
    queue.add_consumer(consumer)
    other.broker.end_turn()
    assert [(message.body, redelivered) for message, redelivered in consumer.taken] == [
        (b"a", True),
        (b"b", True),
        (b"c", False),
    ]
    queue.requeue([message for message, _ in consumer.taken])
    other.broker.end_turn()
    assert consumer.bodies[3:] == [b"a", b"b", b"c"]


def test_publishes_wait_so_long_and_so_many(vhost: VirtualHost) -> None:
    vhost.queues["q"] = nowhere(vhost)
    receipt = published(vhost, b"a")
    vhost.broker.advance(HELD_MS - 1)
    assert receipt.pending
    vhost.broker.advance(HELD_MS)
    assert receipt.refused
    many = [published(vhost, b"") for _ in range(HELD_MAX + 1)]
    assert [each.refused for each in many] == [False] * HELD_MAX + [True]


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        ("direct", "k"),
        ("fanout", ""),
        ("topic", "k.#"),
        ("headers", ""),
        ("x-consistent-hash", "3"),
        ("x-modulus-hash", ""),
        ("x-random", ""),
    ],
)
def test_exchanges_of_every_type_lead_to_what_takes_its_place(
    vhost: VirtualHost, tmp_path: Path, kind: str, key: str
) -> None:
    client = core_client(vhost.broker)
    vhost.queues["q"] = old = nowhere(vhost)
    declare_exchange(client, "e", kind)
    bind(client, "queue", "q", "e", key, {}, encode_table({}))
    assert vhost.route("e", "k").queues == (old,)
    slots = [binding.slots for binding in vhost.exchanges["e"].bindings]
    new = here(opened(vhost.broker, tmp_path), vhost)
    replace(vhost, old, new)
    assert vhost.route("e", "k").queues == (new,)
    assert [binding.target for binding in vhost.exchanges["e"].bindings] == [new]
    assert [binding.slots for binding in vhost.exchanges["e"].bindings] == slots


def test_what_is_known_of_no_queue_is_kept_until_it_is_known_to_be_deleted(vhost: VirtualHost, tmp_path: Path) -> None:
    shard = opened(vhost.broker, tmp_path)
    vhost.queues["q"] = here(shard, vhost)
    published(vhost, b"a")
    flush(shard)
    shard.engine.close()
    again = opened(vhost.broker, tmp_path)
    assert list(again.stored) == [NUMBER]
    again.drop_unknown({NUMBER})
    assert list(again.stored) == [NUMBER]
    again.drop_unknown(())
    flush(again)
    again.engine.close()
    assert not opened(vhost.broker, tmp_path).stored
