"""One accepted socket: the Transport of a session, driven by the hub.

Reading is one `recv` into a buffer that all links share; writing is one `send` per batch of what the outbox holds.
What the socket doesn't take waits here and for writability.

Closing in good order is more than close(2): with unread input left, the kernel would answer with a reset that can
overtake the last bytes sent, and the peer would never see why it was closed.  So a closing link sends what it has,
says FIN, and reads on, throwing away, until the peer closes too or has had `LINGER_MS`.  A link that is aborted says
RST: what its peer has sent or sends from now on is not taken, and the peer is to find that out.
"""

from __future__ import annotations

import fcntl
import logging
import socket
import struct
import sys
import termios
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from warren.core.clients.connection_log import log_ended
from warren.core.clients.transport import connection_name
from warren.gateway.network.unread import UnreadWatch

if TYPE_CHECKING:
    from warren.core.clients.outbox import Outbox
    from warren.core.clients.transport import Credentials, Session, TlsState
    from warren.core.deadlines import Deadline
    from warren.gateway.network.hub import Hub

_log = logging.getLogger("warren.connection")

READ_BYTES_MAX: Final = 256 * 1024
"""What one socket may bring into one turn: enough to make a turn's fixed costs small, little enough to be fair."""

READ_BYTES_FIRST: Final = 32 * 1024
"""The same until somebody has sent as much at once: a broker at rest keeps no more for it."""

EVENT_READ: Final = 1
EVENT_WRITE: Final = 2
"""What a socket is looked at for; the numbers are those of `selectors`."""

LINGER_MS: Final = 3000
"""How long a peer may take to close after we did."""

RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)
"""The option SO_LINGER, on with no time to linger: close(2) says RST instead of FIN (tcp(7), socket(7))."""

INT: Final = struct.Struct("i")
"""What the kernel answers with."""

LINGER_BYTES_MAX: Final = 16 * 1024 * 1024
"""How much of a closing peer's input is thrown away before it is cut off."""


