"""A session that only notes what happens to it, for tests of the stages below one."""

from __future__ import annotations

from collections.abc import Callable

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_transport import SimulatedTransport
from warren.adapters.interface import Accept, AcceptCarrier
from warren.core.broker import Broker
from warren.core.clients.outbox import Outbox
from warren.core.clients.transport import Carrier, Session, Transport


class RecordingSession:
    """Implements core.clients.transport.Session.

    received: all bytes, and reads: how many calls brought them.  lost: why the connection went.  ended: why the broker
    closed it.  on_receive: called with what comes in.
    """

    def __init__(self, broker: Broker, transport: Transport) -> None:
        self.transport = transport
        self.outbox = Outbox(broker.touched, transport)
        self.received = b""
        self.reads = 0
        self.drains = 0
        self.lost: str | None = None
        self.ended: str | None = None
        self.on_receive: Callable[[bytes], None] = _nothing

    def receive(self, data: bytes) -> None:
        self.received += data
        self.reads += 1
        self.on_receive(data)

    def drained(self) -> None:
        self.drains += 1

    def connection_lost(self, reason: str) -> None:
        assert self.lost is None, "told twice"
        self.lost = reason

    def shut_down(self, reason: str) -> None:
        self.ended = reason
        self.transport.close()


def _nothing(data: bytes) -> None:
    return


class Recorder:
    """Makes the sessions of a stage under test; `sessions` are those that were made."""

    def __init__(self) -> None:
        self.sessions: list[RecordingSession] = []

    @property
    def session(self) -> RecordingSession:
        """The only one."""
        assert len(self.sessions) == 1
        return self.sessions[0]

    @property
    def accept(self) -> Accept:
        """What a stage is given."""

        def accept(broker: Broker, transport: Transport) -> tuple[Session, Outbox]:
            session = RecordingSession(broker, transport)
            self.sessions.append(session)
            return session, session.outbox

        return accept


def accepted(
    broker: SimulatedBroker, accept: AcceptCarrier, peer_host: str = "127.0.0.1", peer_port: int = 50_000
) -> SimulatedTransport:
    """A connection with this first stage."""
    transport = SimulatedTransport(peer_host, peer_port)
    carrier: Carrier = transport
    session, outbox = accept(broker.broker, carrier)
    transport.start(session, outbox)
    return transport
