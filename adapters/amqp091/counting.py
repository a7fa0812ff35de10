"""Counting what a read publishes: messages in a row that are counted alike are counted together.

They are as many as sequence numbers were given since the row began.  Those of one size are a row of their own, whatever
their way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from warren.adapters.amqp091.known_publishes import KnownPublish
    from warren.core.broker import Broker


class Counting:
    """Of one read.  publish, size: those of the present rows; None while there are none."""

    __slots__ = ("_broker", "_from", "_latest", "_size_from", "_sizes", "publish", "size")

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self.publish: KnownPublish | None = None
        self.size = 0
        self._from = 0
        self._size_from = 0
        self._sizes: dict[int, int] = {}
        self._latest: KnownPublish | None = None

    def change(self, publish: KnownPublish, size: int) -> None:
        """The next messages go this way, and their bodies have this size."""
        sequence = self._broker.sequence
        before = self.publish
        if before is None:
            self._from = self._size_from = sequence
        elif not publish.counts_as(before):
            before.published(sequence - self._from)
            self._from = sequence
        if size != self.size:
            if sequence != self._size_from:
                self._sizes[self.size] = self._sizes.get(self.size, 0) + sequence - self._size_from
                self._size_from = sequence
            self.size = size
        self.publish = publish

    def pause(self) -> None:
        """What comes next is counted elsewhere."""
        publish = self.publish
        if publish is not None:
            sequence = self._broker.sequence
            publish.published(sequence - self._from)
            self._sizes[self.size] = self._sizes.get(self.size, 0) + sequence - self._size_from
            self._latest = publish
            self.publish = None

    def end(self) -> None:
        """All of it is counted."""
        self.pause()
        if self._latest is not None:
            self._latest.counts.sizes.add_all(self._sizes)
