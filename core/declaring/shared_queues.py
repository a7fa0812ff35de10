"""Deleting queues that belong to a whole cluster: it is asked first, and then every node takes them away."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from warren.core.access.answers import Unanswered
from warren.core.errors import BrokerError

if TYPE_CHECKING:
    from warren.core.cluster.agreements import Agreements
    from warren.core.queues.answer import Answer
    from warren.core.queues.base import Queue


def delete_shared(
    agreements: Agreements, queue: Queue, answer: Answer[int], again: Callable[[Answer[int]], None]
) -> None:
    """Have a queue deleted everywhere; the answer is the number of ready messages that went with it here.

    again: looks at it anew, where somebody was quicker with something, and raises errors of the broker.
    """
    vhost = queue.vhost
    waiting = agreements.leaving.setdefault((vhost.name, queue.name), [])

    def answered(agreed: bool, error: BrokerError | None) -> None:
        is_waiting = answer in waiting
        if is_waiting:
            waiting.remove(answer)
        if not waiting:
            agreements.leaving.pop((vhost.name, queue.name), None)
        if error is not None:
            answer(error)
        elif not agreed:
            _do_again(again, answer)
        elif is_waiting:
            # It was gone when that was agreed on, or isn't to be had here.
            answer(0)

    waiting.append(answer)
    agreements.ask_then(("queue", vhost.name, queue.name, None), answered)


def look_then(queue: Queue, answer: Answer[int], then: Callable[[Answer[int]], None]) -> None:
    """Ask the node that has a queue how it stands; `then` goes on, and raises errors of the broker.

    Where that node can't be asked, nobody knows whether a condition holds: the answer is that error.
    """

    def looked(seen: BrokerError | None) -> None:
        if seen is not None:
            answer(seen)
        else:
            _do_again(then, answer)

    queue.look(looked)


def _do_again(again: Callable[[Answer[int]], None], answer: Answer[int]) -> None:
    try:
        again(answer)
    except BrokerError as error:
        answer(error)
    except Unanswered as unanswered:
        unanswered.then(lambda: _do_again(again, answer))
