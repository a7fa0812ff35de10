"""What the client halves of all protocols do alike: bytes in, however they are cut; bytes out; heart-beats; one end.

Theory of operation
-------------------
A half has no socket and no clock.  Whoever drives it (gateway/peers/peer.py) writes `take()` to the peer, gives what is
read to `receive`, calls `advance` at `next_at_ms()`, and looks after each of these calls at what has come.  It is
`opened` by the end of its handshake, and `closed` once, for a reason in words.

A protocol's half says what its bytes mean (`_parse`), how it takes leave, and what it was waiting for when the bytes
came to an end.  What `_parse` leaves, the beginning of a frame or packet, is kept, and put together in one step when
enough has come, so that what is long and comes in small pieces costs its bytes once.

Heart-beats are those of AMQP and STOMP: each side is heard at least once in an interval.  This side speaks every half
interval, and gives the peer up after two intervals of silence (spec A.3, B.2).  A protocol that asks instead (MQTT's
PINGREQ) overrides `advance` and `next_at_ms`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from warren.adapters.peers.errors import PeerError
from warren.adapters.session.pieces import Pieces


class ClientHalf(ABC):
    """opened: the handshake is over.  closed: why there is no connection any more.  outgoing_bytes: what `take` would
    give.  now_ms: the time of the last call that told it.
    """

    __slots__ = (
        "_beat",
        "_beat_every_ms",
        "_heard_every_ms",
        "_heard_ms",
        "_outgoing",
        "_sent_ms",
        "_tail",
        "closed",
        "now_ms",
        "opened",
        "outgoing_bytes",
    )

    def __init__(self, now_ms: int, beat: bytes = b"") -> None:
        """beat: a heart-beat's bytes."""
        self.now_ms = now_ms
        self.opened = False
        self.closed: PeerError | None = None
        self.outgoing_bytes = 0
        self._outgoing: list[bytes] = []
        self._tail = Pieces()
        self._beat = beat
        self._beat_every_ms = self._heard_every_ms = 0
        self._heard_ms = self._sent_ms = now_ms

    # What the driver calls

    def receive(self, data: bytes, now_ms: int) -> None:
        """Take what was read."""
        self.now_ms = self._heard_ms = now_ms
        if self.closed is not None:
            return
        whole = self._tail.join(data) if self._tail else data
        if whole is None:
            return
        try:
            done = self._parse(whole)
            if done < len(whole) and self.closed is None:
                rest = whole[done:]
                self._tail.keep(rest, self._missing_bytes(rest))
        except PeerError as error:
            self.end(error)

    def take(self) -> bytes:
        """What is to be sent now; empty if nothing is."""
        if not self._outgoing:
            return b""
        data = b"".join(self._outgoing)
        self._outgoing.clear()
        self.outgoing_bytes = 0
        self._sent_ms = self.now_ms
        return data

    def advance(self, now_ms: int) -> None:
        """Send a heart-beat if one is due, and give the peer up if it has been silent for two intervals."""
        self.now_ms = now_ms
        if self.closed is not None:
            return
        if self._heard_every_ms and now_ms - self._heard_ms >= 2 * self._heard_every_ms:
            self.end(PeerError(f"the peer was silent for {(now_ms - self._heard_ms) / 1000:g} s: heartbeats missed"))
        elif self._beat_every_ms and now_ms - self._sent_ms >= self._beat_every_ms // 2:
            self._sent_ms = now_ms
            self.write(self._beat)

    def not_reading(self, now_ms: int) -> None:
        """Nothing is read for now, so it isn't the peer that is silent."""
        self._heard_ms = now_ms

    def next_at_ms(self) -> int | None:
        """When `advance` has something to do; None for never."""
        if self.closed is not None:
            return None
        due_ms = []
        if self._heard_every_ms:
            due_ms.append(self._heard_ms + 2 * self._heard_every_ms)
        if self._beat_every_ms:
            due_ms.append(self._sent_ms + self._beat_every_ms // 2)
        return min(due_ms, default=None)

    def lost(self, reason: str) -> None:
        """The bytes have come to an end, for this reason."""
        self.end(PeerError(f"the connection was lost: {reason}" if self.opened else self._lost_unopened(reason)))

    @abstractmethod
    def close(self) -> None:
        """Take leave; the peer's answer, or its absence for too long, is for the driver to wait for."""

    def end(self, why: PeerError) -> None:
        """There is no connection any more."""
        if self.closed is None:
            self.closed = why
            self._tail.clear()

    # For the half itself

    def write(self, data: bytes) -> None:
        """Send bytes."""
        self._outgoing.append(data)
        self.outgoing_bytes += len(data)

    @abstractmethod
    def _parse(self, data: bytes) -> int:
        """Handle all that is whole; where the rest begins.  PeerError for what mustn't come."""

    @abstractmethod
    def _missing_bytes(self, rest: bytes) -> int:
        """How many bytes have to come at least before this beginning is worth another look; PeerError if none may."""

    @abstractmethod
    def _lost_unopened(self, reason: str) -> str:
        """What is said of bytes that came to an end, for this reason, before the handshake did."""
