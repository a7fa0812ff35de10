"""One MQTT connection on the broker's side: bytes in, broker calls, bytes out.

Theory of operation
-------------------
What dies with the socket is here; the session (adapters.mqtt.sessions) outlives it.  A connection has two phases, with
an owner of state for each; this file is what the gateway calls, how the one becomes the other, and how both end.

    connecting      login        CONNECT, and the AUTHs that may follow it
    running         running      inflow, outflow, subscriptions and what else there is then
    closed          neither      nothing more is taken; a login that is refused late is still `connecting`

Bytes become packets in reading.py, which hands them to functions over those owners:

    publishing      PUBLISH from the client                     (Inflow)
    acknowledging   PUBACK, PUBREC, PUBREL, PUBCOMP             (Outflow, Inflow)
    subscribing     SUBSCRIBE, UNSUBSCRIBE                      (Subscriptions)
    logging_in      CONNECT: who, and where; authentication     (Login)

Longer than 400 lines because it is what begins and ends both phases and all of their owners, and nothing else.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Final, cast

from warren.adapters.mqtt.agreed import agree, client_id_of, connack_properties
from warren.adapters.mqtt.answers import Answers
from warren.adapters.mqtt.codec import reason_codes, versions
from warren.adapters.mqtt.codec.decode import missing_bytes
from warren.adapters.mqtt.codec.errors import PacketError
from warren.adapters.mqtt.codec.packets import Auth, ConnAck, Disconnect
from warren.adapters.mqtt.errors import LATE, Refusal
from warren.adapters.mqtt.listing import MqttChannelRow, MqttConnectionRow
from warren.adapters.mqtt.logging_in import ATTEMPTS_LABEL, Entrance
from warren.adapters.mqtt.login import Login
from warren.adapters.mqtt.reading import parse
from warren.adapters.mqtt.running import Running
from warren.adapters.mqtt.sessions.holder import Counted
from warren.adapters.mqtt.sessions.place import world_of
from warren.adapters.session.admission import Source, let_in, refuse
from warren.adapters.session.ignored import log_ignored
from warren.adapters.session.liveness import KeepAlive
from warren.adapters.session.long_work import LongWork
from warren.adapters.session.pieces import Pieces
from warren.adapters.session.ration import Ration
from warren.adapters.session.read_gate import PACE, ReadGate
from warren.adapters.session.unread import UnreadReplies
from warren.core.access.answers import Unanswered
from warren.core.clients.outbox import Outbox
from warren.core.clients.rate_limits import TOLD_AS
from warren.core.clients.transport import connection_name
from warren.core.limit_hits import limited

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from warren.adapters.mqtt.agreed import Agreed
    from warren.adapters.mqtt.codec.packets import Connect
    from warren.adapters.mqtt.codec.properties import Properties
    from warren.adapters.mqtt.login import Admitted
    from warren.adapters.mqtt.settings import MqttSettings
    from warren.adapters.session.tap import FrameWords, Tap
    from warren.core.broker import Broker
    from warren.core.clients.client import Client
    from warren.core.clients.transport import Carrier, Transport
    from warren.core.queues.ack_timeout import AckHolder

_log = logging.getLogger("warren.mqtt")


CALM_GOODBYES: Final = (reason_codes.NORMAL_DISCONNECTION, reason_codes.DISCONNECT_WITH_WILL)
"""Reason codes of a client that leaves although nothing is wrong."""


class MqttConnection:
    """A session in the sense of core.clients.transport.Session; made by the listener for each accepted socket.

    answers: what the client is told, in the terms of what was agreed on.  login, running: see the head of this file.
    closed: nothing is taken any more.
    """

    __slots__ = (
        "_done",
        "_gate",
        "_received_at_ms",
        "_tail",
        "_unread",
        "_work",
        "answers",
        "broker",
        "closed",
        "connected_at_ms",
        "login",
        "outbox",
        "ration",
        "running",
        "settings",
        "tap",
        "transport",
    )

    def __init__(self, broker: Broker, transport: Transport, settings: MqttSettings) -> None:
        self.broker = broker
        self.transport = transport
        self.settings = settings
        self.outbox = Outbox(broker.touched, transport)
        world = world_of(broker)
        self.answers = Answers(world, self.outbox, settings.refusals_per_minute_max)
        self.login: Login | None = Login(Entrance(broker, transport, settings), world, self._login_expired)
        self.running: Running | None = None
        self.closed = False
        self.connected_at_ms = broker.now_ms
        self._received_at_ms = broker.now_ms
        self._gate = ReadGate(transport)
        self.ration = Ration(broker, self._gate, self)
        self._unread: UnreadReplies | None = None
        self._tail: Pieces | None = None
        self._work: LongWork | None = None
        self._done = 0
        self.tap: Tap | None = None
        broker.sessions[self] = None
        world.sockets_made += 1

    @property
    def name(self) -> str:
        """As listings show it."""
        return connection_name(self.transport)

    @property
    def read_gate(self) -> ReadGate:
        """Why the peer isn't read for now."""
        return self._gate

    @property
    def state(self) -> str:
        """The phase, as listings show it."""
        if self.running is not None:
            return "running"
        return "connecting" if self.login is not None else "closed"

    @property
    def client(self) -> Client | None:
        """Who is logged in; None before and afterwards."""
        return self.running.client if self.running is not None else None

    @property
    def work(self) -> LongWork:
        """Work that is too long for one turn; made when there is some."""
        if self._work is None:
            self._work = LongWork(self.broker, self._gate, go_on=self._go_on_reading, failed=self._failed)
        return self._work

    def did(self, count: int, most: int) -> None:
        """So many things were done that are cheap by themselves; after `most` of them, go on in the next turn."""
        self._done += count
        if self._done >= most:
            done, self._done = self._done, 0
            self.work.did(done, most)

    @property
    def is_working(self) -> bool:
        """True while there is long work, during which no packets are taken."""
        return self._work is not None and self._work.busy

    @property
    def is_unread(self) -> bool:
        """True while the peer doesn't read its replies, during which no packets are taken either."""
        return self._unread is not None and self._unread.suspended

    # Session interface

    def receive(self, data: bytes) -> None:
        """Take bytes from the peer; answers are in the outbox afterwards."""
        self._received_at_ms = self.broker.now_ms
        if self.closed:
            return
        if self.ration.waits or self.is_unread or self.is_working:
            self.untaken.add(data)
            return
        tail = self._tail
        if tail is not None and tail:
            joined = tail.join(data)
            if joined is None:
                return
            data = joined
        ignored = 0
        try:
            position = parse(self, data)
            if position < len(data):
                ignored = len(data) - position
                waits = self.is_unread or self.is_working or self.ration.left <= 0
                self.untaken.keep(data[position:], 0 if waits else missing_bytes(data, position))
        except Exception as error:
            self._failed(error, data)
        if self.closed:
            self.untaken.clear()
            log_ignored(self.name, ignored, "bytes", "its end")
            return
        tail = self._tail
        if tail is not None and self.ration.left <= 0 and tail:
            self.ration.wait()
        if self.outbox.overfull:
            if self._unread is None:
                self._unread = UnreadReplies(self.broker, self.outbox, self._gate, self.settings.unread_timeout_ms)
            self._unread.look()

    def _failed(self, error: Exception, data: bytes = b"") -> None:
        """What was read, or what a slice of long work has done, ends the connection."""
        if isinstance(error, PacketError):
            if self.answers.agreed.level == versions.UNKNOWN and (advice := self.settings.hint(data)):
                _log.warning("connection %s: this is no MQTT%s", self.name, advice)
            if self.answers.agreed.level == versions.UNKNOWN and (told := self.settings.answer_to_typing(data)):
                self.outbox.write(told)
            self._refuse_packet(error)
        elif isinstance(error, Refusal):
            self._refuse(error.reason_code, error.text)
        else:
            _log.error("connection %s: internal error; closing it", self.name, exc_info=error)
            self._refuse(reason_codes.UNSPECIFIED_ERROR, "internal error; the broker's log has the details")

    def _go_on_reading(self) -> None:
        """Long work is done: go on with what has come meanwhile."""
        if not self.closed:
            self.receive(b"")

    def go_on(self) -> None:
        """It is this connection's turn again: go on with packets that waited for that."""
        if not (self.is_unread or self.is_working or self.closed):
            self.receive(b"")

    def drained(self) -> None:
        """The peer has read what it was sent: go on with packets that waited for that."""
        unread = self._unread
        if unread is None or not unread.suspended or self.closed:
            return
        unread.read()
        self.receive(b"")

    def connection_lost(self, reason: str) -> None:
        """The socket is gone; the session waits for its client, or ends."""
        if not self.closed:
            _log.info("connection %s (client '%s') lost: %s", self.name, self.answers.client_id, reason)
        self.broker.refused_logins.forget(self)
        self._end(publish_will=True)
        self.broker.sessions.pop(self, None)
        world = self.answers.world
        world.bytes_received += self.transport.received_bytes
        world.bytes_sent += self.transport.sent_bytes

    def shut_down(self, reason: str) -> None:
        """Tell the client that the broker stops, and close."""
        self.disconnect(reason_codes.SERVER_SHUTTING_DOWN, reason)

    def force_close(self, reason: str) -> None:
        """An operator's wish."""
        code = reason_codes.SERVER_SHUTTING_DOWN if "shutdown" in reason else reason_codes.ADMINISTRATIVE_ACTION
        self.disconnect(code, reason)

    # From connecting to running

    def connect(self, packet: Connect) -> None:
        """CONNECT: log in, or begin to; Refusal says why not."""
        if self.login is not None:
            agreed = agree(packet, self.settings)
            client_id = client_id_of(packet)
            self.answers.agree(agreed, client_id)
            self.when_answered(lambda: self._log_in(packet, agreed, client_id))

    def authenticate(self, packet: Auth) -> None:
        """AUTH before the login is through."""
        self.when_answered(lambda: self._authenticate(packet))

    def _log_in(self, packet: Connect, agreed: Agreed, client_id: str) -> None:
        if self.login is not None:
            self._go_on(self.login.connect(packet, agreed, client_id))

    def _authenticate(self, packet: Auth) -> None:
        if self.login is not None:
            self._go_on(self.login.authenticate(packet))

    def when_answered(self, do: Callable[[], None]) -> None:
        """Do what a packet asks for, now, or when authentication back-ends have answered; nothing else until then."""
        try:
            do()
        except Unanswered as unanswered:
            self.work.when_answered(unanswered, do)

    def _go_on(self, step: Admitted | Auth) -> None:
        if isinstance(step, Auth):
            self.answers.send(step)
        else:
            self._enter(step)

    def _enter(self, admitted: Admitted) -> None:
        """The client is who it says: give it its session and CONNACK."""
        connect, agreed, world = admitted.connect, self.answers.agreed, self.answers.world
        client_id = self.answers.client_id
        told = connack_properties(agreed, client_id, connect, self.settings)
        properties: Properties = {**admitted.properties, **told}
        rates = self.broker.rate_limits.told(admitted.client) if agreed.level == versions.V5 else ""
        if rates:
            properties["user_properties"] = [(TOLD_AS, rates)]
        if self.answers.encoded(ConnAck(0, False, properties)) is None:
            admitted.client.close()
            raise Refusal(
                reason_codes.PACKET_TOO_LARGE,
                f"CONNACK doesn't fit into {agreed.packet_bytes_max} bytes, the client's Maximum Packet Size; raise it",
            )
        sessions = world.of(admitted.client.vhost)
        session, is_present = sessions.attach(
            self,
            client_id,
            user=admitted.client.user,
            clean_start=connect.clean_start,
            expiry_s=agreed.session_expiry_s,
        )
        if world.claims is not None:
            is_present |= world.claims.adopt(sessions, session, admitted.client)
        admitted.client.ration = self.ration
        running = Running(admitted, session, self.answers, self.settings, self._gate, self)
        self.running = running
        if admitted.client.user.rights is not None:
            admitted.client.when_expired(self._credentials_expired)
        self._end_login()
        let_in(self.broker, self.transport, ATTEMPTS_LABEL, admitted.client.user.name)
        self.answers.send(ConnAck(0, is_present, properties))
        running.begin(self._keep_alive(agreed.keep_alive_ms))

    def _keep_alive(self, interval_ms: int) -> KeepAlive | None:
        if not interval_ms:
            return None
        return KeepAlive(
            self.broker,
            interval_ms,
            last_heard_ms=self._last_heard_ms,
            is_excused=self._keeps_waiting,
            on_silence=self._fell_silent,
        )

    def _end_login(self) -> None:
        if self.login is not None:
            self.login.end()
            self.login = None

    # Running

    def take_leave(self, packet: Disconnect) -> None:
        """The client says goodbye; its will is published only if it says so (MQTT-3.1.2-8, -10)."""
        if packet.reason_code not in CALM_GOODBYES:
            told = f"the client disconnected with 0x{packet.reason_code:02x}"
            self.broker.troubles.note(self.broker.now_ms, self.name, told, by_peer=True)
        if self.running is not None:
            self.running.take_leave(packet, self.settings)
        self._end(publish_will=packet.reason_code != reason_codes.NORMAL_DISCONNECTION)
        self._close()

    def taken_over(self) -> None:
        """Another connection of the same client came (MQTT-3.1.4-3)."""
        self.disconnect(reason_codes.SESSION_TAKEN_OVER, "another connection uses this client identifier")

    def rights_withdrawn(self, what: str) -> None:
        """What the client has isn't its user's right any more; when it comes back, it is without."""
        _log.warning("connection %s (client '%s'): %s", self.name, self.answers.client_id, what)
        self.disconnect(reason_codes.NOT_AUTHORIZED, what)

    def disconnect(self, reason_code: int, text: str) -> None:
        """End the connection from our side: DISCONNECT where there is one, then close."""
        if self.closed:
            self.broker.refused_logins.answer_now(self)
            return
        self.broker.troubles.note(self.broker.now_ms, self.name, f"disconnected (0x{reason_code:02x}): {text}")
        self._say_goodbye(reason_code, text)
        self._close()

    def _say_goodbye(self, reason_code: int, text: str) -> None:
        if self.running is not None and self.answers.agreed.level == versions.V5:
            self.answers.disconnect(reason_code, text)
        self._end(publish_will=True)

    def _credentials_expired(self) -> None:
        self.disconnect(reason_codes.MAXIMUM_CONNECT_TIME, "the credentials of the connection have expired")

    def alarms_changed(self) -> None:
        """Publishing is blocked now, or isn't any more: go on then with what was held back, in order."""
        if self.running is not None and not self.closed:
            held = self.running.take_held()
            if held:
                self.untaken.put_before(held)
                self.receive(b"")

    def _last_heard_ms(self) -> int:
        return self._received_at_ms

    def _keeps_waiting(self) -> bool:
        """True while the broker itself takes nothing from the client, so that its silence says nothing."""
        paced = self._gate.is_closed_for(PACE)
        return paced or self.is_unread or self.is_working or self.ration.waits or self.held_back

    def _fell_silent(self) -> None:
        self.broker.limit_hits.count("missed heart-beats")
        self.broker.troubles.note(self.broker.now_ms, self.name, "nothing came for too long: keep-alive timeout")
        _log.info("connection %s (client '%s'): keep-alive timeout", self.name, self.answers.client_id)
        self._say_goodbye(reason_codes.KEEP_ALIVE_TIMEOUT, "nothing came for one and a half keep-alive intervals")
        self.transport.reset()

    # Ends

    def _login_expired(self, now_ms: int) -> None:
        self.broker.limit_hits.count("mqtt_login_timeout_s")
        _log.info("connection %s: no login within %d ms", self.name, self.settings.login_timeout_ms)
        self._close()

    def _refuse(self, reason_code: int, text: str) -> None:
        """What the client asks for isn't given, or is wrong: say so in CONNACK or DISCONNECT, and close."""
        _log.warning("connection %s (client '%s'): %s", self.name, self.answers.client_id, text)
        self.broker.troubles.note(self.broker.now_ms, self.name, f"refused (0x{reason_code:02x}): {text}")
        if self.login is None:
            self.disconnect(reason_code, text)
        elif reason_code in LATE:
            self.closed = True
            self.login.end()
            source = Source(ATTEMPTS_LABEL, self.transport.peer_host, self.login.claimed)
            refuse(self.broker, self, source, lambda: self._answer_refusal(reason_code, text))
        else:
            self._answer_refusal(reason_code, text)

    def _answer_refusal(self, reason_code: int, text: str) -> None:
        """CONNACK that says no, and close."""
        if self.answers.agreed.level != versions.UNKNOWN:
            self.answers.refuse(reason_code, text)
        self._close()

    def _refuse_packet(self, error: PacketError) -> None:
        """As `_refuse`; but MQTT 3 answers a CONNECT that is malformed by closing alone (MQTT-3.1.4-1 there)."""
        if self.login is not None and error.limit:
            limited(error, "bytes before login")
        self.broker.limit_hits.count_error(error)
        if self.login is not None:
            agreed = self.answers.agreed
            level = agreed.level or error.level
            self.answers.agree(replace(agreed, level=level), self.answers.client_id)
            silent = level != versions.V5 and error.reason_code != reason_codes.UNSUPPORTED_PROTOCOL_VERSION
            if silent or level == versions.UNKNOWN:
                _log.warning("connection %s: %s", self.name, error)
                self._close()
                return
        self._refuse(error.reason_code, str(error))

    def _end(self, *, publish_will: bool) -> None:
        """Everything that dies with the socket; a second call does nothing."""
        self.closed = True
        if self._unread is not None:
            self._unread.stop()
        if self._work is not None:
            self._work.stop()
        self._end_login()
        running, self.running = self.running, None
        if running is not None:
            self.broker.alarms.unlisten(self.alarms_changed)
            running.end(self, publish_will=publish_will)

    def _close(self) -> None:
        """Close the socket when everything is sent; nothing more is taken."""
        self.closed = True
        self._end_login()
        self.transport.close()

    # Listings and watches

    @property
    def held_back(self) -> bool:
        """True while an alarm holds this connection's publishes."""
        return self.running is not None and self.running.is_held_back

    def connection_row(self) -> MqttConnectionRow:
        """Its row in list_connections."""
        return MqttConnectionRow(self)

    def channel_rows(self) -> list[MqttChannelRow]:
        """Its row in list_channels: a connection is one channel."""
        return [MqttChannelRow(self, self.running)] if self.running is not None else []

    def traffic(self) -> Counted:
        """What it has counted so far, see adapters.mqtt.sessions.holder.Holder."""
        sent_count = self.running.sent_count if self.running is not None else 0
        return Counted(sent_count, self.transport.received_bytes, self.transport.sent_bytes)

    @property
    def carrier(self) -> Carrier:
        """What its bytes come by, for a tap."""
        return cast("Carrier", self.transport)

    @property
    def untaken(self) -> Pieces:
        """What has come and isn't handled yet."""
        if self._tail is None:
            self._tail = Pieces()
        return self._tail

    def frame_words(self) -> FrameWords:
        """How a tap reads its frames."""
        from warren.adapters.mqtt.frame_words import MqttFrameWords

        return MqttFrameWords(self.answers.agreed.level)

    def ack_holders(self) -> Iterable[AckHolder]:
        """What the watch of the acknowledgement timeout looks at, while there is something to acknowledge."""
        holder = self.running.ack_holder if self.running is not None else None
        return (holder,) if holder is not None else ()
