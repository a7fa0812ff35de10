"""Waiting for what a queue answers, which one of a slow type does in a later turn (core/queues/answer.py)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import trio

from warren.core.errors import BrokerError
from warren.core.queues.answer import ignore

if TYPE_CHECKING:
    from warren.core.queues.answer import Answer

Value = TypeVar("Value")


async def answered(
    question: Callable[[Answer[Value]], None],
    request_turn: Callable[[], None],
    otherwise: Callable[[Value], None] = ignore,
) -> Value:
    """What the queue answers to `question`; raises the BrokerError that it answers.

    request_turn: has the broker go on, called once the question is asked.  otherwise: takes an answer that comes when
    the wait has been cancelled.  A checkpoint; what is answered at once is never lost by a cancellation.
    """
    given: list[Value | BrokerError] = []
    there = trio.Event()
    left = False

    def answer(value: Value | BrokerError) -> None:
        if left and not isinstance(value, BrokerError):
            otherwise(value)
        given.append(value)
        there.set()

    try:
        question(answer)
    finally:
        request_turn()
        await trio.lowlevel.cancel_shielded_checkpoint()
    if not given:
        try:
            await there.wait()
        except BaseException:
            left = True
            if given and not isinstance(given[0], BrokerError):
                otherwise(given[0])
            raise
    found = given[0]
    if isinstance(found, BrokerError):
        raise found
    return found
