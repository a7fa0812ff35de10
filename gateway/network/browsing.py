"""Looking at the messages of a queue, wherever in the cluster it is."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from warren.core.queues.browse import EVERYTHING, Browsed, MessageFilter
from warren.gateway.network.answered import answered
from warren.gateway.turns import in_turns

if TYPE_CHECKING:
    from collections.abc import Callable

    from warren.core.access.accounts import User
    from warren.core.administration.operations.queues import Page
    from warren.core.broker import Broker


async def browse_messages(
    broker: Broker,
    request_turn: Callable[[], None],
    vhost: str,
    name: str,
    *,
    start: int = 0,
    count: int,
    wanted: MessageFilter = EVERYTHING,
) -> list[Browsed]:
    """As operations.queues.messages.  request_turn: has the broker go on.  Raises what the other node answers, too."""
    from warren.core.administration import operations

    if not operations.queues.existing(broker, vhost, name).is_remote:
        return await in_turns(operations.queues.messages(broker, vhost, name, start=start, count=count, wanted=wanted))
    look = partial(operations.queues.page_elsewhere, broker, vhost, name, start=start, count=count, wanted=wanted)
    found: Page = await answered(look, request_turn)
    return found.messages


async def browse_page(
    broker: Broker,
    request_turn: Callable[[], None],
    vhost: str,
    name: str,
    *,
    start: int,
    count: int,
    user: User | str | None = None,
) -> Page:
    """As operations.queues.page.  request_turn: has the broker go on.  Raises what the other node answers, too."""
    from warren.core.administration import operations

    if not operations.queues.existing(broker, vhost, name).is_remote:
        return await in_turns(operations.queues.page(broker, vhost, name, start=start, count=count, user=user))
    look = partial(operations.queues.page_elsewhere, broker, vhost, name, start=start, count=count, user=user)
    return await answered(look, request_turn)
