"""Classic queues that a policy has replicated: they stay classic queues, wherever their shard is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.core.storage.support import open_disk
from tests.support.core_broker import core_broker, core_client
from tests.support.core_clients import properties, table
from tests.support.simulated_consumer import SimulatedConsumer
from warren.core.broker import Broker
from warren.core.cluster.queue import ReplicatedClassic, ReplicatedQueue, made
from warren.core.cluster.replacing import replace
from warren.core.cluster.shard import Shard
from warren.core.cluster.unowned import UnownedClassic, UnownedQueue, unowned_queue
from warren.core.declaring.queues import declare_queue, delete_queue
from warren.core.errors import NotFound, PreconditionFailed
from warren.core.messages.field_table import Encodable
from warren.core.queues.base import Queue
from warren.core.routing.publish import publish
from warren.core.routing.receipt import Receipt
from warren.core.routing.vhost import Outcome, VirtualHost

NUMBER = 7

Arguments = Mapping[str, Encodable]


def opened(broker: Broker, directory: Path) -> Shard:
    """A shard whose log is this directory's."""
    engine = open_disk(directory)
    return Shard(broker, 0, engine, engine.recover())


def here(shard: Shard, vhost: VirtualHost, arguments: Arguments | None = None) -> Queue:
    """The queue `q` where its shard is, with what the log has of it."""
    decoded, raw = table(arguments or {})
    queue = made(shard, vhost, "q", auto_delete=False, arguments=decoded, arguments_raw=raw, store_id=NUMBER)
    shard.attach(queue)
    return queue


def nowhere(vhost: VirtualHost, arguments: Arguments | None = None) -> UnownedQueue:
    decoded, raw = table(arguments or {})
    return unowned_queue(vhost, "q", auto_delete=False, arguments=decoded, arguments_raw=raw, store_id=NUMBER)


def flush(shard: Shard) -> None:
    job = shard.begin_flush()
    if job is not None:
        job.write()
    shard.finish_flush(job)


def send(vhost: VirtualHost, *bodies: bytes, **fields: object) -> list[Outcome]:
    """Publish to `q`; with these properties, transient where they say nothing."""
    client = core_client(vhost.broker)
    outcomes = [publish(client, "", "q", properties(**fields), body)[0] for body in bodies]
    vhost.broker.end_turn()
    client.close()
    return outcomes


def moved(shard: Shard, directory: Path, arguments: Arguments | None = None) -> Queue:
    """The queue on the next owner of the shard, by its log."""
    flush(shard)
    shard.engine.close()
    other = core_broker().vhosts["/"]
    queue = other.queues["q"] = here(opened(other.broker, directory), other, arguments)
    other.broker.end_turn()
    return queue


def bodies(queue: Queue) -> list[bytes]:
    return [message.body for message in queue.browse(0, 99)]


@pytest.fixture
def vhost() -> VirtualHost:
    return core_broker().vhosts["/"]


@pytest.mark.parametrize(
    ("arguments", "kind", "absent"),
    [
        ({}, ReplicatedClassic, UnownedClassic),
        ({"x-queue-type": "classic"}, ReplicatedClassic, UnownedClassic),
        ({"x-max-priority": 5}, ReplicatedClassic, UnownedClassic),
        ({"x-queue-type": "quorum"}, ReplicatedQueue, UnownedQueue),
    ],
)
def test_a_queue_keeps_its_type(
    vhost: VirtualHost, tmp_path: Path, arguments: Arguments, kind: type[Queue], absent: type[Queue]
) -> None:
    assert type(here(opened(vhost.broker, tmp_path), vhost, arguments)) is kind
    assert type(nowhere(vhost, arguments)) is absent


def test_what_is_transient_is_there_at_the_next_owner_too(vhost: VirtualHost, tmp_path: Path) -> None:
    shard = opened(vhost.broker, tmp_path)
    queue = vhost.queues["q"] = here(shard, vhost)
    send(vhost, b"a", b"b", b"c")
    consumer = SimulatedConsumer(queue, credit=1)
    queue.add_consumer(consumer)
    vhost.broker.end_turn()
    queue.acknowledge(consumer.taken[0][0])
    assert bodies(moved(shard, tmp_path)) == [b"b", b"c"]


def test_many_acknowledgements_at_once(vhost: VirtualHost, tmp_path: Path) -> None:
    shard = opened(vhost.broker, tmp_path)
    queue = vhost.queues["q"] = here(shard, vhost)
    send(vhost, b"a", b"b", b"c")
    consumer = SimulatedConsumer(queue, credit=2)
    queue.add_consumer(consumer)
    vhost.broker.end_turn()
    queue.acknowledge_all([message for message, _ in consumer.taken])
    assert queue.unacked_count == 0
    assert bodies(moved(shard, tmp_path)) == [b"c"]


