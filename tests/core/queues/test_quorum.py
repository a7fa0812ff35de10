"""Quorum queues on one node: counting deliveries, dead-lettering at least once, and what they don't know."""

from __future__ import annotations

import pytest

from tests.support import core_clients
from tests.support.core_clients import (
    advance,
    bind,
    bound_queue,
    exchange,
    guest,
    headers_of,
    publish,
    take,
    take_messages,
)
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_consumer import SimulatedConsumer
from warren.core.declaring.bindings import unbind
from warren.core.declaring.queues import delete_queue
from warren.core.errors import NotImplementedByBroker, PreconditionFailed
from warren.core.messages.field_table import Encodable
from warren.core.policies.policy import make_policy
from warren.core.queues.quorum import RETRIES_AT_ONCE, RETRY_MS, QuorumQueue
from warren.core.routing.vhost import Outcome


def quorum(broker: SimulatedBroker, arguments: dict[str, Encodable] | None = None, name: str = "q") -> QuorumQueue:
    declared = core_clients.queue(broker, name, {"x-queue-type": "quorum", **(arguments or {})}, durable=True)
    assert isinstance(declared, QuorumQueue)
    return declared


AT_LEAST_ONCE: dict[str, Encodable] = {
    "x-dead-letter-strategy": "at-least-once",
    "x-overflow": "reject-publish",
    "x-dead-letter-exchange": "graves",
}


def fail(broker: SimulatedBroker, queue: QuorumQueue, times: int) -> None:
    """Deliver the head and take it back as failed, so many times."""
    for _ in range(times):
        found = queue.poll(no_ack=False)
        assert found is not None
        queue.requeue([found[0]])
        broker.settle()


def test_twenty_failures_are_the_limit_unless_told_otherwise(disk: SimulatedBroker) -> None:
    queue = quorum(disk, {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "graves"})
    graves = core_clients.queue(disk, "graves")
    publish(disk, "", b"poison", key="q")
    fail(disk, queue, 20)
    (message,) = queue.browse(0, 1)
    assert queue.failures(message) == 20
    fail(disk, queue, 1)
    assert queue.ready_count == 0
    (letter,) = take_messages(graves)
    assert headers_of(letter)["x-last-death-reason"] == "delivery_limit"


@pytest.mark.parametrize(("argument", "policy", "limit"), [(None, 30, 30), (5, 30, 5), (30, 5, 5), (-1, None, None)])
def test_the_default_gives_way_to_what_is_asked(
    memory: SimulatedBroker, argument: int | None, policy: int | None, limit: int | None
) -> None:
    if policy is not None:
        definition = {"delivery-limit": policy}
        memory.broker.policies.set(memory.vhost, make_policy("policy", "p", "", dict(definition)))
    queue = quorum(memory, {} if argument is None else {"x-delivery-limit": argument})
    publish(memory, "", b"poison", key="q")
    fail(memory, queue, limit if limit is not None else 100)
    assert queue.ready_count == 1
    if limit is not None:
        fail(memory, queue, 1)
        assert queue.ready_count == 0


def test_returning_without_failing_counts_for_nothing(memory: SimulatedBroker) -> None:
    queue = quorum(memory, {"x-delivery-limit": 0})
    publish(memory, "", b"x", key="q")
    for _ in range(5):
        found = queue.poll(no_ack=False)
        assert found is not None
        queue.requeue([found[0]], failed=False)
    assert queue.ready_count == 1


def test_failures_are_known_after_a_clean_restart(disk: SimulatedBroker) -> None:
    queue = quorum(disk, {"x-delivery-limit": 3})
    publish(disk, "", b"fine", key="q")
    publish(disk, "", b"poison", key="q")
    consumer = SimulatedConsumer(queue)
    queue.add_consumer(consumer)
    disk.settle()
    for _ in range(2):
        consumer.requeue([1])
        disk.settle()
    queue.remove_consumer(consumer)
    queue.requeue([message for message, _ in consumer.taken], failed=False)
    disk.settle()
    disk.restart()
    restored = disk.queue("q")
    fine, poison = restored.browse(0, 2)
    assert (fine.body, poison.body) == (b"fine", b"poison")
    assert (restored.failures(fine), restored.failures(poison)) == (0, 2)
    assert take(restored) == [b"fine", b"poison"]
    disk.restart()
    assert disk.queue("q").ready_count == 0


def test_transient_messages_survive(disk: SimulatedBroker) -> None:
    quorum(disk)
    publish(disk, "", b"x", core_clients.with_headers(), key="q")
    disk.settle()
    disk.crash()
    assert take(disk.queue("q")) == [b"x"]


def test_dead_letters_wait_for_their_exchange(disk: SimulatedBroker) -> None:
    queue = quorum(disk, {**AT_LEAST_ONCE, "x-message-ttl": 100})
    for number in range(3):
        publish(disk, "", b"%d" % number, key="q")
    advance(disk, 100)
    assert (queue.ready_count, queue.untaken_count) == (0, 3)
    assert disk.broker.inspect("queues", "/")[0]["messages"] == 3
    exchange(disk, "graves", "fanout")
    advance(disk, RETRY_MS)
    assert queue.untaken_count == 3, "nothing is bound yet"
    graves = bound_queue(disk, "grave", "graves")
    advance(disk, RETRY_MS)
    assert queue.untaken_count == 0
    assert take(graves) == [b"0", b"1", b"2"]
    disk.settle()
    assert disk.broker.store.statistics()["entries"] == 0
    assert disk.timers == 0


