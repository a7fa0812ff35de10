"""Waiting for a queue's answer: at once, later, an error, and a wait that is cancelled."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import trio
import trio.testing

from warren.core.errors import PreconditionFailed
from warren.core.queues.answer import Answer
from warren.gateway.network.answered import answered


class Asked:
    """Keeps the callable of the answer.  turns: how often the broker was to go on."""

    def __init__(self) -> None:
        self.answers: list[Answer[int]] = []
        self.turns = 0

    def question(self, answer: Answer[int]) -> None:
        self.answers.append(answer)

    def request_turn(self) -> None:
        self.turns += 1


async def test_an_answer_that_comes_at_once() -> None:
    asked = Asked()
    question: Callable[[Answer[int]], None] = lambda answer: answer(7)  # noqa: E731  # typed, for mypy
    assert await answered(question, asked.request_turn) == 7
    assert asked.turns == 1


async def test_an_answer_that_comes_later() -> None:
    asked = Asked()
    async with trio.open_nursery() as nursery:

        async def wait() -> None:
            assert await answered(asked.question, asked.request_turn) == 7

        nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        assert asked.turns == 1
        asked.answers[0](7)


async def test_an_error_is_raised() -> None:
    asked = Asked()
    async with trio.open_nursery() as nursery:

        async def wait() -> None:
            with pytest.raises(PreconditionFailed, match="no"):
                await answered(asked.question, asked.request_turn)

        nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        asked.answers[0](PreconditionFailed("no"))


async def test_what_comes_for_a_cancelled_wait_is_given_away() -> None:
    asked = Asked()
    given: list[int] = []
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(answered, asked.question, asked.request_turn, given.append)
            await trio.testing.wait_all_tasks_blocked()
            scope.cancel()
    assert given == []
    asked.answers[0](7)
    assert given == [7]
