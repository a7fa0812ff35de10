"""One AMQP 1.0 connection on the broker's side: bytes in, broker calls, bytes out.

Theory of operation
-------------------
`receive` takes frames out of what was read and gives each to whom it is for: SASL's to sasl_exchange.py, open and close
to opening.py, everything else to the session of its channel (amqp_session.py), which has links.  What is
wrong is told on the level that it ends (codec/errors.py): a link is detached, a session ended, the connection closed.

    securing      protocol headers and SASL, until the user is known
    opening, running, closed

What a connection has is owned one by one, and this file says when which of them begins and ends:

    sasl, agreed          who the client is, and what was agreed on in open
    sessions              what is begun on which channel; those that we have ended are in `ending` until the peer ends
    touched               sessions that have something to say when all that was read is handled
    read_gate, ration, unread, settling, asking_rights, beats, silence    as in all protocols (adapters.session)

An alarm takes the publishers' credit away instead of holding frames back: what they may still send is bounded by it.

Longer than 400 lines because it is what begins and ends all of these owners, and nothing else.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Final, cast

from warren.adapters.amqp10.agreed import Agreed
from warren.adapters.amqp10.beginning import begin_session
from warren.adapters.amqp10.codec import performatives
from warren.adapters.amqp10.codec.composites import decode_composite
from warren.adapters.amqp10.codec.constants import FRAME_BYTES_LEAST
from warren.adapters.amqp10.codec.errors import (
    CONNECTION_FORCED,
    FRAMING_ERROR,
    INTERNAL_ERROR,
    NOT_ALLOWED,
    RESOURCE_LIMIT_EXCEEDED,
    Level,
    PeerMistake,
    Undecodable,
)
from warren.adapters.amqp10.codec.framing import AMQP_FRAME, EMPTY_FRAME, HEADER_BYTES, SASL_FRAME, frame
from warren.adapters.amqp10.codec.performatives import Close, Open
from warren.adapters.amqp10.codec.quick import DISPOSITION, TRANSFER, read_disposition, read_transfer
from warren.adapters.amqp10.codec.termini import Accepted
from warren.adapters.amqp10.conditions import mistake_of, told
from warren.adapters.amqp10.frame_loop import parse
from warren.adapters.amqp10.listing import Amqp10ConnectionRow, Amqp10SessionRow
from warren.adapters.amqp10.opening import open_connection
from warren.adapters.amqp10.resuming import connection_ends
from warren.adapters.amqp10.sasl_exchange import ATTEMPTS_LABEL, SaslExchange
from warren.adapters.amqp10.transactions import Transaction, Transactions
from warren.adapters.session.admission import LoginRefused, Source, refuse
from warren.adapters.session.liveness import Beats, Silence
from warren.adapters.session.long_work import LongWork
from warren.adapters.session.pieces import Pieces
from warren.adapters.session.ration import QUICK_PER_COMMAND, Ration
from warren.adapters.session.read_gate import ReadGate
from warren.adapters.session.settling import Settling
from warren.adapters.session.unread import UnreadReplies
from warren.core.access.answers import Unanswered
from warren.core.clients.outbox import Outbox
from warren.core.clients.transport import connection_name
from warren.core.declaring.queues import CONSUMERS_AT_ONCE, end_client, end_consumers
from warren.core.errors import BrokerError, InternalError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from warren.adapters.amqp10.amqp_session import AmqpSession
    from warren.adapters.amqp10.link import Link
    from warren.adapters.amqp10.management import ManagementLinks
    from warren.adapters.amqp10.settings import Amqp10Settings
    from warren.adapters.session.deliveries import Deliveries
    from warren.adapters.session.tap import FrameWords, Tap
    from warren.core.access.accounts import User
    from warren.core.broker import Broker
    from warren.core.clients.client import Client
    from warren.core.clients.transport import Carrier, Transport

_log = logging.getLogger("warren.amqp10")


BYTES_PER_COMMAND: Final = 64
"""Of a frame whose values are decoded one by one: full of the smallest values, it takes as long as a command."""


class Connection:
    """A session in the sense of core.clients.transport.Session; made by the listener for each accepted socket.

    client: None before open and after the end.  sessions: by channel; both ends use the same numbers.  links: of all
    sessions, by name and whether we send.
    """

    def __init__(self, broker: Broker, transport: Transport, settings: Amqp10Settings) -> None:
        self.broker = broker
        self.transport = transport
        self.settings = settings
        self.outbox = Outbox(broker.touched, transport)
        self.name = connection_name(transport)
        self.connected_at_ms = broker.now_ms
        self.client: Client | None = None
        self.state = "securing"
        self.agreed = Agreed()
        self.sasl: SaslExchange | None = SaslExchange(self)
        self.agreed_user: User | None = None
        self.sessions: dict[int, AmqpSession] = {}
        self.links: dict[tuple[str, bool], Link] = {}
        self.transactions = Transactions()
        self.management: ManagementLinks | None = None
        self.tap: Tap | None = None
        self.ending: set[int] = set()
        self.touched: dict[AmqpSession, None] = {}
        self.read_gate = ReadGate(transport)
        self.ration = Ration(broker, self.read_gate, self)
        self.settling = Settling(broker, self.read_gate, self.go_on)
        self.asking_rights = LongWork(broker, self.read_gate, go_on=self.go_on, failed=self._break)
        self._unread = UnreadReplies(broker, self.outbox, self.read_gate, settings.unread_timeout_ms)
        self._beats: Beats | None = None
        self._silence: Silence | None = None
        self._tail = Pieces()
        self._quick = 0
        self._deadline = broker.deadlines.schedule(
            broker.now_ms + settings.handshake_timeout_ms, self._handshake_expired
        )
        broker.sessions[self] = None

    @property
    def logged_in(self) -> Client:
        """The client; InternalError before open."""
        if self.client is None:
            raise InternalError("the connection is not open")
        return self.client

    @property
    def closed(self) -> bool:
        """Nothing more is heard."""
        return self.state == "closed"

    @property
    def takes_frames(self) -> bool:
        """False when the connection has ended, has to wait for its turn, or the peer has too much to read."""
        waits = self._unread.suspended or self.settling.busy or self.asking_rights.busy
        return not (self.closed or waits) and self.ration.left > 0

    @property
    def is_blocked(self) -> bool:
        """True while an alarm keeps new credit from a link that publishes."""
        if self.broker.alarms.blocked is None:
            return False
        return any(not link.is_sender for session in self.sessions.values() for link in session.links.values())

    def transaction(self, id: bytes) -> Transaction:
        """The open transaction of this id; PeerMistake for none."""
        return self.transactions.find(id)

    # Session interface

    def receive(self, data: bytes) -> None:
        """Take bytes from the peer; answers are in the outbox afterwards."""
        if self.closed:
            return
        self.ration.begin()
        if self._tail:
            joined = self._tail.join(data)
            if joined is None:
                return
            data = joined
        position = 0
        try:
            position = parse(self, data)
        except Exception as error:
            self._break(error)
        if self.closed:
            self._tail.clear()
            return
        if position < len(data):
            self._tail.keep(data[position:], self._missing(data, position))
            if self.ration.left <= 0:
                self.ration.wait()
        self.flush_batch()
        self._unread.look()

    def go_on(self) -> None:
        """It is this connection's turn again: go on with frames that waited for that."""
        if not (self.closed or self._unread.suspended):
            self.receive(b"")

    def drained(self) -> None:
        """The peer has read what it was sent: go on with frames that waited for that."""
        if self._unread.suspended and not self.closed:
            self._unread.read()
            self.receive(b"")

    def connection_lost(self, reason: str) -> None:
        """Everything that dies with the socket: sessions, links, exclusive queues."""
        if not self.closed:
            user = self.client.user.name if self.client else "-"
            _log.warning("connection %s (%s) lost: %s", self.name, user, reason)
        self.broker.refused_logins.forget(self)
        self._end()
        self.state = "closed"
        self.broker.sessions.pop(self, None)

    def shut_down(self, reason: str) -> None:
        """Close with amqp:connection:forced."""
        if self.broker.refused_logins.answer_now(self):
            return
        if not self.closed:
            self._close(PeerMistake(CONNECTION_FORCED, reason))

    def force_close(self, reason: str) -> None:
        """An operator's wish."""
        self.shut_down(reason)

    # Frames

    def _missing(self, data: bytes, at: int) -> int:
        """How many bytes are missing of the frame that begins there, at least."""
        there = len(data) - at
        if there < HEADER_BYTES or (self.sasl is not None and self.sasl.awaits_header):
            return 1 if self.takes_frames else 0
        return max(int.from_bytes(data[at : at + 4], "big") - there, 0)

    @property
    def frame_bytes_max(self) -> int:
        """Of a frame that may come."""
        return FRAME_BYTES_LEAST if self.sasl is not None else self.settings.frame_bytes_max

    def frame(self, kind: int, channel: int, data: bytes, at: int, end: int) -> None:
        """One that frame_loop.py doesn't take by itself; its body begins at `at`."""
        if self.sasl is not None:
            self.ration.left -= 1
            if kind != SASL_FRAME:
                raise PeerMistake(FRAMING_ERROR, f"a frame of type {kind} where SASL's are due", clause="5.3.1")
            self.sasl.frame(data, at, end)
            return
        if kind != AMQP_FRAME:
            raise PeerMistake(FRAMING_ERROR, f"a frame of type {kind} on an open connection", clause="2.3.1")
        if at == end:
            self.ration.left -= 1
            return
        code = data[at + 2] if data[at : at + 2] == b"\x00\x53" and at + 2 < end else 0
        if code == TRANSFER:
            self.count_quick(1)
            transfer, payload_at = read_transfer(data, at, end)
            if transfer.state is not None:
                self.ration.left -= 1 + (payload_at - at) // BYTES_PER_COMMAND
            session = self._session_of(channel)
            if session is not None:
                session.transfer(transfer, data[payload_at:end])
            return
        if code == DISPOSITION:
            self.count_quick(1)
            disposition = read_disposition(data, at, end)
            if disposition.last is not None or not isinstance(disposition.state, Accepted):
                self.ration.left -= 1 + (end - at) // BYTES_PER_COMMAND
            session = self._session_of(channel)
            if session is not None:
                session.disposition(disposition)
            return
        self.ration.left -= 1 + (end - at) // BYTES_PER_COMMAND
        body, stop = decode_composite(data, at, end)
        if stop != end and not isinstance(body, performatives.Transfer):
            raise Undecodable(f"{end - stop} bytes behind a performative", clause="2.3.2")
        self._performative(channel, body, data[stop:end])

    def count_quick(self, count: int) -> None:
        """So many messages or acknowledgements of the usual kind were handled."""
        quick = self._quick + count
        if quick >= QUICK_PER_COMMAND:
            self.ration.left -= quick // QUICK_PER_COMMAND
            quick %= QUICK_PER_COMMAND
        self._quick = quick

    def _performative(self, channel: int, body: object, payload: bytes) -> None:
        if isinstance(body, Open):
            if self.state != "opening":
                raise PeerMistake(NOT_ALLOWED, "open on a connection that is open", clause="2.4.1")
            if channel:
                raise PeerMistake(NOT_ALLOWED, f"open on the channel {channel}; its channel is 0", clause="2.4.1")
            self.attempt(None, None, partial(open_connection, self, body))
        elif self.state != "running":
            raise PeerMistake(NOT_ALLOWED, "the first performative has to be open", clause="2.4.1")
        elif isinstance(body, Close):
            self._peer_closes(body)
        elif isinstance(body, performatives.Begin):
            self.attempt(None, None, partial(begin_session, self, channel, body))
        else:
            session = self._session_of(channel)
            if session is not None:
                session.performative(body, payload)
            elif isinstance(body, performatives.End):
                self.ending.discard(channel)

    def _session_of(self, channel: int) -> AmqpSession | None:
        """The session on a channel; None for one that we have ended, whose frames don't count any more (2.5.6)."""
        session = self.sessions.get(channel)
        if session is None and channel not in self.ending:
            raise PeerMistake(NOT_ALLOWED, f"channel {channel} has no session; begin one first", clause="2.5.1")
        return session if self.state == "running" else None

    def send(self, channel: int, body: object) -> None:
        """Send a frame with this performative."""
        self.outbox.write(frame(channel, body))

    def flush_batch(self) -> None:
        """All that was read is handled: sessions say what belongs together."""
        while self.touched:
            touched, self.touched = self.touched, {}
            for session in touched:
                session.flush_batch()

    # Errors

    def attempt(self, session: AmqpSession | None, link: Link | None, do: Callable[[], None]) -> None:
        """Do what a frame asks for; what is wrong ends the link, the session or the connection.

        Where rights have to be asked for first, it is done again from its beginning when they are known.
        """
        try:
            self._attempt(session, link, do)
        except Unanswered as unanswered:
            self.asking_rights.when_answered(unanswered, partial(self._again, session, link, do))

    def _again(self, session: AmqpSession | None, link: Link | None, do: Callable[[], None]) -> None:
        self._attempt(session, link, do)
        self.flush_batch()

    def _attempt(self, session: AmqpSession | None, link: Link | None, do: Callable[[], None]) -> None:
        try:
            do()
        except PeerMistake as mistake:
            self.fail(mistake, session, link)
        except BrokerError as error:
            self.fail(
                mistake_of(
                    error,
                    Level.LINK if link is not None else Level.SESSION if session is not None else Level.CONNECTION,
                ),
                session,
                link,
            )

    def fail(self, mistake: PeerMistake, session: AmqpSession | None, link: Link | None) -> None:
        """End what a mistake ends."""
        if mistake.level is Level.LINK and link is not None and session is not None:
            self._tell(mistake, f"link '{link.name}' was detached")
            session.detach(link, mistake)
        elif mistake.level is not Level.CONNECTION and session is not None:
            self._tell(mistake, f"session {session.channel} was ended")
            session.fail(mistake)
        elif not self.closed:
            self._close(mistake)

    def _tell(self, mistake: PeerMistake, what: str) -> None:
        self.broker.limit_hits.count_error(mistake)
        self.broker.troubles.note(self.broker.now_ms, self.name, f"{what}: {mistake.condition}: {mistake.text}")
        _log.info("connection %s: %s: %s: %s", self.name, what, mistake.condition, mistake.text)

    def _break(self, error: Exception) -> None:
        """What nothing can follow, bytes that are no frame or a bug of ours: say so and close."""
        if not isinstance(error, PeerMistake):
            _log.error("connection %s: internal error; closing it", self.name, exc_info=error)
            error = PeerMistake(INTERNAL_ERROR, "internal error; the broker's log has the details")
        if not self.closed:
            self._close(error)

    def _close(self, mistake: PeerMistake) -> None:
        self.broker.limit_hits.count_error(mistake)
        self.broker.troubles.note(
            self.broker.now_ms, self.name, f"the connection was closed: {mistake.condition}: {mistake.text}"
        )
        _log.warning("connection %s: closing it: %s: %s", self.name, mistake.condition, mistake.text)
        is_open = self.sasl is None and self.state == "running"
        is_opening = self.sasl is None and self.state == "opening"
        self._end()
        if is_opening:
            # An error is told in close, which has open before it (2.4.3).
            self.send(0, Open(self.settings.cluster_name or "warren"))
        if is_open or is_opening:
            self.send(0, Close(told(mistake)))
        self.finish()

    def _peer_closes(self, body: Close) -> None:
        if body.error is not None:
            self.broker.troubles.note(
                self.broker.now_ms,
                self.name,
                f"the client closed the connection: {body.error.condition}: {body.error.description or ''}",
                by_peer=True,
            )
        self.state = "closing"
        self._end()
        self.settling.then(self._say_goodbye)

    def _say_goodbye(self) -> None:
        if not self.closed:
            self.send(0, Close())
            self.finish()

    def finish(self) -> None:
        """Nothing more is to be said or heard."""
        self._end()
        self.state = "closed"
        self.transport.close()

    def refuse_protocol(self, start: bytes, answer: bytes) -> None:
        """What came is no protocol header that is due: say which one is, and close (2.2)."""
        _log.warning(
            "connection %s: sent %r where a protocol header of AMQP 1.0 is due%s; closing it",
            self.name,
            start,
            self.settings.hint(start),
        )
        self.outbox.write(answer + self.settings.answer_to_typing(start))
        self.finish()

    def authentication_failed(self, error: LoginRefused, user: str, answer: Callable[[], None]) -> None:
        """Refuse the login, late.  user: whom the client said it is, if that is known.  answer: says so."""
        _log.warning("connection %s: %s login refused: %s", self.name, self.agreed.mechanism, error.reason)
        self._end()
        self.state = "closed"

        def say() -> None:
            answer()
            self.transport.close()

        refuse(self.broker, self, Source(ATTEMPTS_LABEL, self.transport.peer_host, user), say)

    # Phases

    def opened(self, client: Client, peer_timeout_ms: int) -> None:
        """The client's open was taken.  peer_timeout_ms: how often it wants to hear something; 0 for never."""
        self.client = client
        client.ration = self.ration
        client.when_expired(self._credentials_expired)
        self.state = "running"
        self._deadline.cancel()
        self.broker.alarms.listen(self._alarms_changed)
        if peer_timeout_ms:
            self._beats = Beats(self.broker, self.outbox, peer_timeout_ms, EMPTY_FRAME)
        if self.settings.idle_timeout_ms:
            self._silence = Silence(
                self.broker, self.transport, self.read_gate, self.settings.idle_timeout_ms // 2, self._peer_is_silent
            )

    def _credentials_expired(self) -> None:
        self.force_close("the credentials of the connection have expired")

    def _peer_is_silent(self) -> None:
        self.broker.limit_hits.count("missed heart-beats")
        _log.warning("connection %s: no frame for %d ms", self.name, self.settings.idle_timeout_ms)
        self.broker.troubles.note(self.broker.now_ms, self.name, "nothing came for too long: missed heart-beats")
        self._end()
        self.send(0, Close(told(PeerMistake(RESOURCE_LIMIT_EXCEEDED, "no frame came within the idle timeout"))))
        self.state = "closed"
        self.transport.reset()

    def _handshake_expired(self, now_ms: int) -> None:
        self.broker.limit_hits.count("handshake_timeout_s")
        _log.warning(
            "connection %s: no open within %d s of connecting; closing it",
            self.name,
            self.settings.handshake_timeout_ms // 1000,
        )
        self._end()
        self.state = "closed"
        self.transport.abort()

    def _alarms_changed(self) -> None:
        for session in list(self.sessions.values()):
            session.alarms_changed()
        self.flush_batch()

    def _end(self) -> None:
        """End sessions, links and exclusive queues; what wasn't settled returns to its queues."""
        self._deadline.cancel()
        self._unread.stop()
        self.asking_rights.stop()
        if self._beats is not None:
            self._beats.stop()
        if self._silence is not None:
            self._silence.stop()
        self.broker.alarms.unlisten(self._alarms_changed)
        consumers = [consumer for session in self.sessions.values() for consumer in session.consumers()]
        if len(consumers) > CONSUMERS_AT_ONCE:
            end_consumers(consumers, self.settling.begin)
        for session in list(self.sessions.values()):
            session.end()
        self.sessions.clear()
        self.touched.clear()
        connection_ends(self)
        if self.client is not None:
            end_client(self.client, self.settling.begin)
            self.client = None

    # Listings

    def connection_row(self) -> Amqp10ConnectionRow:
        """Its row in list_connections."""
        return Amqp10ConnectionRow(self)

    def channel_rows(self) -> list[Amqp10SessionRow]:
        """The rows of its sessions in list_channels."""
        row = self.connection_row()
        return [Amqp10SessionRow(row, session) for session in self.sessions.values()]

    @property
    def carrier(self) -> Carrier:
        """What its bytes come by, for a tap."""
        return cast("Carrier", self.transport)

    def frame_words(self) -> FrameWords:
        """How a tap reads its frames."""
        from warren.adapters.amqp10.frame_words import Amqp10FrameWords

        return Amqp10FrameWords()

    @property
    def untaken(self) -> Pieces:
        """What has come and isn't handled yet."""
        return self._tail

    def ack_holders(self) -> Iterable[Deliveries]:
        """What its sessions were given, for the acknowledgement timeout."""
        return [session.deliveries for session in self.sessions.values()]
