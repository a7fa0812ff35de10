"""Both ends of TLS on a simulated connection: everything goes through memory, cut as a test likes."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator

import pytest

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_transport import SimulatedTransport
from warren.adapters.interface import AcceptCarrier
from warren.core.broker import Broker
from warren.core.clients.outbox import Outbox
from warren.core.clients.transport import Carrier, Session
from warren.gateway.protocols import PROTOCOLS
from warren.gateway.tls.contexts import TlsContexts
from warren.gateway.tls.stage import TlsStage

ROUNDS_MAX = 1000

Cut = Callable[[bytes], Iterator[bytes]]
"""How bytes on their way to the broker are cut."""


def whole(data: bytes) -> Iterator[bytes]:
    """Not at all."""
    yield data


def in_pieces_of(count: int) -> Cut:
    """Pieces of so many bytes."""

    def cut(data: bytes) -> Iterator[bytes]:
        for position in range(0, len(data), count):
            yield data[position : position + count]

    return cut


def encrypted(contexts: TlsContexts, accept: AcceptCarrier) -> AcceptCarrier:
    """A stage of TLS with this inside."""

    def accept_encrypted(broker: Broker, below: Carrier) -> tuple[Session, Outbox]:
        stage = TlsStage(broker, below, contexts, accept, PROTOCOLS.own())
        return stage, stage.outbox

    return accept_encrypted


def records(data: bytes) -> list[tuple[int, bytes]]:
    """(type, contents) of each TLS record."""
    found = []
    while data:
        length = int.from_bytes(data[3:5], "big")
        found.append((data[0], data[5 : 5 + length]))
        data = data[5 + length :]
    return found


class TlsPeer:
    """Speaks TLS with what is on the transport.  received: what was decrypted; closed: close_notify has come."""

    def __init__(
        self,
        broker: SimulatedBroker,
        transport: SimulatedTransport,
        context: ssl.SSLContext,
        *,
        name: str = "localhost",
        cut: Cut = whole,
        session: ssl.SSLSession | None = None,
    ) -> None:
        self.transport = transport
        self.received = b""
        self.closed = False
        self._broker = broker
        self._cut = cut
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=name, session=session)
        self._shaken = False

    def connect(self) -> None:
        """Shake hands; ssl.SSLError says why that failed."""
        self.exchange()
        assert self._shaken, "the handshake never ends"

    def exchange(self) -> None:
        """Carry bytes in both directions until nobody has any more to say."""
        for _ in range(ROUNDS_MAX):
            self._act()
            up = self.taken()
            for piece in self._cut(up):
                self.transport.receive(piece)
            self._broker.settle()
            down = self.transport.take()
            self._incoming.write(down)
            if not up and not down:
                return
        raise AssertionError("they never stop talking")

    def send(self, data: bytes) -> None:
        """Encrypt this, carry it, and what comes back."""
        self.tls.write(data)
        self.exchange()

    def taken(self) -> bytes:
        """What this end wants to send, as records; for tests that carry it themselves."""
        return self._outgoing.read()

    def say_goodbye(self) -> None:
        """Send close_notify."""
        try:
            self.tls.unwrap()
        except ssl.SSLWantReadError:
            pass

    def _act(self) -> None:
        try:
            if not self._shaken:
                self.tls.do_handshake()
                self._shaken = True
            while not self.closed:
                data = self.tls.read(65536)
                self.closed = not data
                self.received += data
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.closed = True
        except ssl.SSLError:
            # The alert that this end sends is on its way before the test hears of the failure.
            for piece in self._cut(self.taken()):
                self.transport.receive(piece)
            self._broker.settle()
            raise


def failed_handshake(broker: SimulatedBroker, transport: SimulatedTransport, context: ssl.SSLContext) -> str:
    """Why the client's end says that it failed; with TLS 1.3 it may only hear when it reads."""
    peer = TlsPeer(broker, transport, context)
    with pytest.raises(ssl.SSLError) as raised:
        peer.exchange()
    assert transport.closed
    assert not transport.aborted, "the alert may not arrive"
    assert broker.timers == 0
    return str(raised.value).lower()
