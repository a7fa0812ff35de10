"""One connection of a listener for streams: bytes that came and wait, and bytes that are sent.

Who serves it takes what there is (`take`), writes a piece when the last one is gone (`has_room`), and hears by
`on_change` that one of these, or the end, has come.  So of a peer that doesn't read no more is kept than one piece, and
of one that isn't read no more than `RECEIVED_BYTES_MAX` and one read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from warren.adapters.session.read_gate import HELD_BACK, ReadGate
from warren.core.clients.outbox import Outbox

if TYPE_CHECKING:
    from warren.core.broker import Broker
    from warren.core.clients.transport import Transport

RECEIVED_BYTES_MAX: Final = 64 * 1024
"""Of what came and wasn't taken; a connection with more isn't read."""

CLOSED_BY_PEER: Final = "the peer closed the socket"
"""How a link says that the end is in good order (gateway.network.link)."""


class StreamSession:
    """See the head of this file; implements core.clients.transport.Session.

    shares_port: the port has other uses, too, so that the connection is for one request alone.
    ended: why there is nothing more, None as long as there may be.  on_change: is told when it's worth looking again.
    """

    def __init__(self, broker: Broker, transport: Transport, *, shares_port: bool = False) -> None:
        self.broker = broker
        self.shares_port = shares_port
        self.transport = transport
        self.outbox = Outbox(broker.touched, transport)
        self.ended: str | None = None
        self.has_room = True
        self.on_change: Callable[[], None] = _nothing
        self._received = bytearray()
        self._read_gate = ReadGate(transport)

    # For who serves it

    def take(self, most: int) -> bytes:
        """What has come, up to `most` bytes; empty when there is nothing (yet)."""
        data = bytes(self._received[:most])
        del self._received[:most]
        if len(self._received) < RECEIVED_BYTES_MAX and self.ended is None:
            self._read_gate.open(HELD_BACK)
        return data

    def write(self, data: bytes) -> None:
        """Send at the end of the turn, which has to be asked for; nothing happens after the end."""
        if self.ended is None and data:
            self.has_room = False
            self.outbox.write(data)

    def close(self) -> None:
        """Send what was written, and close; a second call does nothing."""
        if self.ended is None:
            self.transport.close()

    def abort(self) -> None:
        """Close at once."""
        if self.ended is None:
            self.transport.abort()

    # For what carries it

    def receive(self, data: bytes) -> None:
        """Keep it."""
        self._received += data
        if len(self._received) >= RECEIVED_BYTES_MAX:
            self._read_gate.close(HELD_BACK)
        self.on_change()

    def drained(self) -> None:
        """Everything written is gone."""
        if not self.has_room:
            self.has_room = True
            self.on_change()

    def connection_lost(self, reason: str) -> None:
        """The connection is gone."""
        self.ended = reason
        self.on_change()

    def shut_down(self, reason: str) -> None:
        """The broker stops."""
        self.close()


def _nothing() -> None:
    return
