"""One connection of the stream protocol on the broker's side: bytes in, broker calls, bytes out.

Theory of operation
-------------------
`receive` gives what was read to the loop over its frames (frame_loop.py), which has Publish handled by itself, and
hands every other command to `command`, which looks up its handler (handlers.py).  What is wrong is told on one of two
levels (codec/errors.py): a command is refused with a code, or the connection is closed with one.

    securing, tuning, opening (opening.py), running, closed

What a connection has is owned one by one, and this file says when which of them begins and ends:

    agreed, user, scram       what the handshake settles
    publishers, confirming    who publishes to which stream, and what isn't on disk yet
    subscriptions             who is sent chunks of which stream
    asked                     what the broker has asked the client, by correlation id
    held                      publishes, and what came behind them, that wait for an alarm to clear
    read_gate, ration, unread, settling, asking_rights, beats, silence    as in all protocols (adapters.session)

Longer than 400 lines because it is what begins and ends all of these owners, and nothing else.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, cast

from warren.adapters.session.admission import LoginRefused, Source, refuse
from warren.adapters.session.held import Held
from warren.adapters.session.liveness import Beats, Silence
from warren.adapters.session.long_work import LongWork
from warren.adapters.session.pieces import Pieces
from warren.adapters.session.ration import Ration
from warren.adapters.session.read_gate import ReadGate
from warren.adapters.session.settling import Settling
from warren.adapters.session.unread import UnreadReplies
from warren.adapters.stream.agreed import Agreed
from warren.adapters.stream.codec.commands import (
    Answer,
    Close,
    Command,
    Heartbeat,
    MetadataUpdate,
    OpenAnswer,
    SaslAuthenticateAnswer,
)
from warren.adapters.stream.codec.encoding import KEY_BYTES, decode, encode, key_of, name_of
from warren.adapters.stream.codec.errors import FrameError, Refused
from warren.adapters.stream.codec.keys import RESPONSE, Code, Key
from warren.adapters.stream.confirming import Confirming
from warren.adapters.stream.frame_loop import missing_bytes, parse
from warren.adapters.stream.handlers import FIRST, HANDLERS
from warren.adapters.stream.held_frames import has_to_wait
from warren.adapters.stream.listing import StreamChannelRow, StreamConnectionRow
from warren.adapters.stream.opening import ATTEMPTS_LABEL
from warren.adapters.stream.publishers import Publishers
from warren.adapters.stream.publishing import publish
from warren.adapters.stream.refusals import refusal_of
from warren.adapters.stream.subscribing import Subscriptions
from warren.core.access.answers import Unanswered
from warren.core.clients.outbox import Outbox
from warren.core.clients.transport import connection_name
from warren.core.declaring.queues import end_client
from warren.core.errors import BrokerError, InternalError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from warren.adapters.session.deliveries import Deliveries
    from warren.adapters.session.scram import ScramSha256
    from warren.adapters.session.tap import FrameWords, Tap
    from warren.adapters.stream.codec.commands import Open, SaslAuthenticate
    from warren.adapters.stream.settings import StreamProtocolSettings
    from warren.core.access.accounts import User
    from warren.core.broker import Broker
    from warren.core.clients.client import Client
    from warren.core.clients.transport import Carrier, Transport

_log = logging.getLogger("warren.stream")


class StreamSession:
    """A session in the sense of core.clients.transport.Session; made by the listener for each accepted socket.

    client: None before Open and after the end.  user: who has logged in, from then on.
    """

    def __init__(self, broker: Broker, transport: Transport, settings: StreamProtocolSettings) -> None:
        self.broker = broker
        self.transport = transport
        self.settings = settings
        self.outbox = Outbox(broker.touched, transport)
        self.name = connection_name(transport)
        self.channel_name = f"{self.name} (1)"
        self.connected_at_ms = broker.now_ms
        self.client: Client | None = None
        self.user: User | None = None
        self.scram: ScramSha256 | None = None
        self.state = "securing"
        self.agreed = Agreed(settings.first_frame_bytes_max)
        self.publishers = Publishers(self)
        self.confirming = Confirming(self)
        self.subscriptions = Subscriptions(self)
        self._told_gone: dict[str, None] = {}
        self.asked: dict[int, Callable[[Command], None]] = {}
        self.tap: Tap | None = None
        self.read_gate = ReadGate(transport)
        self.ration = Ration(broker, self.read_gate, self)
        self.settling = Settling(broker, self.read_gate, self.go_on)
        self.asking_rights = LongWork(broker, self.read_gate, go_on=self.go_on, failed=self._break)
        self._held: Held[bytes] = Held(self.read_gate, len)
        self._last_correlation = 0
        self._unread = UnreadReplies(broker, self.outbox, self.read_gate, settings.unread_timeout_ms)
        self._beats: Beats | None = None
        self._silence: Silence | None = None
        self._tail = Pieces()
        self._deadline = broker.deadlines.schedule(
            broker.now_ms + settings.handshake_timeout_ms, self._handshake_expired
        )
        broker.sessions[self] = None

    @property
    def logged_in(self) -> Client:
        """The client; InternalError before Open."""
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
    def frame_bytes_max(self) -> int:
        """Of a frame that may come."""
        running = self.state == "running"
        return self.agreed.frame_bytes_max if running else self.settings.first_frame_bytes_max

    @property
    def held_back(self) -> bool:
        """True while an alarm holds what this connection publishes."""
        return len(self._held) > 0

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
            self._break(error, data)
        if self.closed:
            self._tail.clear()
            return
        if position < len(data):
            self._tail.keep(data[position:], missing_bytes(self, data, position))
            if self.ration.left <= 0:
                self.ration.wait()
        self._unread.look()

    def go_on(self) -> None:
        """It is this connection's turn again: go on with frames that waited for that."""
        if not (self.closed or self._unread.suspended):
            self._take_up()

    def drained(self) -> None:
        """The peer has read what it was sent: go on with frames that waited for that."""
        if self._unread.suspended and not self.closed:
            self._unread.read()
            self._take_up()

    def _take_up(self) -> None:
        """Go on with what waits, in order."""
        self._release_held()
        if not self.closed:
            self.receive(b"")

    def connection_lost(self, reason: str) -> None:
        """Everything that dies with the socket."""
        if not self.closed:
            user = self.user.name if self.user else "-"
            _log.warning("connection %s (%s) lost: %s", self.name, user, reason)
        self.broker.refused_logins.forget(self)
        self._end()
        self.state = "closed"
        self.broker.sessions.pop(self, None)

    def shut_down(self, reason: str) -> None:
        """Tell the client why, and close."""
        if self.broker.refused_logins.answer_now(self):
            return
        if not self.closed:
            self.close(Code.OK, reason)

    def force_close(self, reason: str) -> None:
        """An operator's wish."""
        self.shut_down(reason)

    # Frames

    def frame(self, data: bytes, at: int, end: int) -> None:
        """One whole frame; its key is at `at`."""
        key = int.from_bytes(data[at : at + 2], "big")
        if self.state == "running" and has_to_wait(
            key, is_blocked=self.broker.alarms.blocked is not None, others_wait=len(self._held) > 0
        ):
            self.ration.left -= 1
            self._held.add(data[at:end])
            return
        if key == Key.PUBLISH and self.state == "running":
            self.ration.left -= 1
            version = int.from_bytes(data[at + 2 : at + KEY_BYTES], "big")
            try:
                publish(self, data, at + KEY_BYTES, end, version)
            except Unanswered as unanswered:
                frame = data[at + KEY_BYTES : end]
                again = partial(publish, self, frame, 0, len(frame), version)
                self.asking_rights.when_answered(unanswered, again)
        else:
            self.command(decode(data[at:end]))

    def _release_held(self) -> None:
        """Handle what was held back, in order, unless an alarm holds it on."""
        if len(self._held) and self.broker.alarms.blocked is None:
            self._held.release(self._handle_held)

    def _handle_held(self, frames: list[bytes]) -> int:
        """Handle frames that were held back, as far as the ration goes; how many were done with."""
        count = 0
        self.ration.begin()
        try:
            for frame in frames:
                if self.ration.left <= 0 and not self.closed:
                    self.ration.wait()
                if not self.takes_frames:
                    break
                count += 1
                self.frame(frame, 0, len(frame))
        except Exception as error:
            self._break(error)
        return count

    def _alarms_changed(self) -> None:
        if not (self.closed or self._unread.suspended):
            self._release_held()

    # Commands

    def command(self, command: Command) -> None:
        """Do what the client asks for; what is wrong is answered."""
        self.ration.left -= 1
        if isinstance(command, Heartbeat):
            return
        if isinstance(command, Close):
            self._peer_closes(command)
            return
        handler = (HANDLERS if self.state == "running" else FIRST).get(type(command))
        if handler is not None:
            self.attempt(command, partial(handler, self, command))
        elif key_of(command) & RESPONSE and self.state == "running":
            self._answered(command)
        else:
            name = name_of(key_of(command))
            raise FrameError(Code.UNKNOWN_FRAME, f"{name} is no command of a client whose connection is {self.state}")

    def attempt(self, command: Command, do: Callable[[], None]) -> None:
        """Do something for a command, and again from its beginning when rights are known that have to be asked for."""
        try:
            self._attempt(command, do)
        except Unanswered as unanswered:
            self.asking_rights.when_answered(unanswered, partial(self._attempt, command, do))

    def _attempt(self, command: Command, do: Callable[[], None]) -> None:
        try:
            do()
        except Refused as refused:
            self.refuse(command, refused)
        except BrokerError as error:
            self.broker.limit_hits.count_error(error)
            self.refuse(command, refusal_of(error))

    def refuse(self, command: Command, refused: Refused) -> None:
        """Say that a command isn't done, and why in the log."""
        name = name_of(key_of(command))
        _log.info("connection %s: %s refused: %s: %s", self.name, name, refused.code.name, refused.text)
        self.broker.troubles.note(self.broker.now_ms, self.name, f"{name}: {refused.code.name}: {refused.text}")
        correlation_id = getattr(command, "correlation_id", None)
        if correlation_id is not None:
            self.send(Answer(key_of(command), correlation_id, refused.code))

    def ok(self, command: Command) -> None:
        """Say that a command is done, and no more than that."""
        self.send(Answer(key_of(command), getattr(command, "correlation_id", 0), Code.OK))

    def send(self, command: Command) -> None:
        """Send a frame."""
        self.outbox.write(encode(command))

    def tell_gone(self, name: str) -> None:
        """A stream is gone, and the client's publishers and subscriptions with it: it is told once."""
        if self.state == "running" and name not in self._told_gone:
            if not self._told_gone:
                self.broker.after_batch.append(self._told_gone.clear)
            self._told_gone[name] = None
            self.send(MetadataUpdate(Code.NOT_AVAILABLE, name))

    def ask(self, make: Callable[[int], Command], answered: Callable[[Command], None]) -> None:
        """Ask the client something.  make: the question, with this correlation id.  answered: is given the answer."""
        self._last_correlation = (self._last_correlation + 1) & 0xFFFF_FFFF
        self.asked[self._last_correlation] = answered
        self.send(make(self._last_correlation))

    def _answered(self, command: Command) -> None:
        correlation_id = getattr(command, "correlation_id", 0)
        answered = self.asked.pop(correlation_id, None)
        if answered is None:
            name = name_of(key_of(command))
            _log.warning("connection %s: %s to nothing that was asked (%d)", self.name, name, correlation_id)
            return
        self.attempt(command, partial(answered, command))

    # Errors

    def _break(self, error: Exception, data: bytes = b"") -> None:
        """What nothing can follow, bytes that are no frame or a bug of ours: say so and close."""
        if self.closed:
            return
        if not isinstance(error, FrameError):
            _log.error("connection %s: internal error; closing it", self.name, exc_info=error)
            error = FrameError(Code.INTERNAL_ERROR, "internal error; the broker's log has the details")
        self.broker.limit_hits.count_error(error)
        advice = self.settings.hint(data) if self.state == "securing" and not self.agreed.properties else ""
        self.close(error.code, error.text, advice)

    def close(self, code: Code, reason: str, advice: str = "") -> None:
        """Tell the client why, where it has got so far, and close."""
        log = _log.info if code is Code.OK else _log.warning
        log("connection %s: closing it: %s: %s%s", self.name, code.name, reason, advice)
        self.broker.troubles.note(
            self.broker.now_ms, self.name, f"the connection was closed: {code.name}: {reason}{advice}"
        )
        if self.state == "running":
            self._last_correlation = (self._last_correlation + 1) & 0xFFFF_FFFF
            self.send(Close(self._last_correlation, code, reason))
        self.finish()

    def login_refused(self, error: LoginRefused, command: SaslAuthenticate, code: Code, user: str = "") -> None:
        """Refuse the login, late."""
        _log.warning("connection %s: %s login refused: %s", self.name, self.agreed.mechanism, error.reason)
        self._refuse_late(user, SaslAuthenticateAnswer(command.correlation_id, code))

    def vhost_refused(self, error: BrokerError, command: Open) -> None:
        """Refuse the virtual host, late."""
        _log.warning("connection %s: the virtual host is refused: %s", self.name, error.text)
        self.broker.limit_hits.count_error(error)
        user = self.user.name if self.user else ""
        self._refuse_late(user, OpenAnswer(command.correlation_id, Code.VHOST_REFUSED))

    def _refuse_late(self, user: str, answer: Command) -> None:
        self._end()
        self.state = "closed"

        def say() -> None:
            self.send(answer)
            self.transport.close()

        refuse(self.broker, self, Source(ATTEMPTS_LABEL, self.transport.peer_host, user), say)

    # Phases

    def opened(self, client: Client) -> None:
        """The client has entered a virtual host."""
        self.client = client
        client.ration = self.ration
        client.when_expired(self._credentials_expired)
        self.state = "running"
        self._deadline.cancel()
        self.broker.alarms.listen(self._alarms_changed)
        interval_ms = self.agreed.heartbeat_s * 1000
        if interval_ms:
            self._beats = Beats(self.broker, self.outbox, interval_ms, encode(Heartbeat()))
            self._silence = Silence(self.broker, self.transport, self.read_gate, interval_ms, self._peer_is_silent)

    def _credentials_expired(self) -> None:
        self.force_close("the credentials of the connection have expired")

    def _peer_is_silent(self) -> None:
        self.broker.limit_hits.count("missed heart-beats")
        _log.warning("connection %s: missed heartbeats from client, timeout: %d s", self.name, self.agreed.heartbeat_s)
        self.broker.troubles.note(self.broker.now_ms, self.name, "nothing came for too long: missed heart-beats")
        self._end()
        self.state = "closed"
        self.transport.reset()

    def _handshake_expired(self, now_ms: int) -> None:
        self.broker.limit_hits.count("handshake_timeout_s")
        seconds = self.settings.handshake_timeout_ms // 1000
        _log.warning("connection %s: no Open within %d s of connecting; closing it", self.name, seconds)
        self._end()
        self.state = "closed"
        self.transport.abort()

    def _peer_closes(self, command: Close) -> None:
        if command.code != Code.OK:
            self.broker.troubles.note(
                self.broker.now_ms,
                self.name,
                f"the client closed the connection: {command.code}: {command.reason}",
                by_peer=True,
            )
        self._end()
        self.settling.then(partial(self._say_goodbye, command))

    def _say_goodbye(self, command: Close) -> None:
        if not self.closed:
            self.ok(command)
            self.finish()

    def finish(self) -> None:
        """Nothing more is to be said or heard."""
        self._end()
        self.state = "closed"
        self.transport.close()

    def _end(self) -> None:
        """End publishers, subscriptions and what else the connection has."""
        self._deadline.cancel()
        self._unread.stop()
        self.asking_rights.stop()
        self.asked.clear()
        if self._beats is not None:
            self._beats.stop()
        if self._silence is not None:
            self._silence.stop()
        self.broker.alarms.unlisten(self._alarms_changed)
        self._held.clear()
        self.publishers.end()
        self.confirming.end()
        self.subscriptions.end(self.settling.begin)
        client, self.client = self.client, None
        if client is not None:
            end_client(client, self.settling.begin)

    # Listings

    def connection_row(self) -> StreamConnectionRow:
        """Its row in list_connections."""
        return StreamConnectionRow(self)

    def channel_rows(self) -> list[StreamChannelRow]:
        """Its row in list_channels: a connection is one channel."""
        return [StreamChannelRow(self)] if self.client is not None else []

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
        from warren.adapters.stream.frame_words import StreamFrameWords

        return StreamFrameWords()

    def ack_holders(self) -> Iterable[Deliveries]:
        """Nothing is acknowledged here."""
        return ()
