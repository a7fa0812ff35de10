"""Super streams: made and deleted as a whole, with the rights of all their parts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from tests.support.core_broker import core_broker, core_client
from warren.core.broker import Broker
from warren.core.declaring import super_streams
from warren.core.declaring.bindings import bind
from warren.core.declaring.exchanges import declare_exchange
from warren.core.declaring.queues import declare_queue, delete_queue
from warren.core.declaring.super_streams import (
    PARTITIONS_MAX,
    PARTITIONS_PER_SLICE,
    AlreadyThere,
    check_creation,
    check_deletion,
    is_super_stream,
    partition_index,
    partitions_of,
    routes_to,
)
from warren.core.errors import AccessRefused, BrokerError, NotFound, PreconditionFailed
from warren.core.messages.field_table import FieldTable, encode_table
from warren.core.routing.vhost import VirtualHost
from warren.core.storage.definitions.memory import MemoryDefinitionStore

STREAM: FieldTable = {"x-queue-type": "stream"}


@pytest.fixture
def broker() -> Broker:
    made = core_broker()
    made.users.set_permissions("guest", "/", ".*", ".*", ".*")
    return made


@pytest.fixture
def vhost(broker: Broker) -> VirtualHost:
    return broker.vhosts["/"]


def create(
    broker: Broker, name: str, partitions: Sequence[str], keys: Sequence[str], arguments: FieldTable = STREAM
) -> int:
    """Make one; returns in how many slices."""
    client = core_client(broker)
    check_creation(client, name, partitions, keys, arguments)
    return sum(1 for _ in super_streams.create(client.vhost, name, partitions, keys, arguments)) + 1


def names(vhost: VirtualHost, name: str) -> list[str]:
    return [queue.name for queue in partitions_of(vhost, name)]


def test_its_partitions_are_in_order_and_keys_lead_to_them(broker: Broker, vhost: VirtualHost) -> None:
    create(broker, "s", ["s-z", "s-a", "s-m"], ["z", "a", "m"])
    assert names(vhost, "s") == ["s-z", "s-a", "s-m"]
    assert [partition_index(vhost, "s", name) for name in ("s-z", "s-a", "s-m")] == [0, 1, 2]
    assert routes_to(vhost, "s", "a") == ["s-a"]
    assert routes_to(vhost, "s", "nowhere") == []
    assert is_super_stream(vhost.exchanges["s"])
    assert vhost.exchanges["s"].durable
    assert all(queue.type_name == "stream" for queue in vhost.queues.values())


def test_it_is_there_after_a_restart() -> None:
    store = MemoryDefinitionStore()
    before = core_broker(store)
    before.users.set_permissions("guest", "/", ".*", ".*", ".*")
    create(before, "s", ["s-1", "s-0"], ["1", "0"])
    commit = before.begin_commit()
    commit.write()
    before.finish_commit(commit)
    assert names(core_broker(store).vhosts["/"], "s") == ["s-1", "s-0"]


def test_orders_come_from_bindings_whoever_made_them(broker: Broker, vhost: VirtualHost) -> None:
    client = core_client(broker)
    declare_exchange(client, "x", "topic")
    for name, order in (("b", 5), ("a", None), ("c", "1"), ("d-7", None)):
        declare_queue(client, name, durable=True, arguments=STREAM, arguments_raw=encode_table(STREAM))
        arguments: FieldTable = {} if order is None else {"x-stream-partition-order": order}
        bind(client, "queue", name, "x", name, arguments, encode_table(arguments))
        bind(client, "queue", name, "x", "again", arguments, encode_table(arguments))
    declare_queue(client, "classic")
    bind(client, "queue", "classic", "x", "again", {}, encode_table({}))
    assert names(vhost, "x") == ["c", "b", "a", "d-7"]
    assert [partition_index(vhost, "x", name) for name in ("c", "b", "a", "d-7")] == [1, 5, -1, 7]
    assert routes_to(vhost, "x", "again") == ["b", "a", "c", "d-7"]
    assert not is_super_stream(vhost.exchanges["x"])


def test_what_is_not_there(broker: Broker, vhost: VirtualHost) -> None:
    declare_exchange(core_client(broker), "x", "direct")
    declare_queue(core_client(broker), "q", durable=True, arguments=STREAM, arguments_raw=encode_table(STREAM))
    for ask in (
        lambda: partitions_of(vhost, "s"),
        lambda: routes_to(vhost, "s", "k"),
        lambda: partition_index(vhost, "s", "q"),
        lambda: partition_index(vhost, "x", "q"),
        lambda: partition_index(vhost, "x", "r"),
        lambda: check_deletion(core_client(broker), "s"),
    ):
        with pytest.raises(NotFound):
            ask()


REFUSED: dict[str, tuple[str, Sequence[str], Sequence[str], FieldTable]] = {
    "no name": ("", ["a"], ["a"], STREAM),
    "a reserved name": ("amq.s", ["a"], ["a"], STREAM),
    "a reserved partition": ("s", ["amq.a"], ["a"], STREAM),
    "no partitions": ("s", [], [], STREAM),
    "a partition without name": ("s", ["a", ""], ["a", "b"], STREAM),
    "two of a name": ("s", ["a", "a"], ["a", "b"], STREAM),
    "more keys": ("s", ["a"], ["a", "b"], STREAM),
    "a long name": ("s" * 256, ["a"], ["a"], STREAM),
    "a long key": ("s", ["a"], ["k" * 256], STREAM),
    "too many": ("s", [str(each) for each in range(PARTITIONS_MAX + 1)], ["k"] * (PARTITIONS_MAX + 1), STREAM),
    "another type": ("s", ["a"], ["a"], {"x-queue-type": "classic"}),
    "a wrong argument": ("s", ["a"], ["a"], {**STREAM, "x-max-age": "soon"}),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_is_refused_before_anything_is_made(broker: Broker, vhost: VirtualHost, what: str) -> None:
    before = set(vhost.exchanges)
    with pytest.raises((PreconditionFailed, AccessRefused)):
        create(broker, *REFUSED[what])
    assert set(vhost.exchanges) == before
    assert not vhost.queues


def test_what_is_there_is_not_made_again(broker: Broker, vhost: VirtualHost) -> None:
    create(broker, "s", ["s-0"], ["0"])
    with pytest.raises(AlreadyThere):
        create(broker, "s", ["t-0"], ["0"])
    with pytest.raises(AlreadyThere):
        create(broker, "t", ["t-0", "s-0"], ["0", "1"])
    assert list(vhost.queues) == ["s-0"]
    assert "t" not in vhost.exchanges


def test_a_limit_counts_all_partitions(broker: Broker, vhost: VirtualHost) -> None:
    vhost.limits = {"max-queues": 2}
    with pytest.raises(PreconditionFailed, match="queue limit"):
        create(broker, "s", ["a", "b", "c"], ["a", "b", "c"])
    create(broker, "s", ["a", "b"], ["a", "b"])


@pytest.mark.parametrize(
    ("configure", "write", "read"),
    [("^s-", ".*", ".*"), ("^s$", ".*", ".*"), (".*", "^s$", ".*"), (".*", ".*", "^s-")],
    ids=["configure the exchange", "configure partitions", "write to partitions", "read the exchange"],
)
def test_each_right_is_needed(broker: Broker, vhost: VirtualHost, configure: str, write: str, read: str) -> None:
    broker.users.set_permissions("guest", "/", configure, write, read)
    with pytest.raises(AccessRefused):
        create(broker, "s", ["s-0"], ["0"])
    assert not vhost.queues
    broker.users.set_permissions("guest", "/", "^s", "^s-", "^s$")
    create(broker, "s", ["s-0"], ["0"])
    broker.users.set_permissions("guest", "/", configure, write, read)
    with pytest.raises(AccessRefused):
        check_deletion(core_client(broker), "s")


def test_many_partitions_are_made_and_deleted_in_slices(broker: Broker, vhost: VirtualHost) -> None:
    count = 3 * PARTITIONS_PER_SLICE
    wanted = [f"s-{number}" for number in range(count)]
    making = super_streams.create(vhost, "s", wanted, wanted, STREAM)
    next(making)
    assert len(vhost.queues) == PARTITIONS_PER_SLICE
    assert "s" not in vhost.exchanges
    assert sum(1 for _ in making) == 1
    assert names(vhost, "s") == wanted
    deleting = super_streams.delete(vhost, "s", check_deletion(core_client(broker), "s"))
    next(deleting)
    assert "s" not in vhost.exchanges
    assert len(vhost.queues) == count - PARTITIONS_PER_SLICE
    assert sum(1 for _ in deleting) == 1
    assert not vhost.queues


@pytest.mark.parametrize("meanwhile", ["a queue", "the exchange", "a partition goes"])
def test_what_comes_between_has_it_taken_back(broker: Broker, vhost: VirtualHost, meanwhile: str) -> None:
    wanted = [f"s-{number}" for number in range(2 * PARTITIONS_PER_SLICE)]
    making = super_streams.create(vhost, "s", wanted, wanted, STREAM)
    next(making)
    client = core_client(broker)
    if meanwhile == "a queue":
        declare_queue(client, wanted[-1])
    elif meanwhile == "the exchange":
        declare_exchange(client, "s", "fanout")
    else:
        delete_queue(client, wanted[0])
    with pytest.raises(BrokerError):
        list(making)
    assert list(vhost.queues) == ([wanted[-1]] if meanwhile == "a queue" else [])
    assert not is_super_stream(vhost.exchanges["s"]) if meanwhile == "the exchange" else "s" not in vhost.exchanges


def kept(broker: Broker, store: MemoryDefinitionStore) -> Broker:
    """What is there after a crash: a broker that has what was committed, and has done its chores."""
    commit = broker.begin_commit()
    commit.write()
    broker.finish_commit(commit)
    again = core_broker(store)
    while again.chores:
        again.chores.do_one_slice()
    return again


@pytest.mark.parametrize("slices", [1, 2, 3])
@pytest.mark.parametrize("what", ["made", "deleted"])
def test_a_crash_on_the_way_leaves_nothing(caplog: pytest.LogCaptureFixture, what: str, slices: int) -> None:
    store = MemoryDefinitionStore()
    before = core_broker(store)
    before.users.set_permissions("guest", "/", ".*", ".*", ".*")
    vhost = before.vhosts["/"]
    declare_queue(core_client(before), "other", durable=True, arguments=STREAM, arguments_raw=encode_table(STREAM))
    wanted = [f"s-{number}" for number in range(4 * PARTITIONS_PER_SLICE)]
    work: Iterator[None] = super_streams.create(vhost, "s", wanted, wanted, STREAM)
    if what == "deleted":
        list(work)
        work = super_streams.delete(vhost, "s", check_deletion(core_client(before), "s"))
    for _ in range(slices):
        next(work)
    again = kept(before, store)
    assert list(again.vhosts["/"].queues) == ["other"]
    assert "s" not in again.vhosts["/"].exchanges
    left = slices * PARTITIONS_PER_SLICE if what == "made" else len(wanted) - slices * PARTITIONS_PER_SLICE
    assert f"super stream 's' in vhost '/' was being made or deleted when the broker ended: {left} " in caplog.text
    caplog.clear()
    create(again, "s", wanted, wanted)
    last = kept(again, store)
    assert names(last.vhosts["/"], "s") == wanted
    assert caplog.text == ""


def test_a_crash_leaves_what_another_has_declared_by_the_name_of_a_partition() -> None:
    store = MemoryDefinitionStore()
    before = core_broker(store)
    before.users.set_permissions("guest", "/", ".*", ".*", ".*")
    client = core_client(before)
    wanted = [f"s-{number}" for number in range(2 * PARTITIONS_PER_SLICE)]
    making = super_streams.create(before.vhosts["/"], "s", wanted, wanted, STREAM)
    next(making)
    delete_queue(client, "s-3")
    declare_queue(client, "s-3", durable=True, arguments=STREAM, arguments_raw=encode_table(STREAM))
    assert list(kept(before, store).vhosts["/"].queues) == ["s-3"]


def test_an_exchange_that_is_none_is_not_deleted_as_one(broker: Broker) -> None:
    declare_exchange(core_client(broker), "x", "direct")
    with pytest.raises(PreconditionFailed, match="no super stream"):
        check_deletion(core_client(broker), "x")
