"""What concerns a whole backlog at one moment is done in turns: expiry, dead letters, new lengths, purges.

Counted is what leaves in one turn; the numbers are some times what one turn may do.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

import pytest

from tests.support import core_clients
from tests.support.core_clients import persistent, publish, take
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_consumer import SimulatedConsumer
from warren.core.declaring.queues import delete_queue, remove_queue
from warren.core.messages.address import Address
from warren.core.messages.message import Message
from warren.core.messages.properties import Properties, encode_properties
from warren.core.policies.policy import POLICY, make_policy
from warren.core.queues.classic.burials import DEAD_LETTER_WORK, OVERDUE_MAX, WORK_PER_TURN
from warren.core.queues.classic.contents import SETTLED_AT_ONCE
from warren.core.queues.classic.queue import ClassicQueue
from warren.core.storage.recovery import finish_chores

PERSISTENT = encode_properties(delivery_mode=2)


def declare(broker: SimulatedBroker, name: str, arguments: dict[str, str | int] | None = None) -> ClassicQueue:
    declared = core_clients.queue(broker, name, arguments or {}, durable=True)
    assert isinstance(declared, ClassicQueue)
    return declared


def fill(broker: SimulatedBroker, queue: ClassicQueue, count: int, properties: Properties = PERSISTENT) -> None:
    """Messages straight into a queue, each with its number as its body."""
    address = Address("", queue.name)
    for number in range(count):
        body = b"%d" % number
        message = Message(
            broker.broker.next_sequence(), address, properties, body, 0, len(body), 0, broker.broker.now_ms
        )
        broker.broker.store.append(message, (queue.store_id,))
        queue.append(message)
        if properties.expiration is not None:
            queue.expects_expiry()
    broker.settle()


def most_per_turn(broker: SimulatedBroker, count: Callable[[], int], begin: Callable[[], None]) -> tuple[int, int]:
    """How many left in the turn with the most of them, and how many turns there were.  count: of what is left."""
    before = count()
    begin()
    most, turns = before - count(), 0
    more = True
    while more:
        before = count()
        more = broker.broker.end_turn()
        most = max(most, before - count())
        turns += 1
    broker.settle()
    return most, turns


def after(broker: SimulatedBroker, milliseconds: int) -> None:
    """The time has come; nothing is settled yet."""
    broker._now_ms += milliseconds
    broker.broker.advance(broker._now_ms)


@pytest.mark.parametrize("own", [False, True])
def test_a_backlog_that_expires_at_one_moment(memory: SimulatedBroker, own: bool) -> None:
    queue = declare(memory, "q", {} if own else {"x-message-ttl": 1000})
    fill(memory, queue, 3 * WORK_PER_TURN, encode_properties(expiration="1000") if own else PERSISTENT)
    most, turns = most_per_turn(memory, lambda: queue.ready_count, lambda: after(memory, 1000))
    assert queue.ready_count == queue.ready_bytes == 0
    assert most == WORK_PER_TURN
    assert turns >= 3


def test_dead_letters_of_a_backlog_that_expires(disk: SimulatedBroker) -> None:
    graves = declare(disk, "graves")
    queue = declare(
        disk, "q", {"x-message-ttl": 1000, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "graves"}
    )
    per_turn = WORK_PER_TURN // DEAD_LETTER_WORK
    fill(disk, queue, 4 * per_turn + 1)
    most, turns = most_per_turn(disk, lambda: queue.ready_count, lambda: after(disk, 1000))
    assert (queue.ready_count, graves.ready_count) == (0, 4 * per_turn + 1)
    assert most == per_turn
    assert turns >= 5
    assert take(graves) == [b"%d" % number for number in range(4 * per_turn + 1)], "in order"


def test_many_queues_share_what_a_turn_may_do(memory: SimulatedBroker) -> None:
    queues = [declare(memory, f"q{number}", {"x-message-ttl": 1000}) for number in range(10)]
    for queue in queues:
        fill(memory, queue, WORK_PER_TURN // 2)
    most, _ = most_per_turn(memory, lambda: sum(each.ready_count for each in queues), lambda: after(memory, 1000))
    assert most == WORK_PER_TURN
    assert sum(each.ready_count for each in queues) == 0


def test_nobody_is_given_what_has_expired_and_waits_to_go(memory: SimulatedBroker) -> None:
    queue = declare(memory, "q", {"x-message-ttl": 1000})
    fill(memory, queue, 3 * WORK_PER_TURN)
    after(memory, 1000)
    consumer = SimulatedConsumer(queue, credit=10)
    queue.add_consumer(consumer)
    assert queue.poll(no_ack=True) is None
    publish(memory, "", b"alive", key="q")
    memory.settle()
    assert consumer.bodies == [b"alive"]
    assert queue.ready_count == 0


def test_a_new_length_is_come_to_in_turns(memory: SimulatedBroker) -> None:
    queue = declare(memory, "q")
    fill(memory, queue, 3 * WORK_PER_TURN)
    policy = make_policy(POLICY, "short", "^q$", {"max-length": 10})
    most, turns = most_per_turn(
        memory, lambda: queue.ready_count, lambda: memory.broker.policies.set(memory.vhost, policy)
    )
    assert take(queue) == [b"%d" % number for number in range(3 * WORK_PER_TURN - 10, 3 * WORK_PER_TURN)]
    assert most == WORK_PER_TURN
    assert turns >= 3


def test_a_queue_whose_surplus_comes_faster_keeps_its_length(memory: SimulatedBroker) -> None:
    queue = declare(memory, "q", {"x-max-length": 10})
    fill(memory, queue, 20)
    for _ in range(3):
        for _ in range(3 * WORK_PER_TURN):
            publish(memory, "", b"x", key="q")
        memory.broker.end_turn()
        assert queue.ready_count == 10, "in the turn in which it came"


LETTERS: dict[str, str | int] = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "graves"}

SURPLUS: list[dict[str, str | int]] = [
    {"x-max-length": 10},
    {"x-max-length": 10, "x-max-priority": 2},
    {"x-max-length": 10, "x-queue-type": "quorum"},
    {"x-message-ttl": 0},
    {"x-max-length": 10, "x-overflow": "reject-publish-dlx"},
]


@pytest.mark.parametrize("rules", SURPLUS)
def test_dead_letters_of_a_surplus_that_has_come_in_one_turn(
    memory: SimulatedBroker, rules: dict[str, str | int]
) -> None:
    graves = declare(memory, "graves")
    queue = declare(memory, "q", {**rules, **LETTERS})
    per_turn = WORK_PER_TURN // DEAD_LETTER_WORK
    kept = int(rules.get("x-max-length", 0))
    count = 4 * per_turn + 1

    def begin() -> None:
        for number in range(kept + count):
            publish(memory, "", b"%d" % number, PERSISTENT, "q")

    most, turns = most_per_turn(memory, lambda: count - graves.ready_count, begin)
    assert (queue.ready_count, graves.ready_count) == (kept, count)
    assert per_turn <= most <= per_turn + 1
    assert turns >= 4
    first = kept if queue.rules.refuses else 0
    assert take(graves) == [b"%d" % number for number in range(first, first + count)], "in order"


def test_who_publishes_to_a_queue_that_can_t_bury_as_fast_waits_for_it(memory: SimulatedBroker) -> None:
    declare(memory, "graves")
    queue = declare(memory, "q", {"x-max-length": 10, **LETTERS})
    version = memory.vhost.version
    for _ in range(OVERDUE_MAX + WORK_PER_TURN):
        publish(memory, "", b"x", PERSISTENT, "q")
    assert not queue.guarded
    memory.broker.end_turn()
    assert queue.guarded
    assert queue.is_overdue
    assert memory.vhost.version > version, "remembered routes don't know of it"
    memory.settle()
    assert (queue.ready_count, queue.guarded, queue.is_overdue) == (10, False, False)


def test_a_queue_with_other_rules_isn_t_behind_by_the_old_ones(memory: SimulatedBroker) -> None:
    declare(memory, "graves")
    queue = declare(memory, "q", LETTERS)
    policy = make_policy(POLICY, "short", "^q$", {"max-length": 10})
    memory.broker.policies.set(memory.vhost, policy)
    for _ in range(OVERDUE_MAX + WORK_PER_TURN):
        publish(memory, "", b"x", PERSISTENT, "q")
    memory.broker.end_turn()
    assert queue.is_overdue
    memory.broker.policies.clear(memory.vhost, POLICY, "short")
    assert not queue.is_overdue
    assert not queue.guarded


@pytest.mark.interpreted("replaces a method, which the compiled form doesn't let")
def test_damaged_records_count_as_gone_when_the_length_is_kept(disk: SimulatedBroker) -> None:
    """What a page turns out to have lost isn't dropped once more from what is left."""
    queue = declare(disk, "q")
    fill(disk, queue, 3000)
    assert queue.paged_count > 1000
    lost = sum(isinstance(entry, int) for entry in islice(queue.backlogs[0].all(), 1500))
    read = disk.broker.store.read

    def damaged(positions: list[int]) -> list[Message | None]:
        return [None if index else message for index, message in enumerate(read(positions))]

    disk.broker.store.read = damaged  # type: ignore[method-assign,assignment]
    policy = make_policy(POLICY, "short", "^q$", {"max-length": 1000})
    disk.broker.policies.set(disk.vhost, policy)
    disk.settle()
    assert lost
    assert queue.ready_count <= 1000
    assert queue.ready_count > 900 or not queue.paged_count


