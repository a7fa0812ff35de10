"""One AMQP 0-9-1 connection on the broker's side: bytes in, broker calls, bytes out.

Theory of operation
-------------------
`receive` gives what was read to the loop over its frames (frame_loop.py), which does by itself what comes most often,
and hands every other frame to `frame`, the cold path: frames.py says whom it is for, errors end a channel or the
connection.  What a connection has is owned one by one, and this file says when which of them begins and ends:

    handshake, agreed    who the client is and what was agreed on, up to connection.open-ok
    channels             what is open under which number
    known, known_properties, unfinished    what the loop remembers, and when it must take frames one by one
    held, asking, due    frames that wait for an alarm to clear, for a queue's answer, or for their turn after that
    read_gate, unread    why the peer isn't read for now (adapters.session)
    asking_rights        a frame that depends on what an authentication back-end has to be asked (core.access.answers)
    settling             what is settled in slices, as it is too much for a turn (adapters.session)
    beats, silence       whether the peer is there (adapters.session.liveness)

Phases: the handshake -> running -> closing (we sent connection.close and wait for close-ok; other frames are ignored)
-> closed.  A frame error can't be recovered from, so after one the rest of the input is dropped.

While an alarm blocks publishing, frames of channels that try to publish are held back in order, except acks, which go
on (spec A.3, connection.blocked); past a limit the connection isn't read any more.  See held_frames.py.

Longer than 400 lines because it is what begins and ends all of these owners, and nothing else.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Final, cast

from warren.adapters.amqp091.asking import Asking, channel_ended
from warren.adapters.amqp091.channels import Channels
from warren.adapters.amqp091.codec import methods, methods_legacy
from warren.adapters.amqp091.codec.constants import (
    FRAME_BODY,
    FRAME_METHOD,
    FRAME_OVERHEAD_BYTES,
    FRAME_PREFIX_BYTES,
    PROTOCOL_HEADER,
)
from warren.adapters.amqp091.codec.framing import HEARTBEAT_FRAME
from warren.adapters.amqp091.codec.texts import short_text
from warren.adapters.amqp091.due_frames import DueFrames
from warren.adapters.amqp091.frame_loop import check_size, missing_bytes, parse
from warren.adapters.amqp091.frames import frame_while_closing, handle_frame
from warren.adapters.amqp091.handshake import ATTEMPTS_LABEL, Handshake
from warren.adapters.amqp091.held_frames import HeldFrame, HeldFrames
from warren.adapters.amqp091.known_properties import KnownProperties
from warren.adapters.amqp091.known_publishes import KnownPublish, KnownPublishes
from warren.adapters.amqp091.listing import AmqpChannelRow, AmqpConnectionRow
from warren.adapters.amqp091.unfinished import Unfinished
from warren.adapters.session.admission import Source, refuse
from warren.adapters.session.ignored import log_ignored
from warren.adapters.session.liveness import Beats, Silence
from warren.adapters.session.long_work import LongWork
from warren.adapters.session.pieces import Pieces
from warren.adapters.session.ration import BYTES_PER_COMMAND, Ration
from warren.adapters.session.read_gate import ReadGate
from warren.adapters.session.settling import Settling
from warren.adapters.session.unread import UnreadReplies
from warren.core.access.answers import Unanswered
from warren.core.clients.client import Client
from warren.core.clients.outbox import Outbox
from warren.core.clients.transport import connection_name
from warren.core.declaring.queues import end_client
from warren.core.errors import (
    AccessRefused,
    BrokerError,
    ConnectionForced,
    FrameError,
    InternalError,
    NotAllowed,
    Scope,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from warren.adapters.amqp091.channel import Channel
    from warren.adapters.amqp091.settings import Amqp091Settings
    from warren.adapters.interface import AcceptCarrier
    from warren.adapters.session.deliveries import Deliveries
    from warren.adapters.session.tap import FrameWords, Tap
    from warren.core.access.accounts import LoginRefused
    from warren.core.broker import Broker
    from warren.core.clients.transport import Carrier, Transport
    from warren.core.deadlines import Deadline

_log = logging.getLogger("warren.amqp")

NO_IDS: Final = (0, 0)
"""Class and method in connection.close and channel.close, when no method of the client's is to blame."""

CLOSE_OK_WAIT_MS: Final = 30_000
"""How long a client may take to answer connection.close, at most (spec A.3.11)."""

ALARM: Final = "alarm"
RATE: Final = "rate"
"""What may block a client's publishes, each by itself."""

NOTHING_KNOWN: Final[dict[bytes, KnownPublish]] = {}
"""What is known while frames must be taken one by one; nobody puts anything there."""


