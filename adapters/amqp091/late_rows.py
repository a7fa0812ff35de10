"""Known publishes to queues that answer later, such as those of other nodes: a row is published with one receipt.

A row is what the loop over frames hands on at once: messages that came one behind the other, on one way.  They are
taken together, or refused together, which tells a publisher no less than it needs: a refused message may be there all
the same.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from warren.adapters.amqp091.codec import methods
from warren.core.routing.receipt import Receipt

if TYPE_CHECKING:
    from warren.adapters.amqp091.channel import Channel
    from warren.core.messages.message import Message
    from warren.core.routing.route import Route


class LateRows:
    """Of one way and channel."""

    __slots__ = ("_channel", "_kept", "_queues", "_store_ids")

    def __init__(self, channel: Channel, route: Route) -> None:
        self._channel = channel
        self._queues = route.queues
        durable = channel.client.vhost.broker.store.durable
        self._store_ids = route.store_ids if durable else ()
        self._kept = route.kept and durable

    def publish(self, messages: list[Message], size_bytes: int, *, persistent: bool) -> None:
        """Give them to all queues, and count them as published; those that no queue refuses are confirmed later."""
        channel = self._channel
        stored = persistent and bool(self._store_ids)
        if stored:
            channel.client.vhost.broker.store.append_all(messages, self._store_ids)
        receipt = Receipt()
        for queue in self._queues:
            if queue.answers_late:
                queue.append_all_with(messages, size_bytes, receipt)
            else:
                queue.append_all(messages, size_bytes, queue.row_of(messages[0]))
        confirms = channel.confirms
        if confirms is None:
            return
        count = len(messages)
        stored = stored or self._kept
        if receipt.refused:
            for _ in messages:
                channel.send(methods.BasicNack(confirms.refuse(), multiple=False, requeue=False))
        elif receipt.pending:
            first = confirms.add_late_row(count, stored=stored)
            receipt.then(partial(self._answered, first, count))
        else:
            confirms.published += count
            if stored:
                confirms.last_stored = confirms.published

    def _answered(self, first: int, count: int, taken: bool) -> None:
        self._channel.row_answered(first, count, taken=taken)