def test_a_purge_is_answered_at_once_and_settled_in_turns(disk: SimulatedBroker) -> None:
    queue = declare(disk, "q")
    fill(disk, queue, 3 * SETTLED_AT_ONCE + 5)
    answers: list[object] = []
    queue.purge(answers.append)
    assert answers == [3 * SETTLED_AT_ONCE + 5]
    assert queue.ready_count == queue.ready_bytes == 0
    fill(disk, queue, 1)
    disk.settle()
    assert disk.broker.store.statistics()["entries"] == 1
    assert take(queue) == [b"0"]


def test_a_queue_that_goes_while_a_purge_is_under_way_settles_all(disk: SimulatedBroker) -> None:
    queue = declare(disk, "q")
    fill(disk, queue, 3 * SETTLED_AT_ONCE)
    queue.purge(lambda count: None)
    remove_queue(disk.vhost, queue)
    disk.settle()
    assert not queue.burials.leaving
    assert disk.broker.store.statistics()["entries"] == 0
    disk.restart()
    assert "q" not in disk.vhost.queues


def test_a_queue_goes_at_once_and_its_backlog_in_turns(disk: SimulatedBroker) -> None:
    queue = declare(disk, "q")
    fill(disk, queue, 3 * SETTLED_AT_ONCE + 5)
    answers: list[object] = []
    delete_queue(core_clients.guest(disk), "q", answers.append)
    assert answers == [3 * SETTLED_AT_ONCE + 5]
    assert "q" not in disk.vhost.queues
    again = declare(disk, "q")
    fill(disk, again, 1)
    assert disk.broker.store.statistics()["entries"] == 1
    assert take(again) == [b"0"]