class Link:
    """A socket and what waits to be sent on it; implements core.clients.transport.Carrier.

    log_level: of the log line that says that it ended.
    """

    __slots__ = (
        "_closed",
        "_closing",
        "_descriptor",
        "_discarded_bytes",
        "_interest",
        "_linger",
        "_paused",
        "_reset",
        "_sending",
        "_session_ended",
        "_shut",
        "_socket",
        "_unread",
        "_waiting",
        "_waiting_bytes",
        "certificate_name",
        "credentials",
        "host",
        "hub",
        "is_websocket",
        "log_level",
        "outbox",
        "peer_host",
        "peer_port",
        "port",
        "received_bytes",
        "received_packets",
        "sent_bytes",
        "sent_packets",
        "session",
        "tls",
    )

    session: Session
    outbox: Outbox

    def __init__(self, hub: Hub, sock: socket.socket) -> None:
        self.hub = hub
        self._socket = sock
        self._descriptor = sock.fileno()
        sock.setblocking(False)
        self.host, self.port = _address(sock.getsockname)
        self.host = sys.intern(self.host)
        self.peer_host, self.peer_port = _address(sock.getpeername)
        if self.peer_host == self.host:
            self.peer_host = self.host
        self.certificate_name: str | None = None
        self.credentials: Credentials | None = None
        self.is_websocket = False
        self.log_level: int = logging.INFO
        self.tls: TlsState | None = None
        self.received_bytes = 0
        self.sent_bytes = 0
        self.received_packets = 0
        self.sent_packets = 0
        self._sending: memoryview | None = None
        self._waiting: list[bytes] | None = None
        self._waiting_bytes = 0
        self._interest = 0
        self._paused = False
        self._closing = False
        self._shut = False
        self._reset = False
        self._closed = False
        self._session_ended = False
        self._discarded_bytes = 0
        self._linger: Deadline | None = None
        self._unread: UnreadWatch | None = None

    @property
    def moved_bytes(self) -> int:
        """What went in either direction, whether or not anybody wanted it."""
        return self.received_bytes + self.sent_bytes + self._discarded_bytes

    def start(self, session: Session, outbox: Outbox) -> None:
        """Begin: `session` gets what is read, what is in `outbox` is sent."""
        self.session = session
        self.outbox = outbox
        if not self._closed:
            self.hub.sockets.place(self._descriptor, self)
        self._watch()

    @property
    def unsent_bytes(self) -> int:
        """What waits for the socket."""
        return len(self._sending) + self._waiting_bytes if self._sending is not None else 0

    @property
    def taken_bytes(self) -> int:
        """What the peer's side has said that it has; what was sent, where the kernel doesn't tell."""
        try:
            kept = fcntl.ioctl(self._socket, termios.TIOCOUTQ, bytes(INT.size))
        except OSError:
            return self.sent_bytes
        return self.sent_bytes - int(INT.unpack(kept)[0])

    # The hub's side

    def ready(self, events: int) -> None:
        """The selector says that the socket can be read or written."""
        if events & EVENT_WRITE:
            self._flush()
        if events & EVENT_READ and not self._closed:
            self._read()

    def _read(self) -> None:
        buffer = self.hub.buffer
        try:
            count = self._socket.recv_into(buffer)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._lost(error.strerror or str(error))
            return
        if not count:
            self._lost("the peer closed the socket")
            return
        if count == len(buffer):
            self.hub.widen_buffer()
        if self._closing:
            self._discarded_bytes += count
            if self._discarded_bytes > LINGER_BYTES_MAX:
                self.abort()
            return
        self.received_bytes += count
        self.received_packets += 1
        self.hub.input_left_bytes -= count
        if self.hub.input_left_bytes < 0:
            self.hub.ask_for_input()
        try:
            self.session.receive(bytes(buffer[:count]))
        except Exception:
            _log.exception("%s:%s: internal error; closing the connection", self.peer_host, self.peer_port)
            self.abort()

    def _flush(self) -> None:
        """Go on sending what waited for the socket."""
        while self._sending is not None and not self._closed:
            try:
                count = self._socket.send(self._sending)
            except (BlockingIOError, InterruptedError):
                break
            except OSError as error:
                self._lost(error.strerror or str(error))
                return
            self.sent_bytes += count
            self.sent_packets += 1
            if count < len(self._sending):
                self._sending = self._sending[count:]
                break
            self._sending = None
            if self._waiting:
                self._sending = memoryview(b"".join(self._waiting))
                self._waiting = None
                self._waiting_bytes = 0
        self._after_sending()

    # Transport

    def send(self) -> None:
        """Send the outbox's chunks, as far as the socket takes them."""
        chunks = self.outbox.take()
        if self._closed or self._shut:
            return
        if self._sending is not None:
            if self._waiting is None:
                self._waiting = []
            self._waiting.extend(chunks)
            self._waiting_bytes += sum(map(len, chunks))
            self._after_sending()
            return
        if chunks:
            data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
            try:
                count = self._socket.send(data)
            except (BlockingIOError, InterruptedError):
                count = 0
            except OSError as error:
                self._lost(error.strerror or str(error))
                return
            self.sent_bytes += count
            self.sent_packets += 1
            if count < len(data):
                self._sending = memoryview(data)[count:]
                if self._unread is None:
                    self._unread = UnreadWatch(self)
                self._unread.begin()
        self._after_sending()

    def close(self) -> None:
        """Send what is in the outbox, then close in good order."""
        if self._closing or self._closed:
            return
        self._closing = True
        self.outbox.touch()

    def abort(self) -> None:
        """Close at once, by a reset."""
        if not self._closed:
            self._reset = True
            self._lost("closed by the broker")

    def reset(self) -> None:
        """Send what the socket takes of the outbox, unless that waits to be kept, then close by a reset."""
        chunks = self.hub.broker.unkept.take(self.outbox)
        if not self._closed and not self._shut and chunks and self._sending is None:
            try:
                self.sent_bytes += self._socket.send(b"".join(chunks))
            except OSError:
                pass
        self.abort()

    def drop(self) -> None:
        """Close the socket without a word to anybody: the broker itself has failed."""
        self._session_ended = True
        self._release()

    def pause(self) -> None:
        """Stop reading."""
        self._paused = True
        self._watch()

    def resume(self) -> None:
        """Read again."""
        self._paused = False
        self._watch()

    # Below

    def _after_sending(self) -> None:
        unsent = 0
        if self._sending is not None:
            unsent = self.unsent_bytes
        elif self._closing and not self._shut:
            self._shut_down()
        self._watch()
        if self._closed or self._closing:
            return
        try:
            self.outbox.sent(unsent)
            if not unsent:
                self.session.drained()
        except Exception:
            _log.exception("%s:%s: internal error; closing the connection", self.peer_host, self.peer_port)
            self.abort()

    def _shut_down(self) -> None:
        self._shut = True
        self._end_session("closed")
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError:
            self._release()
            return
        broker = self.hub.broker
        self._linger = broker.deadlines.schedule(broker.now_ms + LINGER_MS, self._lingered_too_long)

    def _lingered_too_long(self, now_ms: int) -> None:
        self.hub.broker.limit_hits.count("goodbyes")
        self._release()

    def _lost(self, reason: str) -> None:
        if self._closed:
            return
        self._release()
        self._end_session(reason)

    def _end_session(self, reason: str) -> None:
        if self._session_ended:
            return
        self._session_ended = True
        self.hub.broker.ended.transport_gone(self)
        try:
            self.session.connection_lost(reason)
        except Exception:
            _log.exception("%s:%s: internal error while closing", self.peer_host, self.peer_port)
        log_ended(self, reason, self.log_level)

    def _release(self) -> None:
        if self._closed:
            return
        self._closed = True
        if self._unread is not None:
            self._unread.stop()
        if self._linger is not None:
            self._linger.cancel()
        self._watch()
        if self._discarded_bytes:
            _log.debug(
                "connection %s: ignored %d bytes that came after its end", connection_name(self), self._discarded_bytes
            )
        if self._reset:
            try:
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            except OSError:
                pass
        self.hub.broker.strangers.gone(self)
        self.hub.sockets.forget(self._descriptor)
        self._socket.close()
        self._sending = None
        self._waiting = None
        self._waiting_bytes = 0
        self.hub.released(self)

    def _watch(self) -> None:
        """Tell the selector what this link waits for, when that has changed."""
        wanted = 0
        if not self._closed:
            if not self._paused or self._closing:
                wanted = EVENT_READ
            if self._sending is not None:
                wanted |= EVENT_WRITE
        if wanted == self._interest:
            return
        self.hub.sockets.watch(self._descriptor, self._interest, wanted)
        self._interest = wanted


def _address(ask: Callable[[], object]) -> tuple[str, int]:
    """Host and port of one end; a peer that is gone already has neither."""
    try:
        address = ask()
    except OSError:
        return "?", 0
    if isinstance(address, tuple) and len(address) >= 2:
        return str(address[0]), int(address[1])
    return "local", 0
