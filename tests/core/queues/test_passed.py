"""What consumers have passed over, against a list that is sorted: in memory, and with tickets in packed pages."""

from __future__ import annotations

import random

import pytest

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_consumer import declare, publish
from warren.core.messages.message import Message
from warren.core.messages.properties import encode_properties
from warren.core.queues.backlog import Backlog, sequence_of
from warren.core.queues.classic.picking import passed_over

PERSISTENT = encode_properties(delivery_mode=2)


def passed_all(broker: SimulatedBroker, count: int) -> Backlog:
    """The backlog of a queue all of whose messages were passed over."""
    queue = declare(broker, durable=True)
    publish(broker, queue, (b"%d" % number for number in range(count)), PERSISTENT)
    broker.settle()
    backlog = queue.backlogs[0]
    passed = passed_over(backlog)
    while backlog.unpassed_head() is not None:
        passed.append(backlog.pop_unpassed())
    return backlog


@pytest.mark.parametrize("seed", range(10))
def test_random_doings(disk: SimulatedBroker, seed: int) -> None:
    chance = random.Random(seed)
    backlog = passed_all(disk, 3000)
    passed = passed_over(backlog)
    expected = [sequence_of(entry) for entry in backlog.all()]
    out: list[Message] = []
    for _ in range(400):
        doing = chance.randrange(6)
        if doing == 0 and expected:
            first = backlog.pop_first()
            assert sequence_of(first) == expected.pop(0)
        elif doing == 1:
            passed.page_out(0)
        elif doing == 2 and out:
            back = out.pop(chance.randrange(len(out)))
            passed.put_back(back)
            expected = sorted([*expected, back.sequence])
            assert passed.returned[-1] == back.sequence
        elif doing == 3 and expected:
            head = backlog.head()
            assert head is not None
            assert head.sequence == expected[0]
        elif doing == 4 and expected:
            after = chance.choice(expected)
            found = [message.sequence for message in passed.following(after)]
            assert found == [each for each in expected if each > after][: len(found)]
            assert bool(found) is (after != expected[-1])
        else:
            sequence = chance.choice(expected)
            taken = passed.take(sequence)
            assert taken is not None
            assert taken.sequence == sequence
            assert passed.take(sequence) is None
            expected.remove(sequence)
            out.append(taken)
        assert passed.count == backlog.count == len(expected)
    assert [sequence_of(entry) for entry in backlog.all()] == expected
    tickets = [entry for entry in backlog.all() if isinstance(entry, int)]
    assert backlog.paged_count == len(tickets)
    assert len(list(passed.in_memory())) == backlog.resident_count
    assert [sequence_of(entry) for entry in backlog.clear()] == expected
    assert backlog.count == 0


def test_what_came_back_is_forgotten_in_the_end(memory: SimulatedBroker) -> None:
    backlog = passed_all(memory, 10)
    passed = passed_over(backlog)
    for _ in range(3000):
        message = passed.take(passed.last)
        assert message is not None
        passed.put_back(message)
    assert len(passed.returned) < 1500
    assert passed.forgotten + len(passed.returned) == 3000
