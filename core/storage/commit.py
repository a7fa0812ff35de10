"""One group commit: what of definitions, streams and the message log goes to disk together, and who waits for it.

The broker makes it on its thread and finishes it there; what waits for the disk is `Commit.write`, in any thread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from warren.core.storage.definitions.store import DefinitionStore
    from warren.core.storage.engine import LongFlush
    from warren.core.streams.streams import StreamsFlush


SIZE_OF_DEFINITIONS: Final = 1 << 30
"""SQLite syncs more than one file, and what it writes isn't known."""


class Committed(Protocol):
    """Something that waits for a flush: a confirm channel, a transaction."""

    def mark(self) -> int:
        """What a flush that begins now covers, as a number to be given back."""

    def flushed(self, mark: int) -> None:
        """The flush that began at `mark` is on disk."""


class Commit:
    """One group commit on its way to disk; `write` may run in any thread, the rest is the broker's.

    definitions: None where nothing of them is to be synced, or it is already.
    """

    __slots__ = ("definitions", "deleted", "flush", "streams", "unkept", "waiting")

    def __init__(
        self,
        flush: LongFlush | None,
        streams: StreamsFlush | None,
        definitions: DefinitionStore | None,
        waiting: list[tuple[Committed, int]],
        deleted: list[int],
        unkept: int,
    ) -> None:
        self.flush = flush
        self.streams = streams
        self.definitions = definitions
        self.waiting = waiting
        self.deleted = deleted
        self.unkept = unkept

    @property
    def is_empty(self) -> bool:
        """True where there is nothing to write."""
        return self.flush is None and self.streams is None and self.definitions is None

    @property
    def size_bytes(self) -> int:
        """How much is written, once all is prepared; definitions and streams count as much as a commit may be."""
        if self.definitions is not None or self.streams is not None:
            return SIZE_OF_DEFINITIONS
        return self.flush.size_bytes if self.flush is not None else 0

    def prepare_some(self) -> bool:
        """Before `write`, on the broker's thread: a slice of what has to be prepared for it; False when all is."""
        return self.flush is not None and self.flush.encode_some()

    def write(self) -> None:
        """Definitions before messages, so that a confirmed message never lies in a queue that was forgotten."""
        if self.definitions is not None:
            self.definitions.sync()
            self.definitions = None
        if self.streams is not None:
            self.streams.write()
        if self.flush is not None:
            self.flush.write()
