"""What came back: each message goes to the backlog it belongs to, and nothing is remembered of one that is gone."""

from __future__ import annotations

from tests.support.core_clients import publish, queue, take_messages
from tests.support.simulated_broker import SimulatedBroker
from warren.core.messages.message import Message
from warren.core.queues.backlog import Backlog
from warren.core.queues.classic.returns import Returns


class Recording(Backlog):
    """Notes what is merged into it."""

    __slots__ = ("merged",)

    def __init__(self) -> None:
        self.merged: list[list[Message]] = []

    def merge(self, returning: list[Message]) -> None:
        self.merged.append(returning)


def three_messages() -> list[Message]:
    broker = SimulatedBroker()
    made = queue(broker, "q")
    for body in (b"a", b"b", b"c"):
        publish(broker, "", body, key="q")
    return take_messages(made)


def test_with_one_backlog_all_go_there_at_once() -> None:
    def level_of(message: Message) -> int:
        raise AssertionError("there is nothing to choose")

    returns, backlog = Returns(), Recording()
    messages = three_messages()
    returns.waiting += messages
    returns.merge([backlog], level_of)
    assert backlog.merged == [messages]
    assert returns.waiting == []


def test_with_several_each_goes_to_its_own() -> None:
    returns, backlogs = Returns(), [Recording(), Recording(), Recording()]
    first, second, third = three_messages()
    returns.waiting += [first, second, third]
    returns.merge(backlogs, lambda message: 0 if message is second else 2)
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
