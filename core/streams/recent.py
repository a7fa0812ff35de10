"""The chunks of a stream that were read last, so that readers who go side by side read and check each of them once.

Readers take turns, a chunk each (core.queues.stream.queue), so those that have caught up with the end are at the same
chunk, and those that went back to the same place are a few apart.  What was read is never written again, so a chunk is
known by its place.  Whoever has read all there is lets go of all of it, and so does the last reader that leaves: a
stream that is idle costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from warren.core.streams.cursor import Chunk

RECENT_BYTES_MAX: Final = 2 << 20
"""Of one stream: two chunks of the largest size, or very many small ones."""


class Recent:
    """Of one stream, by the base of the segment and the place in it."""

    __slots__ = ("_chunks", "_size")

    def __init__(self) -> None:
        self._chunks: dict[tuple[int, int], tuple[Chunk, int]] = {}
        self._size = 0

    @property
    def size(self) -> int:
        """Bytes of all that it has."""
        return self._size

    def get(self, base: int, at: int) -> tuple[Chunk, int] | None:
        """The chunk that begins there, and its bytes in the segment; None where it isn't among them."""
        return self._chunks.get((base, at))

    def add(self, base: int, at: int, chunk: Chunk, size: int) -> None:
        """A chunk was read; those that were read first go for it."""
        chunks = self._chunks
        chunks[base, at] = (chunk, size)
        self._size += size
        while self._size > RECENT_BYTES_MAX and len(chunks) > 1:
            _, gone = chunks.pop(next(iter(chunks)))
            self._size -= gone

    def clear(self) -> None:
        """Let go of all."""
        if self._chunks:
            self._chunks.clear()
            self._size = 0