@pytest.mark.parametrize("slices", [0, 1, 2])
def test_a_crash_in_the_middle_of_a_deletion_leaves_nothing_of_it(disk: SimulatedBroker, slices: int) -> None:
    disk.commits_by_itself = False
    queue = declare(disk, "q")
    for _ in range(3 * SETTLED_AT_ONCE):
        publish(disk, "", b"x", PERSISTENT, "q")
    disk.begin_commit()
    disk.finish_commit()
    remove_queue(disk.vhost, queue)
    for _ in range(slices):
        disk.broker.end_turn()
    disk.begin_commit()
    disk.finish_commit()
    assert disk.broker.store.statistics()["entries"] == (3 - slices) * SETTLED_AT_ONCE
    disk.crash()
    assert "q" not in disk.vhost.queues
    disk.commits_by_itself = True
    disk.settle()
    assert disk.broker.store.statistics()["entries"] == 0
    assert not disk.broker.damage()


def test_a_stop_in_good_order_settles_what_is_left_of_a_deletion(disk: SimulatedBroker) -> None:
    queue = declare(disk, "q")
    fill(disk, queue, 3 * SETTLED_AT_ONCE)
    remove_queue(disk.vhost, queue)
    finish_chores(disk.broker)
    assert not queue.burials.leaving
    assert not disk.broker.chores


def test_a_purge_of_what_drops_duplicates_is_answered_when_all_of_it_is_gone(memory: SimulatedBroker) -> None:
    """Until then a publish may still be dropped as a duplicate, as if it had come before the purge."""
    queue = declare(memory, "q", {"x-message-deduplication": True})
    for number in range(SETTLED_AT_ONCE + 1):
        publish(memory, "", b"x", persistent(x_deduplication_header=str(number)), "q")
    memory.settle()
    answers: list[object] = []
    queue.purge(answers.append)
    assert (answers, queue.ready_count) == ([], 0)
    memory.settle()
    assert answers == [SETTLED_AT_ONCE + 1]
    assert queue.present is not None
    assert not len(queue.present)


def test_a_queue_that_is_deleted_while_it_expires(memory: SimulatedBroker) -> None:
    queue = declare(memory, "q", {"x-message-ttl": 1000})
    fill(memory, queue, 3 * WORK_PER_TURN)
    after(memory, 1000)
    memory.broker.end_turn()
    assert queue.ready_count
    delete_queue(core_clients.guest(memory), "q")
    memory.settle()
    assert not memory.broker.chores


def test_what_has_to_be_read_from_disk_is_more_work(disk: SimulatedBroker) -> None:
    fill(disk, declare(disk, "q", {"x-message-ttl": 1000}), 3 * WORK_PER_TURN)
    disk.restart()
    queue = disk.queue("q")
    most, turns = most_per_turn(disk, lambda: queue.ready_count, lambda: after(disk, 1000))
    assert queue.ready_count == queue.ready_bytes == 0
    page = disk.broker.paging.page_messages
    assert most <= page
    assert turns >= 3 * WORK_PER_TURN // page


def test_dead_letters_with_large_headers_are_more_work(memory: SimulatedBroker) -> None:
    graves = declare(memory, "graves")
    letters: dict[str, str | int] = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "graves"}
    queue = declare(memory, "q", {"x-message-ttl": 1000, **letters})
    headers = {f"h{number}": number for number in range(WORK_PER_TURN * 2)}
    fill(memory, queue, 10, encode_properties(delivery_mode=2, headers=headers))
    most, _ = most_per_turn(memory, lambda: queue.ready_count, lambda: after(memory, 1000))
    assert most == 1
    assert [message.body for message in graves.browse(0, 100)] == [b"%d" % number for number in range(10)]