class Connection:
    """A session in the sense of core.clients.transport.Session; made by the listener for each accepted socket.

    handshake: None once it is through.  client: None before and after.  known: the publishes that are remembered; there
    once the virtual host is open.  decode, encode_frame: of the version that the client speaks.
    ignored_publishes: those that came after connection.close.
    """

    known: KnownPublishes

    def __init__(self, broker: Broker, transport: Transport, settings: Amqp091Settings) -> None:
        self.broker = broker
        self.transport = transport
        self.settings = settings
        self.outbox = Outbox(broker.touched, transport)
        self.name = connection_name(transport)
        self.connected_at_ms = broker.now_ms
        self.client: Client | None = None
        self.decode = methods.decode
        self.encode_frame = methods.encode_frame
        self.handshake: Handshake | None = Handshake(self)
        self.agreed = self.handshake.agreed
        self.channels = Channels()
        self.known_properties = KnownProperties()
        self.unfinished = Unfinished(settings.message_bytes_max)
        self.read_gate = ReadGate(transport)
        self.ration = Ration(broker, self.read_gate, self)
        self.asking = Asking(self.read_gate)
        self.held = HeldFrames(broker.alarms, self.read_gate, self._tell_of_alarm)
        self.due = DueFrames(self.read_gate)
        self.settling = Settling(broker, self.read_gate, self.go_on)
        self.asking_rights = LongWork(broker, self.read_gate, go_on=self.go_on, failed=self.break_off)
        self._unread = UnreadReplies(broker, self.outbox, self.read_gate, settings.unread_timeout_ms)
        self._beats: Beats | None = None
        self._silence: Silence | None = None
        self._state = ""
        self._tail = Pieces()
        self._closed = False
        self.ignored_publishes = 0
        self._blocked_by: dict[str, str] = {}
        self._deadline: Deadline = broker.deadlines.schedule(
            broker.now_ms + settings.handshake_timeout_ms, self._handshake_expired
        )
        self.tap: Tap | None = None
        broker.sessions[self] = None

    @property
    def state(self) -> str:
        """The phase: that of the handshake, then running, closing or closed."""
        return self.handshake.state if self.handshake is not None and not self._state else self._state

    @property
    def reported_state(self) -> str:
        """The state as listings show it; `blocked` while an alarm holds its publishes."""
        return "blocked" if self.held.active else self.state

    @property
    def takes_frames(self) -> bool:
        """False when the connection has ended, has to wait for its turn, or the peer has too many replies to read."""
        waits = self._unread.suspended or self.settling.busy or self.asking_rights.busy
        return not (self._closed or waits) and self.ration.left > 0

    # Session interface

    def receive(self, data: bytes) -> None:
        """Take bytes from the peer; answers are in the outbox afterwards."""
        if self._closed:
            return
        self.ration.begin()
        if self._tail:
            joined = self._tail.join(data)
            if joined is None:
                return
            data = joined
        ignored = 0
        try:
            position = self.handshake.header(data) if self.handshake is not None else 0
            if self.takes_frames and (self.handshake is None or self.handshake.header_seen):
                position = parse(self, data, position)
            if position < len(data):
                ignored = len(data) - position
                self._tail.keep(data[position:], missing_bytes(self, data, position))
        except Exception as error:
            self.break_off(error)
        if self._closed:
            self._tail.clear()
            if self.handshake is None:
                log_ignored(self.name, ignored, "bytes", "it was closed")
            return
        if self.ration.left <= 0 and self._tail:
            self.ration.wait()
        self.channels.confirm_batch()
        self._unread.look()

    def go_on(self) -> None:
        """It is this connection's turn again: go on with commands that waited for that."""
        if not (self._closed or self._unread.suspended):
            self.channels.confirm_batch()
            self._go_on_with_due()
            self.receive(b"")

    def drained(self) -> None:
        """The peer has read what it was sent: go on with commands that waited for that."""
        if not self._unread.suspended:
            return
        self._unread.read()
        self._go_on_with_due()
        if not self._unread.suspended:
            self.receive(b"")

    def connection_lost(self, reason: str) -> None:
        """Everything that dies with the socket: channels, consumers, exclusive queues."""
        if self.state != "closed":
            user = self.client.user.name if self.client else "-"
            _log.warning("connection %s (%s) lost: %s", self.name, user, reason)
        self.broker.refused_logins.forget(self)
        self._end()
        self._closed = True
        self._tell_of_ignored()
        self.broker.sessions.pop(self, None)

    def shut_down(self, reason: str) -> None:
        """Close with 320 CONNECTION_FORCED."""
        if self.state == "running":
            self._close(ConnectionForced(reason), NO_IDS)
        elif self.state != "closing" and not self.broker.refused_logins.answer_now(self):
            self.transport.close()

    def force_close(self, reason: str) -> None:
        """An operator's wish: 320 with the reason given."""
        self.shut_down(reason)

    # Frames

    def send(self, channel: int, method: methods.Method) -> None:
        """Send a method without content."""
        self.outbox.write(self.encode_frame(channel, method))

    @property
    def body_frame_max(self) -> int:
        """The largest part of a body that fits into one frame to the client, in bytes."""
        return self.agreed.frame_max - FRAME_OVERHEAD_BYTES

    def known_now(self) -> dict[bytes, KnownPublish]:
        """The remembered publishes, unless frames must be taken one by one: within a content, or behind held ones."""
        if self.client is None or self.unfinished.count or self.held.active or self.asking.active or self.due.active:
            return NOTHING_KNOWN
        return self.known.now()

    def frame(self, kind: int, number: int, data: bytes, start: int, stop: int) -> None:
        """Handle one whole frame, `data[start:stop]` plus its end octet; errors end a channel or the connection.

        Raises FrameError, after which nothing can be understood any more.
        """
        self.ration.left -= 1 if kind == FRAME_BODY else 1 + (stop - start) // BYTES_PER_COMMAND
        check_size(self, kind, stop - start - FRAME_PREFIX_BYTES)
        try:
            self._frame(kind, number, data, start, stop)
        except Unanswered as unanswered:
            frame = data[start : stop + 1]
            again = partial(self._frame, kind, number, frame, 0, len(frame) - 1)
            self.asking_rights.when_answered(unanswered, again)

    def _frame(self, kind: int, number: int, data: bytes, start: int, stop: int) -> None:
        if self.state == "closing":
            frame_while_closing(self, kind, number, data, start, stop)
            return
        ids = methods.method_ids(data, start + FRAME_PREFIX_BYTES) if kind == FRAME_METHOD else NO_IDS
        try:
            handle_frame(self, kind, number, ids, data, start, stop)
        except BrokerError as error:
            self.frame_failed(error, number, ids)
        if not self._closed:
            self._unread.look()

    def frame_failed(self, error: BrokerError, number: int, ids: tuple[int, int]) -> None:
        """Close what the error's scope says: a channel, or the connection."""
        self.broker.limit_hits.count_error(error)
        channel = self.channels.by_number.get(number)
        if error.scope is not Scope.CONNECTION and channel is not None:
            self.channel_failed(channel, error, ids)
        elif isinstance(error, FrameError):
            error.limit = ""
            raise error
        elif self.state == "running":
            self._close(error, ids)
        else:
            # Before connection.open-ok, or on the way out, a client may not expect to be told; tell it and go.
            self._fail(error, ids)
            self.finish()

    def handle_due(self, frames: list[HeldFrame]) -> None:
        """Handle frames that have waited, and are older than what is due already; the rest when there is room for it.

        Nothing of it once the connection ends.
        """
        left = frames[self._handle_some(frames) :]
        if self.state == "running":
            self.due.put_before(left)

    def _go_on_with_due(self) -> None:
        """There is room: go on with what is due."""
        if self.due.active:
            frames = self.due.take()
            left = frames[self._handle_some(frames) :]
            if self.state == "running":
                # What has become due meanwhile, by an answer, is older than what its channel has here.
                self.due.add_all(left)

    def _handle_some(self, frames: list[HeldFrame]) -> int:
        """Handle them as far as the peer reads the answers and the turn's ration goes; how many were done with."""
        count = 0
        self.ration.begin()
        try:
            for kind, number, frame in frames:
                if self._unread.suspended or self.settling.busy or self.asking_rights.busy:
                    break
                if self.ration.left <= 0:
                    self.ration.wait()
                    break
                count += 1
                if self.state == "running":
                    self.frame(kind, number, frame, 0, len(frame) - 1)
        except Exception as error:
            self.break_off(error)
        self.channels.confirm_batch()
        return count

    # Phases

    def use_legacy_dialect(self) -> None:
        """The client's header says AMQP 0-8, or what is numbered like it."""
        self.decode = methods_legacy.decode
        self.encode_frame = methods_legacy.encode_frame

    def renew_secret(self, method: methods.ConnectionUpdateSecret) -> None:
        """connection.update-secret: what the user has logged in with is renewed; NotAllowed (530) when it can't be."""
        if self.client is not None:
            try:
                self.client.renew(method.new_secret.decode("utf-8", "surrogateescape"))
            except AccessRefused as error:
                _log.warning("connection %s: %s", self.name, error.text)
                raise NotAllowed("New secret was refused by one of the backends") from None
            _log.info("connection %s: secret updated, reason: %s", self.name, method.reason)
        self.send(0, methods.ConnectionUpdateSecretOk())

    def _credentials_expired(self) -> None:
        self.force_close("the credentials of the connection have expired")

    def opened(self, client: Client) -> None:
        """The handshake is through: connection.open-ok goes out, the connection runs."""
        self.client = client
        client.ration = self.ration
        client.when_expired(self._credentials_expired)
        self.known = KnownPublishes(client.vhost)
        self._state = "running"
        self.handshake = None
        self._deadline.cancel()
        self.broker.alarms.listen(self._alarms_changed)
        if self.agreed.heartbeat_s:
            interval_ms = self.agreed.heartbeat_s * 1000
            self._beats = Beats(self.broker, self.outbox, interval_ms, HEARTBEAT_FRAME)
            self._silence = Silence(self.broker, self.transport, self.read_gate, interval_ms, self._peer_is_silent)

    def channel_failed(self, channel: Channel, error: BrokerError, ids: tuple[int, int] = NO_IDS) -> None:
        """Close a channel with `error`.  ids: the class and method that are to blame, if the client sent one."""
        _log.info("connection %s channel %d: %s", self.name, channel.number, error.logged_text)
        channel.fail(error, *ids)

    def channel_closed(self, channel: Channel) -> None:
        """The channel's number is free again."""
        self.channels.closed(channel)
        channel_ended(self, channel.number)

    def hand_over(self, accept: AcceptCarrier, data: bytes) -> None:
        """What came is the header of another version of AMQP: what speaks that takes this one's place."""
        self._deadline.cancel()
        self._closed = True
        self._state = "closed"
        self.broker.sessions.pop(self, None)
        session, outbox = accept(self.broker, self.carrier)
        self.carrier.start(session, outbox)
        session.receive(data)

    def refuse_protocol(self, start: bytes, data: bytes) -> None:
        """What came is no protocol header that is served: say which one is, and close.  data: all that has come."""
        hint = self.settings.hint(start)
        _log.warning("connection %s: sent %r, no AMQP 0-9-1 protocol header%s; closing it", self.name, start, hint)
        self.outbox.write(PROTOCOL_HEADER + self.settings.answer_to_typing(data))
        self.finish()

    def authentication_failed(self, error: LoginRefused, user: str) -> None:
        """Refuse the login, late: told to clients that understand it, a closed socket for the others (spec A.3.9)."""
        _log.warning("connection %s: %s login refused: %s", self.name, self.agreed.mechanism, error.reason)
        self._leave()
        source = Source(ATTEMPTS_LABEL, self.transport.peer_host, user)
        refuse(self.broker, self, source, lambda: self._answer_refused_login(error))

    def _answer_refused_login(self, error: LoginRefused) -> None:
        if "authentication_failure_close" in self.agreed.capabilities:
            self._send_close(error, NO_IDS)
        self.transport.close()

    def client_closes(self) -> None:
        """connection.close."""
        self._end()
        self.settling.then(self._say_goodbye)

    def _say_goodbye(self) -> None:
        if not self._closed:
            self.send(0, methods.ConnectionCloseOk())
            self.finish()

    def finish(self) -> None:
        """Nothing more is to be said or heard."""
        self._leave()
        self.transport.close()

    def _close(self, error: BrokerError, ids: tuple[int, int]) -> None:
        """Close with `error`: channels end at once, the socket when the client answers or has had its time."""
        self._fail(error, ids)
        self._state = "closing"
        wait_ms = min(self.agreed.heartbeat_s * 1000 or CLOSE_OK_WAIT_MS, CLOSE_OK_WAIT_MS)
        self._deadline = self.broker.deadlines.schedule(self.broker.now_ms + wait_ms, self._close_ok_expired)

    def cannot_go_on(self, error: BrokerError) -> None:
        """Close with `error`, which no frame of the client's is to blame for, unless the connection is ending."""
        if self.state == "running":
            self._close(error, NO_IDS)

    def break_off(self, error: Exception) -> None:
        """What nothing can follow, a broken frame or a bug of ours: say so, unless that has been done, and close."""
        if not isinstance(error, BrokerError):
            _log.error("connection %s: internal error; closing it", self.name, exc_info=error)
            error = InternalError("internal error; the broker's log has the details")
        self.broker.limit_hits.count_error(error)
        if self.state != "closing":
            self._fail(error, NO_IDS)
        self.finish()

    def _fail(self, error: BrokerError, ids: tuple[int, int]) -> None:
        _log.warning("connection %s: closing it: %s", self.name, error.logged_text)
        self._end()
        self._send_close(error, ids)

    def _send_close(self, error: BrokerError, ids: tuple[int, int]) -> None:
        self.broker.troubles.note(self.broker.now_ms, self.name, f"the connection was closed: {error.logged_text}")
        self.send(0, methods.ConnectionClose(error.code, short_text(error.reply_text), *ids))

    def _tell_of_ignored(self) -> None:
        count, self.ignored_publishes = self.ignored_publishes, 0
        log_ignored(self.name, count, "publishes", "it was closed by the broker")

    def _leave(self) -> None:
        self._end()
        self._tell_of_ignored()
        self._state = "closed"
        self._closed = True

    def _end(self) -> None:
        """End channels, consumers and exclusive queues; before close-ok, as clients rely on (spec A.3.11)."""
        self._deadline.cancel()
        self._unread.stop()
        self.asking_rights.stop()
        if self._beats is not None:
            self._beats.stop()
        if self._silence is not None:
            self._silence.stop()
        self.broker.alarms.unlisten(self._alarms_changed)
        self.held.clear()
        self.asking.clear()
        self.due.clear()
        self.channels.end(self.settling.begin)
        if self.client is not None:
            end_client(self.client, self.settling.begin)
            self.client = None
            self.known.forget()

    # What happens by itself

    def _cut_off(self) -> None:
        self._state = "closed"
        self.transport.abort()

    def _handshake_expired(self, now_ms: int) -> None:
        self.broker.limit_hits.count("handshake_timeout_s")
        _log.warning(
            "connection %s: no connection.open within %d s of connecting; closing it",
            self.name,
            self.settings.handshake_timeout_ms // 1000,
        )
        self._cut_off()

    def _close_ok_expired(self, now_ms: int) -> None:
        if self.state == "closing" and not self._closed:
            self.broker.limit_hits.count("goodbyes")
            self._cut_off()

    def _peer_is_silent(self) -> None:
        self.broker.limit_hits.count("missed heart-beats")
        self.broker.troubles.note(self.broker.now_ms, self.name, "nothing came for too long: missed heart-beats")
        _log.warning("connection %s: missed heartbeats from client, timeout: %ds", self.name, self.agreed.heartbeat_s)
        self._cut_off()

    def _alarms_changed(self) -> None:
        self.held.alarms_changed()
        held = self.held.take()
        if held:
            self.handle_due(held)

    def _tell_of_alarm(self, method: methods.Method) -> None:
        self._tell_blocked(ALARM, method.reason if isinstance(method, methods.ConnectionBlocked) else "")

    def held_back_by_rate(self, reason: str) -> None:
        """See adapters.session.pace.Told."""
        self._tell_blocked(RATE, reason)

    def _tell_blocked(self, by: str, reason: str) -> None:
        """Tell a client that understands it that it is blocked, or by nothing any more.  reason: empty for no more."""
        was_blocked = len(self._blocked_by) > 0
        self._blocked_by.pop(by, None)
        if reason:
            self._blocked_by[by] = reason
        is_blocked = len(self._blocked_by) > 0
        if self._closed or is_blocked == was_blocked or "connection.blocked" not in self.agreed.capabilities:
            return
        self.send(0, methods.ConnectionBlocked(reason) if is_blocked else methods.ConnectionUnblocked())

    # Listings

    def connection_row(self) -> AmqpConnectionRow:
        """Its row in list_connections."""
        return AmqpConnectionRow(self)

    @property
    def carrier(self) -> Carrier:
        """What its bytes come by, for a tap."""
        return cast("Carrier", self.transport)

    @property
    def untaken(self) -> Pieces:
        """What has come and isn't handled yet."""
        return self._tail

    def frame_words(self) -> FrameWords:
        """How a tap reads its frames."""
        from warren.adapters.amqp091.frame_words import AmqpFrameWords

        return AmqpFrameWords()

    def ack_holders(self) -> Iterable[Deliveries]:
        """What its channels were given, for the acknowledgement timeout."""
        return [channel.deliveries for channel in self.channels.by_number.values()]

    def channel_rows(self) -> list[AmqpChannelRow]:
        """The rows of its channels in list_channels."""
        row = self.connection_row()
        return [AmqpChannelRow(row, channel) for channel in self.channels.by_number.values()]
