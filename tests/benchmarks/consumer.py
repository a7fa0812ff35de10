"""The consuming end of the load: deliveries of one known size, counted by dividing, checked by slices.

All deliveries of a run are equal except for the delivery tag and the number in the body.  What was read is
therefore a sequence of records: their count is a division, and that every tag and number is the next one is a
few comparisons per read (see numbers.py).  The last whole record of each read is compared in full.  The
rest of the read, part of a record, moves to the front of the buffer.

Acks are encoded before the run: one frame per delivery tag in one long buffer, of which a read's acks are a
slice.

The socket is told not to wake the process for less than a chunk (SO_RCVLOWAT): a broker that writes every
delivery by itself would otherwise make the generator compete with it for the CPU.  With a prefetch limit the
chunk is a fraction of it, so the broker never runs out of credit while bytes wait here; at the end it is what
is still missing.
"""

from __future__ import annotations

import socket
from typing import Literal

from tests.benchmarks import wire
from tests.benchmarks.client import LoadError, describe_stream
from tests.benchmarks.numbers import RECORDS_MAX, numbers_match

Acks = Literal["automatic", "each", "multiple"]
"""automatic: none are sent; each: one ack per message; multiple: one cumulative ack per read."""

BUFFER_BYTES = 256 * 1024

CHUNK_BYTES_MAX = 32 * 1024
"""Least worth waking up for."""

CHUNKS_PER_PREFETCH = 8
"""Least parts in which a consumer's credit is given back."""


class Consumer:
    """Expects `messages` deliveries like `frames`, numbered from 0.  An `End` of the load loop."""

    def __init__(
        self,
        connection: socket.socket,
        frames: wire.NumberedFrames,
        messages: int,
        acks: Acks,
        prefetch: int,
        acknowledged_max: int | None = None,
    ) -> None:
        """prefetch: unacknowledged deliveries at most that the consumer subscribes with; 0: no limit.

        acknowledged_max: of acks for each delivery, only so many are sent, so that the broker sends no more than that
        and the prefetch.
        """
        self.socket = connection
        self.messages = messages
        self.delivered = 0
        self._frames = frames
        self._size = len(frames.data)
        records = min(max(1, BUFFER_BYTES // self._size), RECORDS_MAX)
        self._buffer = bytearray(records * self._size)
        self._view = memoryview(self._buffer)
        self._kept = 0
        self._prefix = frames.data[: frames.free[0] or frames.tag_at]
        self._acks = acks
        self._acknowledged_max = messages if acknowledged_max is None else acknowledged_max
        self._ack_frames = memoryview(_acks_for_each(messages) if acks == "each" else b"")
        self._acks_sent = 0
        self._acks_due = 0
        chunk = self._size * max(1, prefetch // CHUNKS_PER_PREFETCH) if prefetch else CHUNK_BYTES_MAX
        self._chunk_bytes = min(chunk, CHUNK_BYTES_MAX)
        self._wake_at_bytes = 1

    def __str__(self) -> str:
        return f"consumer got {self.delivered} of {self.messages}"

    @property
    def progress(self) -> int:
        """A number that grows whenever anything happens, by one or two per message."""
        return self.delivered + self._acks_sent // wire.ACK_FRAME.size

    @property
    def done(self) -> bool:
        """Whether everything was delivered and all acks are sent."""
        return self.delivered == self.messages and self._acks_sent == self._acks_due

    def read(self) -> None:
        """Take deliveries from the readable socket.  Anything else than the next ones is a LoadError."""
        received = self.socket.recv_into(self._view[self._kept :])
        if not received:
            raise LoadError(f"the server closed a consumer's socket after {self.delivered} deliveries")
        filled = self._kept + received
        count = filled // self._size
        whole = count * self._size
        if count:
            self._check(count, filled)
            self.delivered += count
            self._add_acks()
        self._kept = filled - whole
        self._buffer[: self._kept] = self._buffer[whole:filled]
        if self._buffer[: min(self._kept, len(self._prefix))] != self._prefix[: self._kept]:
            self._fail(self._kept)

    def pump(self) -> bool:
        """Send acks that are due.  Returns whether to call again when the socket is writable."""
        self._set_wake_up()
        if self._acks_sent < self._acks_due:
            try:
                self._acks_sent += self.socket.send(self._ack_frames[self._acks_sent : self._acks_due])
            except BlockingIOError:
                pass
        return self._acks_sent < self._acks_due

    def _check(self, count: int, filled: int) -> None:
        frames, size, buffer = self._frames, self._size, self._buffer
        last = bytearray(frames.of(self.delivered + count - 1))
        last_at = (count - 1) * size
        free, stop = frames.free
        last[free:stop] = buffer[last_at + free : last_at + stop]
        wire.NUMBER.pack_into(last, frames.tag_at, self.delivered + count)
        numbers = [frames.number_at] if frames.offset_at < 0 else [frames.number_at, frames.offset_at]
        for at in numbers:
            wire.NUMBER.pack_into(last, at, self.delivered + count - 1)
        if (
            self.delivered + count > self.messages
            or buffer[last_at : last_at + size] != last
            or not numbers_match(buffer, frames.tag_at, size, count, self.delivered + 1)
            or not all(numbers_match(buffer, at, size, count, self.delivered) for at in numbers)
        ):
            self._fail(filled)

    def _set_wake_up(self) -> None:
        missing = (self.messages - self.delivered) * self._size - self._kept
        wake_at_bytes = max(1, min(self._chunk_bytes, missing))
        if wake_at_bytes != self._wake_at_bytes:
            self._wake_at_bytes = wake_at_bytes
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, wake_at_bytes)

    def _add_acks(self) -> None:
        if self._acks == "each":
            self._acks_due = min(self.delivered, self._acknowledged_max) * wire.ACK_FRAME.size
        elif self._acks == "multiple":
            self._ack_frames = memoryview(bytes(self._ack_frames[self._acks_sent :]) + wire.ack(self.delivered, True))
            self._acks_sent, self._acks_due = 0, len(self._ack_frames)

    def _fail(self, filled: int) -> None:
        problem = describe_stream(bytes(self._buffer[:filled]), usual_method=60)
        raise LoadError(f"after {self.delivered} of {self.messages} deliveries: {problem}")


def _acks_for_each(messages: int) -> bytes:
    return b"".join(wire.ack(tag, False) for tag in range(1, messages + 1))
