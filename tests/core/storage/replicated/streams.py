"""A shard's stream in memory, that every node of a test sees, and the faults it may have."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from warren.core.errors import StorageError
from warren.core.storage.replicated.errors import StreamAway, WrongSequence

WAITS_MAX = 1000
"""A test that waits longer than that waits for ever."""


class Servers:
    """What all nodes see.  frames: by sequence.  last: sequence."""

    def __init__(self) -> None:
        self.frames: dict[int, bytes] = {}
        self.last = 0

    @property
    def first(self) -> int:
        return min(self.frames, default=self.last + 1)

    def append(self, frame: bytes, expected_last: int) -> None:
        if expected_last != self.last:
            raise WrongSequence
        self.last += 1
        self.frames[self.last] = frame


class MemoryStream:
    """One node's way to it.

    is_away: nothing gets there.  lose_answers: so many appends are taken, and their answers lost; lose_requests: aren't
    taken.  on_wait: what happens while it is waited.
    """

    def __init__(self, servers: Servers, frame_bytes_max: int = 1 << 20) -> None:
        self.frame_bytes_max = frame_bytes_max
        self.servers = servers
        self.is_away = False
        self.lose_answers = 0
        self.lose_requests = 0
        self.on_wait: Callable[[], None] = lambda: None
        self.troubles: list[str] = []
        self._sent: tuple[bytes, int] | None = None
        self._is_closed = False

    def bounds(self) -> tuple[int, int]:
        self._reach()
        return self.servers.first, self.servers.last

    def read(self, first: int, last: int) -> Iterator[tuple[int, bytes]]:
        for sequence, frame in sorted(self.servers.frames.items()):
            self._reach()
            if first <= sequence <= last:
                yield sequence, frame

    def get(self, sequence: int) -> bytes | None:
        self._reach()
        return self.servers.frames.get(sequence)

    def begin_append(self, frame: bytes, expected_last: int) -> None:
        self._sent = None
        self._reach()
        self._sent = frame, expected_last

    def end_append(self) -> None:
        sent, self._sent = self._sent, None
        self._reach()
        if sent is None:
            raise StreamAway("nothing was sent")
        if self.lose_requests:
            self.lose_requests -= 1
            raise StreamAway("the request was lost")
        self.servers.append(*sent)
        if self.lose_answers:
            self.lose_answers -= 1
            raise StreamAway("the answer was lost")

    def purge(self, before: int) -> None:
        self._reach()
        for sequence in [each for each in self.servers.frames if each < before]:
            del self.servers.frames[sequence]

    def wait(self, trouble: str) -> None:
        self.troubles.append(trouble)
        assert len(self.troubles) < WAITS_MAX, "it is waited for ever"
        self.on_wait()
        if self._is_closed:
            raise StorageError("closed")

    def close(self) -> None:
        self._is_closed = True

    def _reach(self) -> None:
        if self._is_closed:
            raise StorageError("closed")
        if self.is_away:
            raise StreamAway("no server can be reached")
