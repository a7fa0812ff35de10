"""Appending a flush to the stream, so that it is known in the end whether it is there.

Each frame says which sequence it expects to be the last.  An answer that is lost, or that says that another one was,
is no verdict: the frame at the next sequence is.  If it is ours, it was taken; if it is another one, another node owns
the shard; if there is none, ours is sent again.
"""

from __future__ import annotations

from warren.core.storage.replicated.errors import OwnershipLost, StreamAway, WrongSequence
from warren.core.storage.replicated.frames import HEAD_SIZE, LOG, encode_frame
from warren.core.storage.replicated.mark import Mark, MarkFile
from warren.core.storage.replicated.stream import ShardStream


class Appender:
    """The end of a stream that is ours.  mark: how far the log here and the stream are the same.

    lost: why the shard isn't this node's any more; empty while it is.
    """

    def __init__(self, stream: ShardStream, marks: MarkFile, mark: Mark) -> None:
        self.lost = ""
        self._stream = stream
        self._marks = marks
        self._sequence = mark.sequence
        self._chain = mark.chain
        self._parts: list[tuple[bytes, bytes]] = []

    @property
    def sequence(self) -> int:
        """The last that is known to be there."""
        return self._sequence

    def begin(self, base: int, offset: int, data: bytes) -> None:
        """Send what a flush writes there on its way; `end` waits for it.  Raises OwnershipLost, StorageError."""
        if self.lost:
            raise OwnershipLost(self.lost)
        self._parts = []
        chain = self._chain
        view = memoryview(data)
        size = max(1, self._stream.frame_bytes_max - HEAD_SIZE)
        for at in range(0, len(data), size):
            frame, chain = encode_frame(LOG, base, offset + at, chain, view[at : at + size])
            self._parts.append((frame, chain))
        self._send(self._parts[0][0])

    def end(self) -> None:
        """A majority has all of it when this returns.  Raises OwnershipLost, StorageError."""
        for number, (frame, chain) in enumerate(self._parts):
            if number:
                self._send(frame)
            self._confirm(frame)
            self._sequence += 1
            self._chain = chain
        self._parts = []

    def note(self, base: int, end: int) -> None:
        """What was sent is on the disk here as well, and the last segment ends there.  Raises OSError."""
        self._marks.write(Mark(self._sequence, base, end, self._chain))

    def _send(self, frame: bytes) -> None:
        try:
            self._stream.begin_append(frame, self._sequence)
        except StreamAway:
            # `_confirm` finds that there is no answer, and what that means.
            return

    def _confirm(self, frame: bytes) -> None:
        """Wait until it is known that the frame is there."""
        while True:
            trouble = "it had another last sequence"
            try:
                self._stream.end_append()
                return
            except StreamAway as away:
                trouble = str(away)
            except WrongSequence:
                pass
            if self._is_there(frame):
                return
            self._stream.wait(trouble)
            self._send(frame)

    def _is_there(self, frame: bytes) -> bool:
        """Whether the next message of the stream is this frame; False where there is none, as far as is known."""
        try:
            found = self._stream.get(self._sequence + 1)
            if found is None:
                first, last = self._stream.bounds()
                if first <= self._sequence + 1:
                    if last < self._sequence:
                        # A server that has just been deposed may say so; one that has lost its disk says it again.
                        self._stream.wait(f"it ends with message {last}, and {self._sequence} was confirmed")
                    return False
        except StreamAway:
            return False
        if found == frame:
            return True
        self.lost = f"another node has written message {self._sequence + 1} of the stream: the shard is that node's now"
        raise OwnershipLost(self.lost)
