"""What is noted of a queue that is deleted: what it has counted, and whether it was there for a moment only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.core.brief import LIFE_MAX_MS, Brief, stem

if TYPE_CHECKING:
    from warren.core.queues.base import Queue
    from warren.core.routing.vhost import VirtualHost


def note_end(vhost: VirtualHost, queue: Queue) -> None:
    """It has nothing any more that is ready or to be settled."""
    broker = vhost.broker
    life_ms = broker.now_ms - queue.made_at_ms
    if life_ms <= LIFE_MAX_MS:
        owner = "" if queue.owner is None else queue.owner.user.name
        whose = Brief("queue", vhost.name, owner, stem(queue.name))
        broker.brief.ended(whose, life_ms, queue.message_counts["publish"], broker.now_ms)
    vhost.counts.queue_gone(queue)
