"""What came back: each message goes to the backlog it belongs to, and nothing is remembered of one that is gone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from tests.support.core_clients import (
    guest,
    persistent,
    poll,
    properties,
    publish,
    queue,
    take_messages,
    with_headers,
)
from tests.support.simulated_broker import SimulatedBroker
from warren.core.declaring.queues import delete_queue
from warren.core.messages.message import Message
from warren.core.messages.properties import Properties
from warren.core.queues.backlog import Backlog
from warren.core.queues.base import Queue
from warren.core.queues.classic.queue import ClassicQueue
from warren.core.queues.classic.returns import Returns

LETTERS = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "letters"}
QUORUM = {"x-queue-type": "quorum"}
CLASSIC = {"x-queue-type": "classic"}


@pytest.fixture
def broker() -> Iterator[SimulatedBroker]:
    broker = SimulatedBroker()
    yield broker
    broker.settle()
    broker.check()
    broker.close()


class Recording(Backlog):
    """Notes what is merged into it."""

    __slots__ = ("merged",)

    def __init__(self) -> None:
        self.merged: list[list[Message]] = []

    def merge(self, returning: list[Message], older_max: int | None = None) -> bool:
        self.merged.append(returning)
        return True


def having(backlogs: list[Recording], level_of: Callable[[Message], int]) -> ClassicQueue:
    """What `merge` looks at of a queue."""
    return cast("ClassicQueue", SimpleNamespace(backlogs=backlogs, level_of=level_of, picking=None))


def three_messages() -> list[Message]:
    broker = SimulatedBroker()
    made = queue(broker, "q")
    for body in (b"a", b"b", b"c"):
        publish(broker, "", body, key="q")
    return take_messages(made)


@pytest.mark.interpreted("gives in stand-ins, which the compiled form refuses")
def test_with_one_backlog_all_go_there_at_once() -> None:
    def level_of(message: Message) -> int:
        raise AssertionError("there is nothing to choose")

    returns, backlog = Returns(), Recording()
    messages = three_messages()
    returns.waiting += messages
    returns.merge(having([backlog], level_of))
    assert backlog.merged == [messages]
    assert returns.waiting == []


@pytest.mark.interpreted("gives in stand-ins, which the compiled form refuses")
def test_with_several_each_goes_to_its_own() -> None:
    returns, backlogs = Returns(), [Recording(), Recording(), Recording()]
    first, second, third = three_messages()
    returns.waiting += [first, second, third]
    returns.merge(having(backlogs, lambda message: 0 if message is second else 2))
    assert [backlog.merged for backlog in backlogs] == [[[second]], [], [[first, third]]]
    assert returns.waiting == []


def test_at_first_nothing_was_delivered_before() -> None:
    made = Returns()
    assert (made.redelivered_until, made.waiting, made.counts, made.failures) == (0, [], {}, {})


def test_nothing_is_remembered_of_a_message_that_is_gone() -> None:
    returns = Returns()
    returns.counts.update({1: 2, 2: 3})
    returns.failures.update({1: 1, 2: 1})
    returns.forget(1)
    returns.forget(7)
    assert (returns.counts, returns.failures) == ({2: 3}, {2: 1})


# Taking messages back


def delivered(broker: SimulatedBroker, name: str, *messages: tuple[bytes, Properties]) -> list[Message]:
    """Those messages, published and then polled."""
    made = broker.queue(name)
    for body, chosen in messages:
        publish(broker, "", body, chosen, key=name)
    broker.settle()
    polled = [poll(made) for _ in messages]
    return [found[0] for found in polled if found is not None]


def test_what_comes_back_is_counted(broker: SimulatedBroker) -> None:
    queue(broker, "q")
    made = broker.queue("q")
    first, second, third = delivered(broker, "q", *((body, persistent()) for body in (b"1", b"22", b"333")))
    assert (made.ready_count, made.ready_bytes, made.unacked_count) == (0, 0, 3)
    made.requeue([first, third], failed=False)
    assert (made.ready_bytes, made.unacked_count) == (4, 1)
    assert (made.counts.returned, made.counts.returned_bytes, made.counts.rejected) == (2, 4, 0)
    assert [made.returns(message) for message in (first, second, third)] == [1, 0, 1]
    broker.settle()
    assert poll(made) == (first, True)
    made.requeue([first, second], failed=True)
    assert [made.returns(message) for message in (first, second, third)] == [2, 1, 1]
    assert (made.counts.returned, made.counts.returned_bytes) == (4, 7)
    broker.settle()
    assert take_messages(made) == [first, second, third]
    assert (made.ready_bytes, made.unacked_count) == (0, 0)


@pytest.mark.parametrize(("limit", "deliveries"), [(0, 1), (1, 2), (2, 3), (-1, None)])
def test_so_often_a_message_may_fail(broker: SimulatedBroker, limit: int, deliveries: int | None) -> None:
    """All that come back at once are looked at; a negative limit is none, and what is no failure never counts."""
    queue(broker, "q", {**QUORUM, **LETTERS, "x-delivery-limit": limit}, durable=True)
    queue(broker, "letters")
    made, letters = broker.queue("q"), broker.queue("letters")
    messages = delivered(broker, "q", (b"1", persistent()), (b"2", persistent()))
    for delivery in range(1, 6):
        made.requeue(messages, failed=False)
        broker.settle()
        assert [poll(made) for _ in messages] == [(message, True) for message in messages]
        made.requeue(messages, failed=True)
        broker.settle()
        if delivery == deliveries:
            assert (made.ready_count, made.unacked_count, letters.ready_count) == (0, 0, 2)
            assert made.counts.rejected == 2
            return
        assert [poll(made) for _ in messages] == [(message, True) for message in messages]
    assert deliveries is None
    assert letters.ready_count == made.counts.rejected == 0
    made.requeue(messages, failed=False)


def test_what_comes_back_to_a_queue_that_is_gone_is_no_dead_letter(broker: SimulatedBroker) -> None:
    queue(broker, "q", {**QUORUM, **LETTERS, "x-delivery-limit": 0}, durable=True)
    queue(broker, "letters")
    made = broker.queue("q")
    messages = delivered(broker, "q", (b"1", persistent()))
    delete_queue(guest(broker), "q")
    made.requeue(messages, failed=True)
    broker.settle()
    assert made.unacked_count == 0
    assert broker.queue("letters").ready_count == 0


@pytest.mark.parametrize("others", [[], [b"2"], [b"2", b"3"]])
def test_a_time_to_live_goes_on(broker: SimulatedBroker, others: list[bytes]) -> None:
    """The queue had nothing with one any more meanwhile; those without come back in front of it."""
    queue(broker, "q")
    made = broker.queue("q")
    lasting = persistent()
    *those, brief = delivered(broker, "q", *((body, lasting) for body in others), (b"1", properties(expiration="1000")))
    made.mark_dirty()
    broker.advance(500)
    made.requeue([*those, brief], failed=False)
    broker.settle()
    broker.advance(499)
    assert made.ready_count == len(others) + 1
    assert take_first(made, len(others)) == others
    broker.advance(2)
    assert made.ready_count == 0


def take_first(made: Queue, count: int) -> list[bytes]:
    found = [poll(made, no_ack=True) for _ in range(count)]
    return [each[0].body for each in found if each is not None]


STORED = [
    (QUORUM, True, persistent(), True),
    (QUORUM, True, with_headers(), True),
    (CLASSIC, True, persistent(), True),
    (CLASSIC, True, with_headers(), False),
    (CLASSIC, False, persistent(), False),
]


@pytest.mark.parametrize(("kind", "durable", "chosen", "stored"), STORED)
def test_failures_are_stored_with_what_is_stored(
    tmp_path: Path, kind: dict[str, str], durable: bool, chosen: Properties, stored: bool
) -> None:
    broker = SimulatedBroker(tmp_path)
    queue(broker, "q", kind, durable=durable)
    made = broker.queue("q")
    made.rules = replace(made.rules, delivery_limit=7)
    messages = delivered(broker, "q", (b"1", chosen))
    broker.settle()
    assert not broker.broker.store.pending
    made.requeue(messages, failed=True)
    assert made.failures(messages[0]) == 1
    assert broker.broker.store.pending == stored
    broker.settle()
    broker.close()
