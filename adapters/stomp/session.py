"""One STOMP session on the broker's side: bytes in, broker calls, bytes out.

Theory of operation
-------------------
`receive` gives what was read to the loop over its frames (frame_loop.py), which does by itself what comes most often,
and hands every other frame to `frame`, which has it done (commands.py) and tells errors.  What a session has is owned
one by one, and this file says when which of them begins and ends:

    parser, known        bytes to frames; what the loop remembers
    subscriptions, transactions, deliveries    what the client has asked for, and was given
    receipts, replies    what it is told, and private queues for answers
    held                 frames that wait for an alarm to clear
    read_gate, unread    why the peer isn't read for now (adapters.session)
    asking_rights        a frame that depends on what an authentication back-end has to be asked (core.access.answers)
    settling             what is settled in slices, as it is too much for a turn (adapters.session)
    beats, silence       whether the peer is there (adapters.session.liveness)

Phases: connecting (CONNECT is awaited; HELP may come) -> running -> closing (DISCONNECT waits for the disk; what comes
now is ignored) -> closed.  After a fatal ERROR everything that follows is ignored (STOMP 1.2, "ERROR").

While an alarm blocks publishing, frames from a SEND on are held back in order, except ACK and NACK (held_frames.py).

Longer than 400 lines because it is what begins and ends all of these owners, and nothing else.
"""

from __future__ import annotations

import logging
import uuid
from functools import partial
from typing import TYPE_CHECKING, Final, cast

from warren.adapters.session.admission import Source, refuse
from warren.adapters.session.deliveries import Deliveries
from warren.adapters.session.ignored import log_ignored
from warren.adapters.session.liveness import Beats, Silence
from warren.adapters.session.long_work import LongWork
from warren.adapters.session.pieces import Pieces
from warren.adapters.session.ration import TOPOLOGY_WORK, Ration
from warren.adapters.session.read_gate import ReadGate
from warren.adapters.session.settling import Settling
from warren.adapters.session.unread import UnreadReplies
from warren.adapters.stomp.codec.errors import FramingError, LoginError, StompError, of_broker
from warren.adapters.stomp.codec.escaping import V1_0
from warren.adapters.stomp.codec.frames import (
    END,
    END_WITH_LINE_FEED,
    HEARTBEAT,
    NO_COLON,
    SEND,
    SMALL_LETTERS,
    Frame,
    encode_frame,
)
from warren.adapters.stomp.codec.parser import FrameParser
from warren.adapters.stomp.codec.typed_words import INTERPRET_AS_COMMAND
from warren.adapters.stomp.commands import handle
from warren.adapters.stomp.connecting import ATTEMPTS_LABEL
from warren.adapters.stomp.error_frames import error_frame
from warren.adapters.stomp.frame_loop import parse
from warren.adapters.stomp.friendly import GOODBYE, help_text, hint, no_colon, on_the_terminal, small_letters
from warren.adapters.stomp.heart_beats import missed_heart_beats
from warren.adapters.stomp.held_frames import has_to_wait, held_frames
from warren.adapters.stomp.known_sends import KnownSends
from warren.adapters.stomp.listing import StompChannelRow, StompConnectionRow
from warren.adapters.stomp.open_transactions import OpenTransactions
from warren.adapters.stomp.receipts import Receipts
from warren.adapters.stomp.replies import Replies
from warren.adapters.stomp.subscriptions import Subscriptions
from warren.core.access.answers import Unanswered
from warren.core.clients.outbox import Outbox
from warren.core.clients.transport import connection_name
from warren.core.declaring.queues import end_client
from warren.core.errors import BrokerError, InternalError
from warren.core.limit_hits import limited

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from warren.adapters.session.tap import FrameWords, Tap
    from warren.adapters.stomp.settings import StompSettings
    from warren.adapters.stomp.subscription import Subscription
    from warren.core.broker import Broker
    from warren.core.clients.client import Client
    from warren.core.clients.transport import Carrier, Transport
    from warren.core.queues.consumer import Consumer

_log = logging.getLogger("warren.stomp")

TYPING_TIMEOUT_MS: Final = 120_000
"""What a person has to log in, who first reads what to type."""


