"""A flush that goes to the disk here and to the stream, and is done when both have it."""

from __future__ import annotations

from warren.core.storage.disk.compaction import DeletionJob
from warren.core.storage.disk.flush import LogFlush
from warren.core.storage.engine import Flush
from warren.core.storage.replicated.appending import Appender
from warren.core.storage.replicated.errors import StreamAway
from warren.core.storage.replicated.frames import decode_frame
from warren.core.storage.replicated.stream import ShardStream


class ReplicatedFlush:
    """See the head of this file.  local: the disk engine's."""

    __slots__ = ("_appender", "_is_in_stream", "local", "size_bytes")

    def __init__(self, local: LogFlush, appender: Appender) -> None:
        self.local = local
        self.size_bytes = local.size_bytes
        self._appender = appender
        self._is_in_stream = False

    def encode_some(self) -> bool:
        """A slice of the encoding; False when nothing is left of it."""
        more = self.local.encode_some()
        self.size_bytes = self.local.size_bytes
        return more

    def write(self) -> None:
        """Write to both at once, and wait for both.

        May be called again where the disk was full: the stream then has it already.  Raises OSError when the disk
        fails, OwnershipLost, and StorageError; nothing of it may be confirmed then.
        """
        local = self.local
        local.encode()
        if not local.chunks:
            return
        if self._is_in_stream:
            local.write()
        else:
            data = b"".join(local.chunks)
            local.chunks[:] = [data]
            self._appender.begin(local.segment.base, local.offset, data)
            try:
                local.write()
            finally:
                self._appender.end()
                self._is_in_stream = True
        self._appender.note(local.segment.base, local.offset + local.size_bytes)


class ReplicatedJob:
    """Maintenance of the log here, and behind it the stream's beginning goes that no segment needs any more.

    local: the disk engine's job.  keep_from: base of the first segment that is left then.
    """

    __slots__ = ("_keep_from", "_stream", "local")

    def __init__(self, local: Flush, keep_from: int, stream: ShardStream) -> None:
        self.local = local
        self._keep_from = keep_from
        self._stream = stream

    def write(self) -> None:
        """Do it.  A stream that can't be reached is purged by the next job that deletes something."""
        self.local.write()
        if not isinstance(self.local, DeletionJob) or self.local.failure is not None:
            return
        try:
            self._purge()
        except StreamAway:
            return

    def _purge(self) -> None:
        """Find the first frame of the first segment that is left, by halving, and drop all before it."""
        first, last = self._stream.bounds()
        low, high = first, last
        while low < high:
            middle = (low + high) // 2
            octets = self._stream.get(middle)
            if octets is None or decode_frame(octets, middle).base < self._keep_from:
                low = middle + 1
            else:
                high = middle
        if not first < low <= last:
            return
        octets = self._stream.get(low)
        # Where the first segment that is left isn't written yet, the last frame belongs to one that is gone.
        if octets is not None and decode_frame(octets, low).base >= self._keep_from:
            self._stream.purge(low)
