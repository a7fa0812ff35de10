"""Stages between a socket and a protocol's session: TLS, WebSocket, and those that only look at the first bytes.

To what carries it, a stage is a session with an outbox; to the session that it carries, it is the transport.  So stages
stack in any order (a socket, TLS, WebSocket, STOMP), and neither end knows about them:

    below  --receive(data)-->   stage  --receive(data)-->   session
    below  <--stage.outbox---   stage  <--session's outbox--

A stage that has no more to do once it knows whom it carries (the PROXY header, the choice of a protocol) steps aside:
`step_aside` makes the session on what is below and leaves the path, so that it costs nothing from then on.

The session is made late, when the stage knows who the peer is: what it reads of its transport at the start (addresses,
certificate) is final.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from warren.adapters.session.read_gate import SESSION, ReadGate
from warren.core.clients.outbox import Outbox
from warren.core.clients.transport import connection_name
from warren.core.compiled import mypyc_attr

if TYPE_CHECKING:
    from warren.adapters.interface import AcceptCarrier
    from warren.core.broker import Broker
    from warren.core.clients.transport import Carrier, Session

_log = logging.getLogger("warren.connection")


@mypyc_attr(allow_interpreted_subclasses=True)
class Stage:
    """A Session (core.clients.transport) to what is below, and a Carrier to the session that it carries.

    A stage of its own kind defines `receive`, which hands on what it understood with `pass_on`, and where what is sent
    changes on its way, `encode` and `farewell`.  outbox: what the stage sends down; replies of its own go there too.
    read_gate: why what is below isn't read, the session's wish among it.
    """

    def __init__(self, broker: Broker, below: Carrier) -> None:
        self.broker = broker
        self.below = below
        self.outbox = _StageOutbox(broker.touched, below)
        self.read_gate = ReadGate(below)
        self.session: Session | None = None
        self.closing = False
        self.peer_host = below.peer_host
        self.peer_port = below.peer_port
        self.host = below.host
        self.port = below.port
        self.certificate_name = below.certificate_name
        self.credentials = below.credentials
        self.is_websocket = below.is_websocket
        self.tls = below.tls

    @property
    def name(self) -> str:
        """What the log calls the connection."""
        return connection_name(self)

    # What a kind of stage defines

    def receive(self, data: bytes) -> None:
        """Bytes from below, cut anywhere."""
        raise NotImplementedError

    def encode(self, chunks: list[bytes]) -> list[bytes]:
        """What goes down for these chunks of the session's outbox; they are not empty."""
        return chunks

    def farewell(self) -> list[bytes]:
        """What goes down last, when the session has closed in good order."""
        return []

    # What a kind of stage calls

    def carry(self, accept: AcceptCarrier) -> None:
        """Make the session that this stage carries."""
        session, outbox = accept(self.broker, self)
        self.start(session, outbox)

    def step_aside(self, accept: AcceptCarrier, data: bytes) -> None:
        """Make the session right on what is below, give it `data`, and leave the path."""
        session, outbox = accept(self.broker, self.below)
        self.below.start(session, outbox)
        if data:
            session.receive(data)

    def pass_on(self, data: bytes) -> None:
        """Give the session what was received for it, unless it is closing."""
        if self.session is not None and not self.closing:
            self.session.receive(data)

    def close_early(self) -> None:
        """Close in good order without a session having asked for it: send what `outbox` holds, then close."""
        self.closing = True
        self.below.close()

    # warren.core.clients.transport.Session, for what is below

    def drained(self) -> None:
        """The socket took everything there was to send."""
        if self.session is not None and not self.closing:
            self.session.drained()

    def connection_lost(self, reason: str) -> None:
        """The connection is gone."""
        self.closing = self._said_farewell = True
        if self.session is not None:
            self.session.connection_lost(reason)

    def shut_down(self, reason: str) -> None:
        """The broker stops."""
        if self.session is not None:
            self.session.shut_down(reason)
        else:
            self.close_early()

    # warren.core.clients.transport.Carrier, for the session

    @property
    def received_bytes(self) -> int:
        """As counted below, with what the stages add."""
        return self.below.received_bytes

    @property
    def sent_bytes(self) -> int:
        """As counted below, with what the stages add."""
        return self.below.sent_bytes

    @property
    def received_packets(self) -> int:
        """As counted below."""
        return self.below.received_packets

    @property
    def sent_packets(self) -> int:
        """As counted below."""
        return self.below.sent_packets

    @property
    def unsent_bytes(self) -> int:
        """As it waits below."""
        return self.below.unsent_bytes

    def start(self, session: Session, outbox: Outbox) -> None:
        """Give `session` what is understood from now on, and send what `outbox` holds."""
        self.session = session
        self.outbox.carried = outbox

    def send(self) -> None:
        """Encode the session's chunks and send them on."""
        carried = self.outbox.carried
        if carried is None:
            return
        chunks = carried.take()
        try:
            if chunks:
                self.outbox.chunks += self.encode(chunks)
            if self.closing and not self._said_farewell:
                self._said_farewell = True
                self.outbox.chunks += self.farewell()
                self.below.close()
        except Exception:
            # Sending is not in anybody's `receive`, whose errors end one connection; this must not end the broker.
            _log.exception("%s:%s: internal error; closing the connection", self.peer_host, self.peer_port)
            self.below.abort()
            return
        self.below.send()

    _said_farewell = False

    def close(self) -> None:
        """Send what the session's outbox holds, say farewell, and close."""
        if self.closing:
            return
        self.closing = True
        if self.outbox.carried is not None:
            self.outbox.carried.touch()

    def abort(self) -> None:
        """Close at once."""
        self.below.abort()

    def reset(self) -> None:
        """Send what the session's outbox holds, say farewell, and close by a reset."""
        self.closing = self._said_farewell = True
        try:
            carried = self.outbox.carried
            if carried is not None and (chunks := self.broker.unkept.take(carried)):
                self.outbox.chunks += self.encode(chunks)
            self.outbox.chunks += self.farewell()
        except Exception:
            _log.exception("%s:%s: internal error; closing the connection", self.peer_host, self.peer_port)
        self.below.reset()

    def pause(self) -> None:
        """Stop reading."""
        self.read_gate.close(SESSION)

    def resume(self) -> None:
        """Read again, unless the stage has a reason of its own not to."""
        self.read_gate.open(SESSION)


def stage_without_session(session: Session) -> Stage | None:
    """The innermost stage from here on, if it doesn't carry a session yet; None when there is a session at the end."""
    inner: Session | None = session
    stage: Stage | None = None
    while isinstance(inner, Stage):
        stage, inner = inner, inner.session
    return stage if inner is None else None


class _StageOutbox(Outbox):
    """Tells the outbox that it carries what waits for the socket, so that consumers slow down."""

    __slots__ = ("carried",)

    def __init__(self, ready: list[Outbox], transport: Carrier) -> None:
        super().__init__(ready, transport)
        self.carried: Outbox | None = None

    def sent(self, unsent_bytes: int) -> None:
        super().sent(unsent_bytes)
        if self.carried is not None:
            self.carried.sent(unsent_bytes)
