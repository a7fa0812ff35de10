"""Polling a queue that answers at once, as a direct session."""

from __future__ import annotations

from functools import partial

from warren.adapters.direct.delivery import Delivery
from warren.adapters.direct.session import DirectSession
from warren.core.queues.answer import at_once


def poll(session: DirectSession, queue: str, *, no_ack: bool) -> Delivery | None:
    """The message at the head, if any."""
    found: Delivery | None = at_once(partial(session.get, queue, no_ack=no_ack))
    return found
