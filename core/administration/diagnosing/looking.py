"""A first look at the queues, so that a second one tells which of them grow."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Final

from warren.core.administration.listing.kind import vhosts_among
from warren.core.administration.steps import Steps

if TYPE_CHECKING:
    from warren.core.administration.listing.kind import Vhosts
    from warren.core.broker import Broker
    from warren.core.queues.base import Queue

QUEUES_PER_SLICE: Final = 1000
"""A microsecond each."""


class Look:
    """at_ms: when it was.  ready: how many messages waited in each queue that had any."""

    __slots__ = ("at_ms", "ready")

    def __init__(self, at_ms: int) -> None:
        self.at_ms = at_ms
        self.ready: dict[Queue, int] = {}


def look(broker: Broker, vhosts: Vhosts, now_ms: int) -> Steps[Look]:
    """In slices.  vhosts: only what is in these; None for all."""
    return Steps(_look(broker, vhosts, now_ms))


def _look(broker: Broker, vhosts: Vhosts, now_ms: int) -> Generator[None, None, Look]:
    found = Look(now_ms)
    looked_at = 0
    for vhost in vhosts_among(broker, vhosts):
        for queue in list(vhost.queues.values()):
            ready = queue.ready_count
            if ready:
                found.ready[queue] = ready
            looked_at += 1
            if looked_at % QUEUES_PER_SLICE == 0:
                yield
    return found
