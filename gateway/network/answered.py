"""Waiting for what a queue answers, which one of a slow type does in a later turn (core/queues/answer.py), and for what
an authentication back-end does (core/access/answers.py).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

import trio

from warren.core.access.answers import Unanswered
from warren.core.errors import BrokerError
from warren.core.queues.answer import ignore

if TYPE_CHECKING:
    from warren.core.queues.answer import Answer

if TYPE_CHECKING:
    from warren.core.access.answers import Awaited

Value = TypeVar("Value")


async def when_known(do: Callable[[], Awaitable[Value]]) -> Value:
    """What `do` gives; it is called again, from its beginning, whenever a back-end has to be asked for a right."""
    pinned: list[Awaited] = []
    try:
        while True:
            try:
                return await do()
            except Unanswered as unanswered:
                there = trio.Event()
                pinned.append(unanswered.pin(there.set))
            await there.wait()
    finally:
        for asked in pinned:
            asked.release()


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

    async def ask() -> None:
        try:
            question(answer)
        finally:
            request_turn()
            await trio.lowlevel.cancel_shielded_checkpoint()

    await when_known(ask)
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
