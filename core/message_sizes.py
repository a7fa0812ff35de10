"""How large the messages are that clients publish: a histogram for each protocol, with RabbitMQ's bounds.

The loops that publish count runs of messages of one size (a local dictionary of sizes, touched where a size is another
one than that before) and book them once per batch, so that messages of one size cost a comparison at most.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from typing import Final

BOUNDS_BYTES: Final = (100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 50_000_000, 100_000_000)
"""What RabbitMQ 4.1 tells apart: each bucket has bodies up to its bound, and one more has the rest."""


class MessageSizes:
    """Of one protocol.  buckets: how many messages are up to each bound and above the one before; the last is larger.
    total_bytes: bodies together."""

    __slots__ = ("buckets", "total_bytes")

    def __init__(self) -> None:
        self.buckets = [0] * (len(BOUNDS_BYTES) + 1)
        self.total_bytes = 0

    def add(self, size_bytes: int, count: int = 1) -> None:
        """So many messages with bodies of this size."""
        self.buckets[bisect_left(BOUNDS_BYTES, size_bytes)] += count
        self.total_bytes += size_bytes * count

    def add_all(self, counts: Mapping[int, int]) -> None:
        """Many at once, by their size."""
        for size_bytes, count in counts.items():
            self.add(size_bytes, count)


class SizesByProtocol:
    """Of one broker; what is gone stays counted."""

    __slots__ = ("_by_protocol",)

    def __init__(self) -> None:
        self._by_protocol: dict[str, MessageSizes] = {}

    def of(self, protocol: str) -> MessageSizes:
        """Those of a protocol, as its clients call it (`MQTT 5-0`)."""
        found = self._by_protocol.get(protocol)
        if found is None:
            found = self._by_protocol[protocol] = MessageSizes()
        return found

    def __iter__(self) -> Iterator[tuple[str, MessageSizes]]:
        return iter(list(self._by_protocol.items()))
