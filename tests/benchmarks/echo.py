"""Clients that each have one message under way: published to a queue of their own, consumed, and again.

Unlike the streams of publisher.py and consumer.py, nothing can be batched here: each message costs the
generator a `recv` and a `send`, as it costs the broker.  What it measures is the broker's price of a readable
socket.
"""

from __future__ import annotations

import socket

from tests.benchmarks import wire
from tests.benchmarks.client import LoadError, describe_stream

READ_BYTES = 8192


class Echo:
    """Publishes a message, waits for its delivery, repeats that `messages` times.  An `End` of the loop."""

    def __init__(
        self,
        connection: socket.socket,
        publication: wire.NumberedFrames,
        delivery: wire.NumberedFrames,
        messages: int,
    ) -> None:
        self.socket = connection
        self.messages = messages
        self.delivered = 0
        self._publication = bytearray(publication.data)
        self._publication_number_at = publication.number_at
        self._delivery = bytearray(delivery.data)
        self._delivery_number_at = delivery.number_at
        self._delivery_tag_at = delivery.tag_at
        self._received = b""
        self._may_publish = messages > 0

    def __str__(self) -> str:
        return f"client got {self.delivered} of {self.messages}"

    @property
    def progress(self) -> int:
        """A number that grows whenever anything happens."""
        return self.delivered

    @property
    def done(self) -> bool:
        """Whether everything was delivered."""
        return self.delivered == self.messages

    def pump(self) -> bool:
        """Publish the next message if the last one has come back.  It always fits an idle socket's buffer."""
        if self._may_publish:
            self._may_publish = False
            wire.NUMBER.pack_into(self._publication, self._publication_number_at, self.delivered)
            if self.socket.send(self._publication) != len(self._publication):
                raise LoadError("an idle socket didn't take one message")
        return False

    def read(self) -> None:
        """Take the delivery of the message under way.  Anything else is a LoadError."""
        received = self.socket.recv(READ_BYTES)
        if not received:
            raise LoadError(f"the server closed the socket of a {self}")
        self._received += received
        expected = self._delivery
        if len(self._received) < len(expected):
            if self._received[: self._delivery_tag_at] != expected[: len(self._received)][: self._delivery_tag_at]:
                raise LoadError(f"{self}: {describe_stream(self._received, usual_method=60)}")
            return
        wire.NUMBER.pack_into(expected, self._delivery_tag_at, self.delivered + 1)
        wire.NUMBER.pack_into(expected, self._delivery_number_at, self.delivered)
        if self._received != expected:
            raise LoadError(f"{self}: {describe_stream(self._received, usual_method=60)}")
        self._received = b""
        self.delivered += 1
        self._may_publish = not self.done
