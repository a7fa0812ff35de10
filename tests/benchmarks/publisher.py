"""The publishing end of the load: numbered messages from a buffer of ready frames, with or without confirms.

The buffer holds a block of messages.  It is sent over and over in as few `send`s as possible; each time
around only the numbers are rewritten, by strided slices.  With confirms, no more than `window` messages are
unconfirmed at any time, and each must be confirmed exactly once, singly or by a cumulative confirm, in any
order.  An open window is filled in parts of a fraction of it, never one message at a time.
"""

from __future__ import annotations

import socket

from tests.benchmarks import wire
from tests.benchmarks.client import LoadError, describe_stream
from tests.benchmarks.numbers import RECORDS_MAX, write_numbers

BLOCK_BYTES_MAX = 128 * 1024
"""Size of the buffer: one `send` of this size costs microseconds per thousand small messages."""

READ_BYTES = 64 * 1024

PARTS_PER_WINDOW = 10
"""A window isn't filled up before a part of it is open: nine tenths of it are always under way."""


class Publisher:
    """Sends `messages` copies of `frames`, numbered from 0.  An `End` of the load loop."""

    def __init__(self, connection: socket.socket, frames: wire.NumberedFrames, messages: int, window: int) -> None:
        """window: how many messages may be unconfirmed; 0 publishes without confirms."""
        self.socket = connection
        self.messages = messages
        self._frames = frames
        self._window = window
        self._size = len(frames.data)
        self._block_messages = _block_messages(frames, messages)
        self._block = bytearray(b"".join([frames.of(number) for number in range(self._block_messages)]))
        self._view = memoryview(self._block)
        self._end = messages * self._size
        self._sent = 0
        self._released = 0
        self._confirmed_up_to = 0
        self._confirmed_beyond: set[int] = set()
        self._unread = b""

    def __str__(self) -> str:
        return f"publisher sent {self._sent // self._size} of {self.messages}, {self.confirmed} confirmed"

    @property
    def confirmed(self) -> int:
        """Messages confirmed so far."""
        return self._confirmed_up_to + len(self._confirmed_beyond)

    @property
    def progress(self) -> int:
        """A number that grows whenever anything happens, by one or two per message."""
        return self._sent // self._size + self.confirmed

    @property
    def done(self) -> bool:
        """Whether everything is sent and, with confirms, confirmed."""
        return self._sent == self._end and (not self._window or self._confirmed_up_to == self.messages)

    def pump(self) -> bool:
        """Send what may be sent now, a block at most.  Returns whether to call again when writable."""
        limit = self._limit()
        if self._sent == limit:
            return False
        at = self._sent % len(self._block)
        if at == 0:
            first = self._sent // self._size
            write_numbers(self._block, self._frames.number_at, self._size, self._block_messages, first)
        try:
            self._sent += self.socket.send(self._view[at : at + limit - self._sent])
        except BlockingIOError:
            pass
        return self._sent < limit

    def read(self) -> None:
        """Take confirms from the readable socket.  Anything else is a LoadError."""
        received = self.socket.recv(READ_BYTES)
        if not received:
            raise LoadError("the server closed the publisher's socket")
        data = self._unread + received
        if not self._window:
            raise LoadError(f"the publisher got {describe_stream(data, wire.ACK)}")
        whole = len(data) // wire.ACK_FRAME.size * wire.ACK_FRAME.size
        for frame in wire.ACK_FRAME.iter_unpack(data[:whole]):
            _, _, size, class_id, method_id, tag, multiple, end = frame
            if method_id != wire.ACK or class_id != wire.BASIC or size != wire.ACK_SIZE or end != 0xCE:
                raise LoadError(f"the publisher got {describe_stream(data, wire.ACK)}")
            self._confirm(tag, multiple)
        self._unread = data[whole:]
        if self._unread and self._unread[: len(ACK_PREFIX)] != ACK_PREFIX[: len(self._unread)]:
            raise LoadError(f"the publisher got {describe_stream(self._unread, wire.ACK)}")

    def _limit(self) -> int:
        """Where to stop sending, as an offset in bytes: the open window's end, once enough of it is open."""
        if not self._window:
            return self._end
        opened = min(self.confirmed + self._window, self.messages)
        if (opened - self._released) * PARTS_PER_WINDOW >= self._window or opened == self.messages:
            self._released = opened
        return self._released * self._size

    def _confirm(self, tag: int, multiple: int) -> None:
        if tag <= self._confirmed_up_to or tag in self._confirmed_beyond or tag * self._size > self._sent:
            raise LoadError(f"message {tag} was confirmed twice or before it was sent")
        if multiple:
            self._confirmed_up_to = tag
            if self._confirmed_beyond:
                self._confirmed_beyond = {each for each in self._confirmed_beyond if each > tag}
        elif tag == self._confirmed_up_to + 1:
            self._confirmed_up_to = tag
        else:
            self._confirmed_beyond.add(tag)
        while self._confirmed_beyond and self._confirmed_up_to + 1 in self._confirmed_beyond:
            self._confirmed_up_to += 1
            self._confirmed_beyond.remove(self._confirmed_up_to)


def _block_messages(frames: wire.NumberedFrames, messages: int) -> int:
    """How many messages a block has: what fits, but as many as take turns at least, or a multiple of that."""
    turn = len(frames.variants)
    fitting = min(BLOCK_BYTES_MAX // len(frames.data), RECORDS_MAX, messages)
    return max(fitting - fitting % turn, turn)


ACK_PREFIX = wire.ack(0, False)[: wire.FRAME_HEAD.size + 4]
"""How every confirm begins."""
