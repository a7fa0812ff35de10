"""The argument `x-filter`: an expression in SQL by which a consumer says which messages it wants.

The language is that of AMQP 1.0's SQL filters (core/selectors), and what it looks at is told in docs/consuming.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.core.errors import PreconditionFailed

if TYPE_CHECKING:
    from warren.core.queues.consumer import Consumer
    from warren.core.selectors.selector import Selector

FILTER: Final = "x-filter"


def use_filter(queue_description: str, consumer: Consumer) -> None:
    """Give a consumer the selector that its arguments ask for; a blank text asks for everything.

    A selector that its protocol has given it stays.  Raises PreconditionFailed (406), with what is wrong and where.
    """
    text = consumer.arguments.get(FILTER)
    if text is None or consumer.selector is not None:
        return
    if not isinstance(text, str):
        raise PreconditionFailed(f"invalid arg '{FILTER}' for {queue_description}: {text!r} is no string")
    if text.strip():
        consumer.selector = _selector(queue_description, text)


def _selector(queue_description: str, text: str) -> Selector:
    from warren.core.selectors.selector import SelectorError
    from warren.core.selectors.sql import SqlSelector

    try:
        return SqlSelector(text)
    except SelectorError as error:
        raise PreconditionFailed(
            f"invalid arg '{FILTER}' for {queue_description}: {error}",
            advice="see docs/consuming.md for what an expression may be",
        ) from None