SUBSCRIPTIONS: Final = ("SUBSCRIBE", "UNSUBSCRIBE")
"""Frames that make a queue and a binding, or end one."""


class StompSession:
    """A session in the sense of core.clients.transport.Session; made by the listener for each accepted socket.

    version: what is spoken, 1.0 until CONNECT says otherwise.  id: the session's name in message ids.
    """

    def __init__(self, broker: Broker, transport: Transport, settings: StompSettings) -> None:
        self.broker = broker
        self.transport = transport
        self.settings = settings
        self.outbox = Outbox(broker.touched, transport)
        self.id = f"session-{uuid.uuid4()}"
        self.name = connection_name(transport)
        self.channel_name = f"{self.name} (1)"
        self.version = V1_0
        self.state = "connecting"
        self.client: Client | None = None
        self.mechanism = ""
        self.heartbeat_ms = 0
        self.connected_at_ms = broker.now_ms
        self.subscriptions = Subscriptions()
        self.transactions = OpenTransactions()
        self.receipts = Receipts(self)
        self.replies = Replies(self)
        self.parser = FrameParser(friendly_expected=settings.friendly)
        self.known = KnownSends()
        self.end_of_frame = END_WITH_LINE_FEED if settings.trailing_line_feed else END
        self._closed = False
        self._unparsed = Pieces()
        self._ignored_bytes = 0
        self.read_gate = ReadGate(transport)
        self.ration = Ration(broker, self.read_gate, self)
        self.settling = Settling(broker, self.read_gate, self.go_on)
        self.asking_rights = LongWork(broker, self.read_gate, go_on=self.go_on, failed=self._break)
        self.deliveries = Deliveries(self._delivery_timed_out, self.settling)
        self._unread = UnreadReplies(broker, self.outbox, self.read_gate, settings.unread_timeout_ms)
        self._beats: Beats | None = None
        self._silence: Silence | None = None
        self._held = held_frames(self.read_gate)
        self._login_timeout_ms = max(settings.login_timeout_ms, TYPING_TIMEOUT_MS if settings.friendly else 0)
        self._login = broker.deadlines.schedule(broker.now_ms + self._login_timeout_ms, self._login_expired)
        self.tap: Tap | None = None
        broker.sessions[self] = None

    @property
    def logged_in(self) -> Client:
        """The client; InternalError before CONNECT."""
        if self.client is None:
            raise InternalError("the session is not logged in")
        return self.client

    @property
    def held_back(self) -> bool:
        """True while an alarm holds this session's publishes."""
        return len(self._held) > 0

    @property
    def takes_frames(self) -> bool:
        """False when the session ends or has ended, must wait for its turn, or the peer has too much to read."""
        waits = self._unread.suspended or self.settling.busy or self.asking_rights.busy
        return not (self._closed or waits or self.state == "closing") and self.ration.left > 0

    # Session interface

    def receive(self, data: bytes) -> None:
        """Take bytes from the peer; answers are in the outbox afterwards."""
        if self._closed or self.state == "closing":
            self._ignore(data)
            return
        if self._unread.suspended or self.ration.waits or self.settling.busy or self.asking_rights.busy:
            self._unparsed.add(data)
            return
        self.ration.begin()
        if self.client is None and data and data[0] == INTERPRET_AS_COMMAND and self._is_new_to_telnet():
            self._be_friendly()
        try:
            position = parse(self, data)
            if self._closed or self.state == "closing":
                self._ignore(data[position:])
            elif not self.takes_frames:
                self._unparsed.keep(data[position:])
        except Exception as error:
            if self.client is None and (advice := self.settings.hint(data)):
                _log.warning("connection %s: this is no STOMP%s", self.name, advice)
            self._break(error)
        if self.ration.left <= 0 and self._unparsed and not self._closed:
            self.ration.wait()

    def drained(self) -> None:
        """The peer has read what it was sent: go on with frames that waited for that."""
        if self._unread.suspended and not self._closed:
            self._unread.read()
            self._take_up()

    def go_on(self) -> None:
        """It is this session's turn again: go on with frames that waited for that."""
        if not self._unread.suspended and not self._closed:
            self._take_up()

    def _take_up(self) -> None:
        """Go on with what waits, in order."""
        self._release_held()
        if not (self._unread.suspended or self.ration.waits or self.settling.busy or self.asking_rights.busy):
            self.receive(self._unparsed.join(b"") or b"")

    def connection_lost(self, reason: str) -> None:
        """Everything that dies with the socket: subscriptions, transactions, private queues."""
        if self.state != "closed":
            _log.warning(
                "connection %s (%s) lost: %s", self.name, self.client.user.name if self.client else "-", reason
            )
        self.broker.refused_logins.forget(self)
        self._end()
        self.receipts.clear()
        self._closed = True
        log_ignored(self.name, self._ignored_bytes, "bytes", "its end")
        self.broker.sessions.pop(self, None)

    def shut_down(self, reason: str) -> None:
        """Tell the client why, and close."""
        if self.broker.refused_logins.answer_now(self):
            return
        if not self._closed:
            self._refuse(StompError("connection_forced", reason, fatal=True), None)

    def force_close(self, reason: str) -> None:
        """An operator's wish."""
        self.shut_down(reason)

    # Frames

    def frame(self, frame: Frame) -> None:
        """Handle one frame; what is wrong with it is told in an ERROR frame."""
        self.ration.left -= 1 + TOPOLOGY_WORK if frame.command in SUBSCRIPTIONS else 1
        try:
            if has_to_wait(frame, is_blocked=self.broker.alarms.blocked is not None, others_wait=len(self._held) > 0):
                self._held.add(frame)
            else:
                handle(self, frame)
        except StompError as error:
            self._refuse(error, frame)
        except BrokerError as refusal:
            self._refuse(of_broker(refusal), frame)
        except Unanswered as unanswered:
            self.ask_rights(unanswered, partial(handle, self, frame), frame)
        if not self._closed:
            self._unread.look()

    def confirm(self, receipt: str, *, stored: bool) -> None:
        """A message that was published by heart has a receipt.  stored: it is safe with the next flush only."""
        self.ration.left -= 1
        self.logged_in.counts.own.confirmed(1)
        if stored:
            self.receipts.after_flush(receipt)
        else:
            self.receipts.send(receipt)
        self._unread.look()

    def ask_rights(self, unanswered: Unanswered, again: Callable[[], None], frame: Frame) -> None:
        """Do what a frame asks for again when it is answered; nothing else until then."""
        self.asking_rights.when_answered(unanswered, partial(self._answered, again, frame))

    def _answered(self, again: Callable[[], None], frame: Frame) -> None:
        try:
            again()
        except StompError as error:
            self._refuse(error, frame)
        except BrokerError as refusal:
            self._refuse(of_broker(refusal), frame)

    def _release_held(self) -> None:
        """Handle what was held back, in order; from a SEND on that an alarm blocks, it waits on."""
        if len(self._held):
            self._held.release(self._handle_held)

    def _handle_held(self, frames: list[Frame]) -> int:
        """Handle frames that were held back, as far as no alarm does and the peer reads; how many were done with."""
        count = 0
        self.known.comes_late()
        self.ration.begin()
        try:
            for frame in frames:
                if self.ration.left <= 0 and not self._closed:
                    self.ration.wait()
                if not self.takes_frames or (frame.command == SEND and self.broker.alarms.blocked is not None):
                    break
                count += 1
                self.frame(frame)
        except Exception as error:
            self._break(error)
        return count

    def _ignore(self, data: bytes) -> None:
        """What comes behind DISCONNECT or a fatal ERROR; heart-beats alone don't matter."""
        if data.strip(b"\r\n"):
            self._ignored_bytes += len(data)

    # Sending

    def send(
        self, command: str, headers: Iterable[tuple[str, str]], body: bytes = b"", version: str | None = None
    ) -> None:
        """Send a frame that is no delivery."""
        self.outbox.write(encode_frame(command, headers, body, version or self.version, self.end_of_frame))

    def _refuse(self, error: StompError, frame: Frame | None) -> None:
        """Send an ERROR frame; a fatal one is the last frame of the connection (spec B.9)."""
        self.broker.limit_hits.count_error(error)
        log = _log.warning if error.fatal else _log.info
        log("connection %s: %s: %s", self.name, error.message, error.detail)
        if isinstance(error, LoginError):
            self._end()
            self.state = "closed"
            self._closed = True
            source = Source(ATTEMPTS_LABEL, self.transport.peer_host, error.user)
            refuse(self.broker, self, source, lambda: self._send_error(error, frame))
        else:
            self._send_error(error, frame)

    def refuse(self, error: StompError, frame: Frame) -> None:
        """Tell an error of a frame that took several turns."""
        self._refuse(error, frame)

    def tell(self, error: StompError, receipt: str) -> None:
        """Tell an error of a frame that was handled before.  receipt: what the frame asked for."""
        self._refuse(error, Frame("", {"receipt": receipt}, b""))

    def _send_error(self, error: StompError, frame: Frame | None) -> None:
        self.broker.troubles.note(self.broker.now_ms, self.name, f"{error.message}: {error.detail}")
        advice = (
            hint(frame.command, self.client is not None, self.version)
            if self.parser.friendly and frame is not None
            else ""
        )
        self.send("ERROR", *error_frame(error, frame, advice, bare=self.settings.bare_errors))
        if error.fatal:
            self._end()
            self.finish()

    def explain(self, frame: Frame) -> None:
        """A person is typing, and wants to know what, or should."""
        if frame.command == NO_COLON:
            self.outbox.write(on_the_terminal(no_colon(frame.headers["line"])))
            return
        if frame.command == SMALL_LETTERS:
            self.outbox.write(on_the_terminal(small_letters(frame.headers["line"])))
        self._be_friendly()

    def _be_friendly(self) -> None:
        self.parser.be_friendly()
        self.known.forget()
        if self.client is None:
            self._login.cancel()
            self._login_timeout_ms = max(TYPING_TIMEOUT_MS, self.settings.login_timeout_ms)
            self._login = self.broker.deadlines.schedule(
                self.broker.now_ms + self._login_timeout_ms, self._login_expired
            )
        self.outbox.write(on_the_terminal(help_text(self.version)))

    def _is_new_to_telnet(self) -> bool:
        """Whether a person could be beginning to type, with a telnet that introduces itself."""
        return self.parser.idle and not self.parser.friendly

    # Phases

    def connected(self, client: Client, mechanism: str, version: str, receive_ms: int, send_ms: int) -> None:
        """The login is through: the session runs.

        receive_ms, send_ms: how often the peer, and the broker, promised to be heard, in milliseconds; 0 for never.
        """
        self.client = client
        client.ration = self.ration
        client.when_expired(self._credentials_expired)
        client.counts.own.outstanding = self.deliveries.unacknowledged
        self.deliveries.counts = client.counts.own
        self.known.entered(client)
        self.mechanism = mechanism
        self.version = version
        self.parser.logged_in(version, self.settings.frame_bytes_max, self.settings.message_bytes_max)
        self.state = "running"
        self._login.cancel()
        self.broker.alarms.listen(self._alarms_changed)
        self.heartbeat_ms = receive_ms
        if send_ms:
            self._beats = Beats(self.broker, self.outbox, send_ms, HEARTBEAT)
        if receive_ms:
            self._silence = Silence(self.broker, self.transport, self.read_gate, receive_ms, self._peer_is_silent)

    def _credentials_expired(self) -> None:
        self.force_close("the credentials of the connection have expired")

    def _peer_is_silent(self) -> None:
        self.broker.limit_hits.count("missed heart-beats")
        self.broker.troubles.note(self.broker.now_ms, self.name, "nothing came for too long: missed heart-beats")
        _log.warning("connection %s: missed heart-beats from client, timeout: %d ms", self.name, self.heartbeat_ms)
        self.send("ERROR", *error_frame(missed_heart_beats(self.heartbeat_ms), None, bare=self.settings.bare_errors))
        self._end()
        self.state = "closed"
        self.transport.reset()

    def subscription_cancelled(self, subscription: Subscription, reason: str) -> None:
        """The broker ended a subscription, as its queue is gone, or the right to read it (spec B.4)."""
        self.subscriptions.remove(subscription.tag)
        if self._closed or self.client is None:
            return
        headers = {"subscription": subscription.id} if subscription.id is not None else {}
        self._refuse(
            StompError(
                "Server cancelled subscription",
                reason,
                headers=headers,
            ),
            None,
        )

    def _delivery_timed_out(self, consumer: Consumer, timeout_ms: int) -> None:
        """A delivery was kept too long: the connection is closed, its messages return (spec B.9)."""
        self._refuse(
            StompError(
                "precondition_failed",
                f"PRECONDITION_FAILED - delivery acknowledgement of subscription '{consumer.tag}' timed out. Timeout "
                f"value used: {timeout_ms} ms. Send ACK or NACK sooner, or subscribe with another x-consumer-timeout",
                fatal=True,
            ),
            None,
        )

    def quit(self, frame: Frame) -> None:
        """QUIT: a person leaves, logged in or not."""
        self.outbox.write(GOODBYE)
        if self.client is None:
            self._end()
            self.finish()
        else:
            self.disconnect(frame)

    def disconnect(self, frame: Frame) -> None:
        """DISCONNECT: what came before it is done; its receipt says that it is safe, too."""
        self._end()
        self.state = "closing"
        self.settling.then(partial(self._leave, frame.receipt))

    def _leave(self, receipt: str | None) -> None:
        if not self._closed:
            self.receipts.close(receipt)

    def finish(self) -> None:
        """Nothing more is to be said or heard."""
        self.state = "closed"
        self._closed = True
        self.transport.close()

    def _break(self, error: Exception) -> None:
        """What nothing can follow, bytes that are no frame or a bug of ours: say so and close."""
        if not isinstance(error, StompError):
            _log.error("connection %s: internal error; closing it", self.name, exc_info=error)
            error = StompError("internal_error", "the broker's log has the details", fatal=True)
        elif isinstance(error, FramingError) and error.receipt is None:
            error.receipt = self.parser.receipt
        if not self._closed:
            self._refuse(error, None)

    def _end(self) -> None:
        """End subscriptions, transactions and private queues; what was not acknowledged returns to its queues."""
        self._login.cancel()
        self._unread.stop()
        self.asking_rights.stop()
        if self._beats is not None:
            self._beats.stop()
        if self._silence is not None:
            self._silence.stop()
        self.broker.alarms.unlisten(self._alarms_changed)
        self._held.clear()
        self.transactions.clear()
        client, self.client = self.client, None
        self.subscriptions.end(self.settling.begin)
        self.deliveries.give_back()
        if client is not None:
            end_client(client, self.settling.begin)

    def _login_expired(self, now_ms: int) -> None:
        if self.client is None and not self._closed:
            seconds = max(self._login_timeout_ms // 1000, 1)
            error = StompError(
                "Bad CONNECT",
                f"no CONNECT came within {seconds} s; connect again",
                "who types it by hand types HELP first, and has two minutes",
                fatal=True,
            )
            self._refuse(limited(error, "stomp_login_timeout_s"), None)

    def _alarms_changed(self) -> None:
        if not self._unread.suspended:
            self._release_held()

    # Listings

    def connection_row(self) -> StompConnectionRow:
        """Its row in list_connections."""
        return StompConnectionRow(self)

    def channel_rows(self) -> list[StompChannelRow]:
        """Its row in list_channels: a session is one channel."""
        return [StompChannelRow(self)] if self.client is not None else []

    @property
    def carrier(self) -> Carrier:
        """What its bytes come by, for a tap."""
        return cast("Carrier", self.transport)

    @property
    def untaken(self) -> Pieces:
        """What has come and isn't handled yet."""
        return self._unparsed

    def frame_words(self) -> FrameWords:
        """How a tap reads its frames."""
        from warren.adapters.stomp.frame_words import StompFrameWords

        return StompFrameWords()

    def ack_holders(self) -> Iterable[Deliveries]:
        """Its deliveries, for the acknowledgement timeout."""
        return [self.deliveries]
