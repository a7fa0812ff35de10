"""A connection's carrier without a socket: what the session sends piles up here, as much as the peer cares to read.

It behaves towards session and outbox as the gateway's link does: chunks are taken once per batch, what the peer doesn't
read waits, the outbox hears how much that is, and a connection that closes in good order first sends what it has.
"""

from __future__ import annotations

from collections.abc import Callable

from warren.core.clients.outbox import Outbox
from warren.core.clients.transport import Credentials, Session, TlsState
from warren.core.clients.unkept import Unkept


class SimulatedTransport:
    """Implements core.clients.transport.Carrier.

    socket_room: how many more bytes the peer's side takes, None for any number.  paused: the session doesn't want to
    read.  closing: nothing is read any more.  closed: the connection is gone; aborted: not in good order.  unkept: the
    broker's, where answers wait to be kept; None where there are no such answers.
    """

    session: Session
    outbox: Outbox

    def __init__(self, peer_host: str = "127.0.0.1", peer_port: int = 50_000) -> None:
        self.peer_host = peer_host
        self.peer_port = peer_port
        self.host = "127.0.0.1"
        self.port = 5672
        self.certificate_name: str | None = None
        self.credentials: Credentials | None = None
        self.is_websocket = False
        self.tls: TlsState | None = None
        self.received_bytes = 0
        self.received_packets = 0
        self.sent_packets = 0
        self.sent_bytes = 0
        self.socket_room: int | None = None
        self.paused = False
        self.closing = False
        self.closed = False
        self.aborted = False
        self.unkept: Unkept | None = None
        self._sent = bytearray()
        self._waiting = bytearray()

    def take(self) -> bytes:
        """What has reached the peer since the last call."""
        taken = bytes(self._sent)
        self._sent.clear()
        return taken

    @property
    def unsent_bytes(self) -> int:
        """What the peer has no room for yet."""
        return len(self._waiting)

    def receive(self, data: bytes) -> None:
        """Bytes from the peer; thrown away once the connection closes, as the link does while it lingers."""
        if not self.closing and not self.closed:
            self.received_bytes += len(data)
            self.session.receive(data)

    def flood(self, data: bytes, *, bytes_max: int, between: Callable[[], None] = lambda: None) -> int:
        """Bytes from the peer, again and again until the session doesn't want to read; how often that was.

        between: called after each.  AssertionError when the session still reads after `bytes_max`.
        """
        for count in range(1, bytes_max // len(data) + 2):
            self.receive(data)
            between()
            if self.paused:
                return count
        raise AssertionError(f"{bytes_max} bytes, and the session goes on reading")

    def read_by_peer(self, count: int | None) -> None:
        """The peer makes room for `count` more bytes, None for any number from now on."""
        self.socket_room = None if count is None else (self.socket_room or 0) + count
        self._move()
        self._after_sending()

    def lose(self) -> None:
        """The peer's side of the connection is gone."""
        self._end("the peer closed the socket")

    # warren.core.clients.transport.Carrier

    def start(self, session: Session, outbox: Outbox) -> None:
        self.session = session
        self.outbox = outbox

    def send(self) -> None:
        chunks = self.outbox.take()
        if self.closed:
            return
        self._waiting += b"".join(chunks)
        self._move()
        self._after_sending()

    def close(self) -> None:
        if not self.closing and not self.closed:
            self.closing = True
            self.outbox.touch()

    def abort(self) -> None:
        self.aborted = True
        self._end("closed by the broker")

    def reset(self) -> None:
        chunks = self.outbox.take() if self.unkept is None else self.unkept.take(self.outbox)
        if not self.closed:
            self._waiting += b"".join(chunks)
            self._move()
        self.abort()

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False

    # Below

    def _move(self) -> None:
        count = len(self._waiting) if self.socket_room is None else min(self.socket_room, len(self._waiting))
        self._sent += self._waiting[:count]
        del self._waiting[:count]
        self.sent_bytes += count
        if self.socket_room is not None:
            self.socket_room -= count

    def _after_sending(self) -> None:
        if self.closing:
            if not self._waiting:
                self._end("closed")
            return
        self.outbox.sent(len(self._waiting))
        if not self._waiting:
            self.session.drained()

    def _end(self, reason: str) -> None:
        if not self.closed:
            self.closed = True
            self.session.connection_lost(reason)
