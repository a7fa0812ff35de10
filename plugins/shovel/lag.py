"""How far behind a shovel is, how fast it goes, and when nothing will wait any more.

What waits in a queue of this broker is looked at when somebody asks, and for the rate at which messages come, whenever
some have been moved.  At another broker, over AMQP, it is asked for now and then (`keep_looking`): messages alone, and
what has been moved since is taken off.  No other protocol tells; None for what isn't known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import trio

from warren.adapters.peers.errors import PeerError
from warren.plugins.shovel.definition import SourceDefinition
from warren.plugins.shovel.rate import Rate

if TYPE_CHECKING:
    from warren.adapters.amqp091.client.uri import AmqpUri
    from warren.core.broker import Broker
    from warren.core.queues.base import Queue
    from warren.plugins.bridging.amqp_ends import AmqpSource
    from warren.plugins.bridging.local_ends import LocalSource
    from warren.plugins.shovel.definition import AnySource

LEAST_GAIN: Final = 0.01
"""Messages a second by which a queue has to shrink for a time to be told at which it is empty."""

LOOK_S: Final = 10.0
"""How often another broker is asked how much waits: a channel and a question, which cost it next to nothing."""


class Lag:
    """Of one shovel.  uri: where its source is, once it was there.  end: what it consumes with, while connected."""

    def __init__(self, broker: Broker, source: AnySource) -> None:
        self.uri: AmqpUri | None = None
        self.end: LocalSource | None = None
        self._broker = broker
        self._source = source
        self._forwarding = Rate(trio.current_time())
        self._leaving = Rate(trio.current_time())
        self._arriving = Rate(trio.current_time())
        self._seen_there: int | None = None
        self._gone_at_look = 0
        self._arriving_there = 0.0
        self._gone = 0
        self._arrived = 0

    async def keep_looking(self, source: AmqpSource) -> None:
        """Ask the source's broker how much waits there, again and again, until cancelled; never ends by itself."""
        looked_at_s: float | None = None
        try:
            while True:
                try:
                    waiting = await source.ready_count() + source.unsettled
                except PeerError:
                    # Nobody knows; that the connection is over, others will notice.
                    self._seen_there = looked_at_s = None
                else:
                    now_s = trio.current_time()
                    if looked_at_s is not None and self._seen_there is not None:
                        arrived = waiting - self._seen_there + self._gone - self._gone_at_look
                        self._arriving_there = max(0, arrived) / (now_s - looked_at_s)
                    self._seen_there, self._gone_at_look, looked_at_s = waiting, self._gone, now_s
                await trio.sleep(LOOK_S)
        finally:
            self._seen_there = None

    def moved(self, count: int) -> None:
        """So many messages have arrived at the destination."""
        self._forwarding.count(count, trio.current_time())
        self.gone(count)

    def gone(self, count: int) -> None:
        """So many messages have left the source, wherever they went."""
        now_s = trio.current_time()
        self._gone += count
        self._leaving.count(count, now_s)
        queue = self._queue
        if queue is not None:
            arrived = self._gone + queue.ready_count + queue.unacked_count
            if self._arrived:
                self._arriving.count(max(0, arrived - self._arrived), now_s)
            self._arrived = arrived

    @property
    def messages(self) -> int | None:
        """Those that wait at the source or are under way."""
        queue = self._queue
        if queue is not None:
            return queue.ready_count + self._unsettled[0]
        if self._seen_there is not None:
            return max(0, self._seen_there - (self._gone - self._gone_at_look))
        return None

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
        arriving = self._arriving_there if self._seen_there is not None else self._arriving.now(now_s)
        gain = self._leaving.now(now_s) - arriving
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
