"""A large backlog of delayed messages: what it costs in memory and turns, and that it comes out in order.

`WARREN_TEST_PENDING=1000000` tries the same with a million.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.core_clients import advance, bound_queue, exchange, persistent, publish
from tests.support.simulated_broker import SimulatedBroker
from warren.core.exchanges.delaying.exchange import DelayedMessageExchange
from warren.core.exchanges.delaying.messages import BATCH_MESSAGES_MAX, LOADED_AT_ONCE, DelayedMessages
from warren.core.messages.properties import Properties
from warren.core.routing.vhost import VirtualHost

PENDING = int(os.environ.get("WARREN_TEST_PENDING", "30000"))

DELAYS = 1000
"""Different delays, so that a due time has many messages and neighbours in the log are due at different times."""

TICKET_BYTES_MAX = 72
"""Of a ticket of 48 bytes with its share of a list that has room to grow."""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SimulatedBroker]:
    made = SimulatedBroker(tmp_path)
    exchange(made, "x", "x-delayed-message", {"x-delayed-type": "fanout"}, durable=True)
    bound_queue(made, "q", "x")
    yield made
    made.close()


def held(vhost: VirtualHost) -> DelayedMessages:
    found = vhost.exchanges["x"]
    assert isinstance(found, DelayedMessageExchange)
    return found.delayed


def delay_of(number: int) -> int:
    return (number * 7919) % DELAYS + 1


def fill(broker: SimulatedBroker) -> None:
    """Publish messages `0`, `1`..., a thousand to a commit."""
    made: list[Properties] = [persistent(x_delay=delay * 1000) for delay in range(DELAYS + 1)]
    for number in range(PENDING):
        publish(broker, "x", b"%d" % number, made[delay_of(number)])
        if number % 1000 == 999:
            broker.settle()
    broker.settle()


def bodies_by_due_time() -> list[bytes]:
    return [b"%d" % number for number in sorted(range(PENDING), key=delay_of)]


def memory_bytes(messages: DelayedMessages) -> int:
    """What the tickets take."""
    runs = messages._tickets._runs
    return sum(sys.getsizeof(run) + sum(map(sys.getsizeof, run)) for run in runs)


def test_a_large_backlog(disk: SimulatedBroker) -> None:
    fill(disk)
    messages = held(disk.vhost)
    assert len(messages) == PENDING
    assert messages.resident_count == 0
    assert memory_bytes(messages) <= TICKET_BYTES_MAX * PENDING
    assert len(messages._heap) < 10_000

    found: list[bytes] = []
    queue = disk.queue("q")
    for _ in range(DELAYS // 50):
        turns = advance(disk, 50_000)
        assert turns >= PENDING * 50 // DELAYS // BATCH_MESSAGES_MAX
        while (got := queue.poll(no_ack=True)) is not None:
            found.append(got[0].body)
    assert found == bodies_by_due_time()
    disk.settle()
    assert disk.broker.store.statistics()["entries"] == 0


def test_a_large_backlog_is_back_after_a_restart(disk: SimulatedBroker) -> None:
    fill(disk)
    before = [each.id for each in held(disk.vhost).pending()]
    disk.crash()
    messages = held(disk.vhost)
    assert len(messages) == PENDING
    assert advance(disk, 0) >= PENDING // LOADED_AT_ONCE
    assert memory_bytes(messages) <= TICKET_BYTES_MAX * PENDING
    assert [each.id for each in messages.pending()] == before


def test_cancelling_does_not_walk_over_the_backlog(disk: SimulatedBroker) -> None:
    fill(disk)
    messages = held(disk.vhost)
    ids = [each.id for each in messages.pending()]
    assert all(messages.cancel(each) for each in ids[1::2])
    assert [each.id for each in messages.pending()] == ids[::2]
    disk.settle()
    assert disk.broker.store.statistics()["entries"] == len(ids[::2])
