"""What a session has to send, and how much more it may be given.

Chunks are appended during a batch; the gateway takes them all at once at the end of it and reports back how many bytes
the socket has not accepted yet.  From that follows `room`: the bytes that may still be appended before the session's
consumers lose their credit.  Replies to the peer's own commands are always appended; a session whose peer leaves more
than `UNREAD_BYTES_MAX` of them unread stops taking commands, and cuts the peer off if it goes on not reading.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import TYPE_CHECKING, Protocol

from warren.core.compiled import mypyc_attr

if TYPE_CHECKING:
    from warren.core.clients.transport import Transport

HIGH_WATER_BYTES = 1024 * 1024
"""Deliveries stop here: enough to fill a fast link between two turns, little enough for ten thousand slow peers."""

UNREAD_BYTES_MAX = 8 * 1024 * 1024
"""Replies a peer may leave unread before its commands wait: a pipelining client that reads late is far below it."""


RESUMED_AT_ONCE = 512
"""Of those that are parked for lack of room, so many go on at a report of the gateway, and the others at the next: with
room for a few messages there may be a hundred thousand of them."""


class Resumable(Protocol):
    """A consumer, or something else that waits for room."""

    def resume(self) -> None:
        """There is room again."""


@mypyc_attr(allow_interpreted_subclasses=True)
class Outbox:
    """Chunks to send on one connection.

    ready: the broker's list of outboxes touched in this batch; the outbox puts itself there once per batch.  parked:
    who waits for room, in the order of coming.
    tap: is shown what is taken to be sent, in the order of sending; None where nobody looks.
    unread_bytes_max: replies that the peer may leave unread before its commands wait.
    """

    __slots__ = ("chunks", "parked", "ready", "room", "tap", "touched", "transport", "unread_bytes_max")

    def __init__(self, ready: list[Outbox], transport: Transport) -> None:
        self.ready = ready
        self.transport = transport
        self.chunks: list[bytes] = []
        self.room = HIGH_WATER_BYTES
        self.touched = False
        self.parked: dict[Resumable, None] = {}
        self.tap: Callable[[list[bytes]], None] | None = None
        self.unread_bytes_max = UNREAD_BYTES_MAX

    def write(self, chunk: bytes) -> None:
        """Append a reply; for the hot path see the consumers, which append and account for themselves."""
        self.chunks.append(chunk)
        self.room -= len(chunk)
        if not self.touched:
            self.touched = True
            self.ready.append(self)

    def park(self, consumer: Resumable) -> None:
        """`consumer` has found no room: have it go on (`resume`) when there is some, in the order of coming."""
        self.parked[consumer] = None

    def touch(self) -> None:
        """Have the gateway look at this outbox at the end of the batch."""
        if not self.touched:
            self.touched = True
            self.ready.append(self)

    @property
    def overfull(self) -> bool:
        """True when the peer has left so much unread that its commands should wait."""
        return self.room < HIGH_WATER_BYTES - self.unread_bytes_max

    def take(self) -> list[bytes]:
        """All chunks, for the gateway to send; the outbox is empty and untouched afterwards."""
        chunks = self.chunks
        self.chunks = []
        self.touched = False
        if self.tap is not None:
            self.tap(chunks)
        return chunks

    def sent(self, unsent_bytes: int) -> None:
        """The gateway's report: so many bytes wait for the socket; consumers parked for lack of room go on."""
        self.room = HIGH_WATER_BYTES - unsent_bytes
        if self.parked and self.room > 0:
            # The first of them took what room there was, and the others one message each: next time, the second does.
            parked = self.parked
            first, *others = islice(parked, RESUMED_AT_ONCE)
            if len(parked) <= RESUMED_AT_ONCE:
                self.parked = {}
            else:
                for consumer in (first, *others):
                    del parked[consumer]
                self.touch()
            for consumer in others:
                consumer.resume()
            first.resume()
