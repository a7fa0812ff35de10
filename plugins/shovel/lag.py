"""How far behind a shovel is, how fast it goes, and when nothing will wait any more.

What waits is known of a source that is a queue of this broker; None for others.  It is looked at when somebody asks,
and for the rate at which messages come, whenever some have been moved.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import trio

from warren.plugins.shovel.definition import SourceDefinition
from warren.plugins.shovel.rate import Rate

if TYPE_CHECKING:
    from warren.adapters.amqp091.client.uri import AmqpUri
    from warren.core.broker import Broker
    from warren.core.queues.base import Queue
    from warren.plugins.bridging.local_ends import LocalSource
    from warren.plugins.shovel.definition import AnySource

LEAST_GAIN: Final = 0.01
"""Messages a second by which a queue has to shrink for a time to be told at which it is empty."""


class Lag:
    """Of one shovel.  uri: where its source is, once it was there.  end: what it consumes with, while connected."""

    def __init__(self, broker: Broker, source: AnySource) -> None:
        self.uri: AmqpUri | None = None
        self.end: LocalSource | None = None
        self._broker = broker
        self._source = source
        self._forwarding = Rate(trio.current_time())
        self._arriving = Rate(trio.current_time())
        self._moved = 0
        self._arrived = 0

    def moved(self, count: int) -> None:
        """So many messages have arrived at the destination."""
        now_s = trio.current_time()
        self._moved += count
        self._forwarding.count(count, now_s)
        queue = self._queue
        if queue is not None:
            arrived = self._moved + queue.ready_count + queue.unacked_count
            if self._arrived:
                self._arriving.count(max(0, arrived - self._arrived), now_s)
            self._arrived = arrived

    @property
    def messages(self) -> int | None:
        """Those that wait at the source or are under way."""
        queue = self._queue
        return None if queue is None else queue.ready_count + self._unsettled[0]

    @property
    def bytes(self) -> int | None:
        """Of their bodies."""
        queue = self._queue
        return None if queue is None else queue.ready_bytes + self._unsettled[1]

    @property
    def seconds(self) -> float | None:
        """The age of the oldest of them."""
        queue = self._queue
        if queue is None:
            return None
        published_at_ms = [message.published_at_ms for message in queue.browse(0, 1)]
        under_way_ms = self._unsettled[2]
        if under_way_ms is not None:
            published_at_ms.append(under_way_ms)
        return max(0, self._broker.now_ms - min(published_at_ms)) / 1000 if published_at_ms else 0.0

    @property
    def rate(self) -> float:
        """Messages a second that are moved, smoothed."""
        return self._forwarding.now(trio.current_time())

    @property
    def drain_seconds(self) -> float | None:
        """When nothing will wait any more, if all goes on as it does; None where that can't be said, or never comes."""
        messages, now_s = self.messages, trio.current_time()
        if not messages:
            return None if messages is None else 0.0
        gain = self._forwarding.now(now_s) - self._arriving.now(now_s)
        return messages / gain if gain > LEAST_GAIN else None

    @property
    def _unsettled(self) -> tuple[int, int, int | None]:
        """What the source has given out: messages, bytes, and when the first was published."""
        return (0, 0, None) if self.end is None else self.end.unsettled()

    @property
    def _queue(self) -> Queue | None:
        """The source, if it is a queue of this broker and there."""
        source = self._source
        if not isinstance(source, SourceDefinition) or source.queue is None:
            return None
        uri = self.uri or source.uris[0]
        vhost = None if uri.host else self._broker.vhosts.get(uri.vhost)
        return None if vhost is None else vhost.queues.get(source.queue)
