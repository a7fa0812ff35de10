"""What a queue is asked and may answer later: the shape of an answer, and what takes none.

Most types answer in the same call.  One that has to ask others first (a disk of its own, other nodes) keeps the
callable and calls it once, in any later turn of the broker.  Who asked may be gone by then; that is the asker's
business: a message that nobody takes any more is to be requeued.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from warren.core.errors import BrokerError

if TYPE_CHECKING:
    from warren.core.messages.message import Message

Value = TypeVar("Value")

Answer: TypeAlias = Callable[[Value | BrokerError], None]
"""Called once: with what was asked for, or with the error that says why it can't be had."""

Polled: TypeAlias = "tuple[Message, bool] | None"
"""A message and whether it is a redelivery; None when nothing is ready."""


def ignore(answer: object) -> None:
    """The answer of who asks for nothing."""


def at_once(ask: Callable[[Answer[Value]], None]) -> Value:
    """What a queue answers in the same call, for callers that can't wait; the error it answers is raised.

    ask: asks, and gives its argument to the queue.  Raises LookupError when the answer is still to come.
    """
    given: list[Value | BrokerError] = []
    ask(given.append)
    if not given:
        raise LookupError("the queue answers later")
    if isinstance(given[0], BrokerError):
        raise given[0]
    return given[0]
