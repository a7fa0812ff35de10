"""Rules of classic queues where they meet each other, paging, policies and the end of a queue."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.support import core_clients
from tests.support.core_clients import advance, bind, exchange, guest, properties, publish, take, take_messages
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_consumer import SimulatedConsumer
from warren.core.declaring.queues import check_queue, declare_queue, remove_queue
from warren.core.errors import AccessRefused, PreconditionFailed
from warren.core.messages.field_table import Encodable
from warren.core.messages.properties import encode_properties
from warren.core.policies.policy import make_policy
from warren.core.queues.classic.queue import ClassicQueue
from warren.core.routing.vhost import Outcome
from warren.core.storage.definitions.store import JSON

HOUR_MS = 3_600_000


def queue(broker: SimulatedBroker, name: str, *, durable: bool = False, **arguments: Encodable) -> ClassicQueue:
    """Declare a queue; `message_ttl` stands for x-message-ttl."""
    table = {"x-" + key.replace("_", "-"): value for key, value in arguments.items()}
    declared = core_clients.queue(broker, name, table, durable=durable)
    assert isinstance(declared, ClassicQueue)
    return declared


def declare(broker: SimulatedBroker, arguments: Mapping[str, Encodable]) -> None:
    """Declare the durable queue "q" with arguments written like those of `queue`."""
    core_clients.queue(broker, "q", {"x-" + key.replace("_", "-"): arguments[key] for key in arguments}, durable=True)


def dead_lettering(broker: SimulatedBroker, name: str, **arguments: Encodable) -> tuple[ClassicQueue, ClassicQueue]:
    """A queue whose dead letters go to the other one."""
    graveyard = queue(broker, f"{name}-graveyard")
    arguments |= {"dead_letter_exchange": "", "dead_letter_routing_key": graveyard.name}
    made = queue(broker, name, durable=False, **arguments)
    return made, graveyard


def test_expiry_of_the_head_that_a_full_queue_comes_to(memory: SimulatedBroker) -> None:
    """The message behind the dropped one expires on time, though nothing else happens to the queue."""
    full, graveyard = dead_lettering(memory, "q", max_length=1)
    publish(memory, "", b"lives", key="q")
    publish(memory, "", b"expires", properties(expiration="40"), key="q")
    memory.settle()
    assert full.ready_count == 1
    advance(memory, 40)
    assert full.ready_count == 0
    assert take(graveyard) == [b"lives", b"expires"]


@pytest.mark.limits(seconds=480)
def test_a_thousand_queues_that_refuse_into_each_other(memory: SimulatedBroker) -> None:
    """Each is full and dead-letters what it refuses to the next.

    Every one reads and writes a whole x-death, half a million entries together: ten seconds of a core, and minutes on a
    machine that is very busy.
    """
    count = 1000
    for number in range(count):
        queue(
            memory,
            str(number),
            max_length=0,
            overflow="reject-publish-dlx",
            dead_letter_exchange="",
            dead_letter_routing_key=str(number + 1),
        )
    last = queue(memory, str(count))
    assert publish(memory, "", b"x", key="0")[1] is Outcome.REFUSED
    memory.settle()
    (letter,) = take_messages(last)
    deaths = core_clients.headers_of(letter)["x-death"]
    assert isinstance(deaths, list)
    assert len(deaths) == count


def test_what_is_rejected_after_its_queue_is_gone_is_dropped(memory: SimulatedBroker) -> None:
    deleted, graveyard = dead_lettering(memory, "q", delivery_limit=0)
    for body in (b"1", b"2"):
        publish(memory, "", body, key="q")
    consumer = SimulatedConsumer(deleted)
    deleted.add_consumer(consumer)
    memory.settle()
    remove_queue(memory.vhost, deleted)
    deleted.discard(consumer.taken[0][0])
    deleted.requeue([consumer.taken[1][0]])
    memory.settle()
    assert graveyard.ready_count == 0


def test_a_transient_message_that_another_queue_stores_stays_in_memory(disk: SimulatedBroker) -> None:
    """Its record belongs to the quorum queue; the classic queue may neither rely on it nor settle it."""
    exchange(disk, "x", "fanout", durable=True)
    classic = queue(disk, "classic", durable=True)
    quorum = queue(disk, "quorum", durable=True, queue_type="quorum")
    for name in ("classic", "quorum"):
        bind(disk, name, "x")
    count = 3000
    for number in range(count):
        publish(disk, "x", b"%d" % number, properties(delivery_mode=1))
        if number % 500 == 0:
            disk.settle()
    disk.settle()
    assert quorum.paged_count
    assert classic.paged_count == 0
    classic.drop_ready()
    disk.settle()
    disk.maintain()
    assert disk.broker.store.statistics()["entries"] == count
    assert len(take(quorum)) == count


def test_heads_that_left_memory_expire_on_time(disk: SimulatedBroker) -> None:
    durable = queue(disk, "q", durable=True, message_ttl=HOUR_MS)
    persistent = encode_properties(delivery_mode=2)
    for first in range(0, 4000, 500):
        for number in range(first, first + 500):
            publish(disk, "", b"%d" % number, persistent, key="q")
        disk.settle()
    assert durable.paged_count
    advance(disk, HOUR_MS - 1)
    assert durable.ready_count == 4000
    advance(disk, 1)
    assert durable.ready_count == 0
    assert disk.broker.store.statistics()["entries"] == 0


def test_deadlines_survive_a_restart(disk: SimulatedBroker) -> None:
    queue(disk, "q", durable=True, message_ttl=HOUR_MS)
    queue(disk, "own", durable=True)
    publish(disk, "", b"1", properties(delivery_mode=2), key="q")
    publish(disk, "", b"2", properties(delivery_mode=2, expiration="60000"), key="own")
    advance(disk, 59_999)
    disk.restart()
    assert disk.queue("own").ready_count == 1
    advance(disk, 1)
    assert disk.queue("own").ready_count == 0
    advance(disk, HOUR_MS - 60_001)
    assert disk.queue("q").ready_count == 1
    advance(disk, 1)
    assert disk.queue("q").ready_count == 0


# Expiry of the queue itself


def exists(broker: SimulatedBroker, name: str) -> bool:
    return name in broker.vhost.queues


def test_use_puts_off_the_expiry(memory: SimulatedBroker) -> None:
    """Redeclaring, also passively, polling, and the end of the last consumer."""
    used = queue(memory, "q", expires=1000)
    client = guest(memory)
    for use in (
        lambda: declare_queue(client, "q", arguments=used.arguments, arguments_raw=used.arguments_raw),
        lambda: check_queue(client, "q"),
        lambda: used.poll(no_ack=True),
    ):
        advance(memory, 999)
        use()
    consumer = SimulatedConsumer(used)
    used.add_consumer(consumer)
    advance(memory, 5000)
    used.remove_consumer(consumer)
    advance(memory, 999)
    assert exists(memory, "q")
    advance(memory, 1)
    assert not exists(memory, "q")


def test_publishing_is_no_use(memory: SimulatedBroker) -> None:
    queue(memory, "q", expires=1000)
    advance(memory, 900)
    publish(memory, "", b"x", key="q")
    advance(memory, 100)
    assert not exists(memory, "q")


def test_an_expiry_that_a_policy_brings_begins_with_the_policy(memory: SimulatedBroker) -> None:
    """Else a policy would delete at once whatever was idle for longer."""
    queue(memory, "q")
    advance(memory, HOUR_MS)
    memory.broker.policies.set(memory.vhost, make_policy("policy", "p", "", {"expires": 1000}))
    advance(memory, 999)
    assert exists(memory, "q")
    advance(memory, 1)
    assert not exists(memory, "q")


def test_contents_of_an_expired_queue_are_not_dead_lettered(memory: SimulatedBroker) -> None:
    _, graveyard = dead_lettering(memory, "q", expires=1000)
    publish(memory, "", b"x", key="q")
    advance(memory, 1000)
    assert not exists(memory, "q")
    assert graveyard.ready_count == 0
    assert memory.timers == 0


# Policies


def test_a_policys_ttl_counts_for_what_waits_already(memory: SimulatedBroker) -> None:
    """From the publish on, at once; and taking the policy away ends it."""
    waiting = queue(memory, "q")
    publish(memory, "", b"old", key="q")
    advance(memory, 500)
    publish(memory, "", b"new", key="q")
    memory.broker.policies.set(memory.vhost, make_policy("policy", "p", "", {"message-ttl": 400}))
    memory.settle()
    assert [message.body for message in waiting.browse(0, 9)] == [b"new"]
    memory.broker.policies.clear(memory.vhost, "policy", "p")
    advance(memory, HOUR_MS)
    assert take(waiting) == [b"new"]


def test_a_policys_length_drops_at_once(memory: SimulatedBroker) -> None:
    long = queue(memory, "q")
    for number in range(5):
        publish(memory, "", b"%d" % number, key="q")
    memory.settle()
    memory.broker.policies.set(memory.vhost, make_policy("policy", "p", "", {"max-length": 2}))
    memory.settle()
    assert take(long) == [b"3", b"4"]


def test_a_policy_that_makes_a_queue_refuse(memory: SimulatedBroker) -> None:
    """Routes that were looked up before must notice."""
    queue(memory, "q")
    assert publish(memory, "", b"1", key="q")[1] is Outcome.TAKEN
    definition: dict[str, JSON] = {"max-length": 1, "overflow": "reject-publish"}
    memory.broker.policies.set(memory.vhost, make_policy("policy", "p", "", definition))
    assert publish(memory, "", b"2", key="q")[1] is Outcome.REFUSED


# Consumers


def test_priorities_of_consumers_are_for_as_long_as_somebody_has_one(memory: SimulatedBroker) -> None:
    shared = queue(memory, "q")
    usual, urgent = (
        SimulatedConsumer(shared, credit=9),
        SimulatedConsumer(shared, credit=1, arguments={"x-priority": 1}),
    )
    shared.add_consumer(usual)
    shared.add_consumer(urgent)
    for number in range(3):
        publish(memory, "", b"%d" % number, key="q")
    memory.settle()
    assert (urgent.bodies, usual.bodies) == ([b"0"], [b"1", b"2"])
    urgent.give(1)
    publish(memory, "", b"3", key="q")
    memory.settle()
    assert urgent.bodies == [b"0", b"3"]
    shared.remove_consumer(urgent)
    publish(memory, "", b"4", key="q")
    memory.settle()
    assert usual.bodies[-1] == b"4"


def test_the_next_active_consumer_is_the_most_urgent_that_waits(memory: SimulatedBroker) -> None:
    single = queue(memory, "q", single_active_consumer=True)
    consumers = [SimulatedConsumer(single, arguments={"x-priority": priority}) for priority in (0, 1, 5, 5)]
    for consumer in consumers:
        single.add_consumer(consumer)
    order = []
    while single.consumers:
        (active,) = [consumer for consumer in single.consumers if single.is_active(consumer)]
        order.append(consumers.index(active))  # type: ignore[arg-type]
        single.remove_consumer(active)
    assert order == [0, 2, 3, 1]


def test_exclusive_consumers(memory: SimulatedBroker) -> None:
    shared = queue(memory, "q")
    alone = SimulatedConsumer(shared, exclusive=True)
    shared.add_consumer(alone)
    with pytest.raises(AccessRefused, match="in exclusive use"):
        shared.add_consumer(SimulatedConsumer(shared))
    shared.remove_consumer(alone)
    shared.add_consumer(SimulatedConsumer(shared))
    with pytest.raises(AccessRefused, match="in exclusive use"):
        shared.add_consumer(SimulatedConsumer(shared, exclusive=True))
    single = queue(memory, "s", single_active_consumer=True)
    with pytest.raises(AccessRefused, match="in exclusive use"):
        single.add_consumer(SimulatedConsumer(single, exclusive=True))


def test_a_consumer_with_an_invalid_argument_leaves_nothing_behind(memory: SimulatedBroker) -> None:
    shared = queue(memory, "q")
    with pytest.raises(PreconditionFailed, match="x-priority"):
        shared.add_consumer(SimulatedConsumer(shared, arguments={"x-priority": "high"}))
    assert not shared.consumers


# Redeclaring


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({}, {"queue_type": "quorum"}),
        ({"queue_type": "quorum"}, {}),
        ({"queue_type": "quorum"}, {"queue_type": "classic"}),
        ({"queue_mode": "lazy"}, {}),
        ({"queue_version": 1}, {"queue_version": 2}),
        ({"delivery_limit": 3}, {"delivery_limit": 4}),
        ({"consumer_timeout": 3}, {}),
        ({"message_deduplication": True}, {}),
        ({"queue_type": "quorum", "dead_letter_strategy": "at-most-once"}, {"queue_type": "quorum"}),
    ],
)
def test_a_different_declaration(
    memory: SimulatedBroker, first: dict[str, Encodable], second: dict[str, Encodable]
) -> None:
    declare(memory, first)
    with pytest.raises(PreconditionFailed, match=r"inequivalent arg 'x-.*' for queue 'q' in vhost '/': received"):
        declare(memory, second)


def test_classic_is_no_other_type_than_none(memory: SimulatedBroker) -> None:
    assert queue(memory, "q") is queue(memory, "q", queue_type="classic")
    assert queue(memory, "p", queue_type="classic") is queue(memory, "p")


def test_permissions_for_dead_lettering(memory: SimulatedBroker) -> None:
    """Reading the queue and writing to the exchange, beside configuring (A.7)."""
    users = memory.broker.users
    arguments, raw = core_clients.table({"x-dead-letter-exchange": "graves"})
    client = guest(memory)
    for write, read, missing in (
        ("graves", "nothing", "read access to queue 'q'"),
        ("nothing", "q", "write access to exchange 'graves'"),
    ):
        users.set_permissions("guest", "/", ".*", write, read)
        with pytest.raises(AccessRefused, match=missing):
            declare_queue(client, "q", arguments=arguments, arguments_raw=raw)
    users.set_permissions("guest", "/", ".*", "graves", "q")
    declare_queue(client, "q", arguments=arguments, arguments_raw=raw)
    users.set_permissions("guest", "/", ".*", "nothing", "nothing")
    declare_queue(client, "q", arguments=arguments, arguments_raw=raw)