def test_priorities_hold_on_both_owners(vhost: VirtualHost, tmp_path: Path) -> None:
    arguments = {"x-max-priority": 3}
    shard = opened(vhost.broker, tmp_path)
    queue = vhost.queues["q"] = here(shard, vhost, arguments)
    send(vhost, b"1", b"2", priority=0)
    send(vhost, b"3", b"4", priority=9)
    assert bodies(queue) == [b"3", b"4", b"1", b"2"]
    assert bodies(moved(shard, tmp_path, arguments)) == [b"3", b"4", b"1", b"2"]


def test_a_row_of_messages_goes_to_its_priority(vhost: VirtualHost, tmp_path: Path) -> None:
    shard = opened(vhost.broker, tmp_path)
    queue = vhost.queues["q"] = here(shard, vhost, {"x-max-priority": 3})
    send(vhost, b"low")
    source = vhost.queues["s"] = declare_queue(core_client(vhost.broker), "s", arguments={"x-max-priority": 3})
    client = core_client(vhost.broker)
    for body in (b"a", b"b"):
        publish(client, "", "s", properties(priority=2), body)
    vhost.broker.end_turn()
    row = list(source.browse(0, 9))
    receipt = Receipt()
    queue.append_all_with(row, 2, receipt)
    assert receipt.pending
    flush(shard)
    assert not receipt.pending
    assert bodies(queue) == [b"a", b"b", b"low"]


def test_duplicates_are_dropped_until_the_first_has_left(vhost: VirtualHost, tmp_path: Path) -> None:
    arguments = {"x-message-deduplication": True}
    shard = opened(vhost.broker, tmp_path)
    queue = vhost.queues["q"] = here(shard, vhost, arguments)
    headers = {"x-deduplication-header": "d"}
    send(vhost, b"a", b"b", headers=headers)
    assert bodies(queue) == [b"a"]
    consumer = SimulatedConsumer(queue, credit=1)
    queue.add_consumer(consumer)
    vhost.broker.end_turn()
    queue.acknowledge(consumer.taken[0][0])
    send(vhost, b"c", b"d", headers=headers)
    assert bodies(queue) == [b"c"]
    after = moved(shard, tmp_path, arguments)
    send(after.vhost, b"e", headers=headers)
    assert bodies(after) == [b"c"]


def test_a_quorum_queue_drops_duplicates_until_the_first_has_left(vhost: VirtualHost, tmp_path: Path) -> None:
    arguments: Arguments = {"x-queue-type": "quorum", "x-message-deduplication": True}
    queue = vhost.queues["q"] = here(opened(vhost.broker, tmp_path), vhost, arguments)
    headers = {"x-deduplication-header": "d"}
    consumer = SimulatedConsumer(queue)
    queue.add_consumer(consumer)
    send(vhost, b"a", b"b", headers=headers)
    assert consumer.bodies == [b"a"]
    queue.acknowledge(consumer.taken[0][0])
    send(vhost, b"c", headers=headers)
    assert consumer.bodies == [b"a", b"c"]


def test_it_is_declared_used_and_deleted_as_a_classic_queue_is(vhost: VirtualHost, tmp_path: Path) -> None:
    client = core_client(vhost.broker)
    vhost.queues["q"] = old = nowhere(vhost)
    assert declare_queue(client, "q", durable=True) is old
    arguments, raw = table({"x-queue-type": "quorum"})
    with pytest.raises(PreconditionFailed, match="x-queue-type"):
        declare_queue(client, "q", durable=True, arguments=arguments, arguments_raw=raw)
    with pytest.raises(NotFound, match="no node of the cluster has its shard"):
        delete_queue(client, "q", if_empty=True)
    replace(vhost, old, here(opened(vhost.broker, tmp_path), vhost))
    queue = vhost.queues["q"]
    assert declare_queue(client, "q", durable=True) is queue
    assert queue.shares_prefetch
    send(vhost, b"a")
    with pytest.raises(PreconditionFailed, match="not empty"):
        delete_queue(client, "q", if_empty=True)
    counts: list[object] = []
    delete_queue(client, "q", counts.append)
    assert counts == [1]


def test_a_queue_whose_shard_has_left_does_nothing(vhost: VirtualHost, tmp_path: Path) -> None:
    shard = opened(vhost.broker, tmp_path)
    old = vhost.queues["q"] = here(shard, vhost, {"x-max-priority": 2})
    consumer = SimulatedConsumer(old, credit=2)
    old.add_consumer(consumer)
    send(vhost, b"a", b"b", b"c")
    replace(vhost, old, nowhere(vhost, {"x-max-priority": 2}))
    shard.give_up()
    first, second = (message for message, _ in consumer.taken)
    old.acknowledge(first)
    old.requeue([second])
    receipt = Receipt()
    old.append_with(first, receipt)
    assert receipt.refused
    vhost.broker.end_turn()
    assert old.ready_count == 0
    assert consumer.queue is vhost.queues["q"]