def test_dead_letters_wait_for_room_and_are_not_doubled(memory: SimulatedBroker) -> None:
    """As long as one of two queues is full, neither gets the letter."""
    queue = quorum(memory, AT_LEAST_ONCE)
    exchange(memory, "graves", "fanout")
    roomy = bound_queue(memory, "roomy", "graves")
    full = core_clients.queue(memory, "full", {"x-max-length": 0, "x-overflow": "reject-publish"})
    bind(memory, "full", "graves")
    publish(memory, "", b"x", key="q")
    found = queue.poll(no_ack=False)
    assert found is not None
    queue.discard(found[0])
    for _ in range(3):
        advance(memory, RETRY_MS)
        assert (roomy.ready_count, full.ready_count, queue.untaken_count) == (0, 0, 1)
    unbind(guest(memory), "queue", "full", "graves", "", {})
    advance(memory, RETRY_MS)
    assert take(roomy) == [b"x"]
    assert queue.untaken_count == 0


def test_waiting_dead_letters_count_towards_the_length(memory: SimulatedBroker) -> None:
    queue = quorum(memory, {**AT_LEAST_ONCE, "x-max-length": 2, "x-message-ttl": 100})
    for outcome in (Outcome.TAKEN, Outcome.TAKEN, Outcome.REFUSED):
        assert publish(memory, "", b"x", key="q")[1] is outcome
    advance(memory, 100)
    assert (queue.ready_count, queue.untaken_count) == (0, 2)
    assert publish(memory, "", b"x", key="q")[1] is Outcome.REFUSED


def test_many_waiting_dead_letters_are_tried_by_turns(memory: SimulatedBroker) -> None:
    """Those that nobody takes don't hold up the others for ever."""
    exchange(memory, "in", "fanout")
    exchange(memory, "graves", "direct")
    queue = quorum(memory, {**AT_LEAST_ONCE, "x-message-ttl": 100})
    bind(memory, "q", "in")
    stuck = 2 * RETRIES_AT_ONCE
    for _ in range(stuck):
        publish(memory, "in", b"stuck", key="nobody")
    publish(memory, "in", b"good", key="good")
    advance(memory, 100)
    assert queue.untaken_count == stuck + 1
    graves = bound_queue(memory, "grave", "graves", "good")
    for _ in range(3):
        advance(memory, RETRY_MS)
    assert take(graves) == [b"good"]
    assert queue.untaken_count == stuck


def test_after_a_restart_what_waited_dies_again(disk: SimulatedBroker) -> None:
    quorum(disk, {**AT_LEAST_ONCE, "x-message-ttl": 100})
    publish(disk, "", b"x", key="q")
    advance(disk, 100)
    disk.restart()
    queue = disk.queue("q")
    assert isinstance(queue, QuorumQueue)
    disk.settle()
    assert (queue.ready_count, queue.untaken_count) == (0, 1)


def test_deleting_lets_go_of_waiting_dead_letters(disk: SimulatedBroker) -> None:
    queue = quorum(disk, {**AT_LEAST_ONCE, "x-message-ttl": 100})
    publish(disk, "", b"x", key="q")
    advance(disk, 100)
    delete_queue(guest(disk), "q")
    disk.settle()
    assert queue.untaken_count == 0
    assert disk.broker.store.statistics()["entries"] == 0
    assert disk.timers == 0


def test_at_least_once_needs_a_queue_that_refuses(memory: SimulatedBroker) -> None:
    """Otherwise it is at most once, as in RabbitMQ."""
    queue = quorum(memory, {**AT_LEAST_ONCE, "x-overflow": "drop-head", "x-message-ttl": 100})
    publish(memory, "", b"x", key="q")
    advance(memory, 100)
    assert (queue.ready_count, queue.untaken_count) == (0, 0)


def test_exclusive_consumers_are_ordinary_ones(memory: SimulatedBroker) -> None:
    queue = quorum(memory)
    for exclusive in (True, False, True):
        queue.add_consumer(SimulatedConsumer(queue, exclusive=exclusive))
    assert len(queue.consumers) == 3


def test_redeclaring_does_not_put_off_the_expiry(memory: SimulatedBroker) -> None:
    quorum(memory, {"x-expires": 1000})
    advance(memory, 999)
    quorum(memory, {"x-expires": 1000})
    advance(memory, 1)
    assert "q" not in memory.vhost.queues


def test_conditional_deletion_is_refused(memory: SimulatedBroker) -> None:
    quorum(memory)
    for unused in (True, False):
        with pytest.raises(NotImplementedByBroker):
            delete_queue(guest(memory), "q", if_unused=unused, if_empty=not unused)


@pytest.mark.parametrize("name", ["x-max-priority", "x-queue-mode", "x-queue-version", "x-max-age"])
def test_arguments_of_other_types(memory: SimulatedBroker, name: str) -> None:
    with pytest.raises(
        PreconditionFailed, match=f"invalid arg '{name}' for queue 'q' .* of queue type rabbit_quorum_queue"
    ):
        quorum(memory, {name: 1})
    assert "q" not in memory.vhost.queues
