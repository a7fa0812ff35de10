"""What the engine asks of a shard's stream, whoever keeps it.

A stream is a sequence of frames (frames.py), numbered from 1 on, kept by a majority of servers once an append has
ended. Only its beginning may be dropped.  All calls wait, so they are made on threads that may, by one thread at a
time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol


class ShardStream(Protocol):
    """See the head of this file.  Each method raises StreamAway, and StorageError once `close` was called."""

    @property
    def frame_bytes_max(self) -> int:
        """The most octets that one frame may have."""

    def bounds(self) -> tuple[int, int]:
        """(first, last) sequence that is there; the first is one more than the last where nothing is.

        It may be told by a server that doesn't know the latest, so that only an append proves anything.
        """

    def read(self, first: int, last: int) -> Iterator[tuple[int, bytes]]:
        """(sequence, frame) of all that is there between the two, both included, in order."""

    def get(self, sequence: int) -> bytes | None:
        """One frame; None where it isn't there, yet or any more."""

    def begin_append(self, frame: bytes, expected_last: int) -> None:
        """Send a frame on its way, to be taken if the stream's last sequence is this one; `end_append` waits for it."""

    def end_append(self) -> None:
        """A majority has it when this returns.  Raises WrongSequence besides."""

    def purge(self, before: int) -> None:
        """Drop all frames before this sequence."""

    def wait(self, trouble: str) -> None:
        """Before another try: rest a little.  trouble: why, for people."""

    def close(self) -> None:
        """No more of it; from any thread.  A call that waits ends with StorageError."""
