"""One MQTT connection on the broker's side: bytes in, broker calls, bytes out.

Theory of operation
-------------------
What dies with the socket is here; the session (adapters.mqtt.sessions) outlives it.  This file holds a connection's
state and what the gateway calls; each of the rest is a file of functions on it:

    reading         from bytes to handled packets
    connecting      CONNECT and CONNACK; logging_in, authentication (AUTH)
    publishing      PUBLISH from the client; known_topics, what it may skip the second time
    acknowledging   PUBACK, PUBREC, PUBREL, PUBCOMP from the client
    subscribing     SUBSCRIBE, UNSUBSCRIBE; consuming, the consumers that follow from them
    outflow         messages to the client: `window`, `resending`, `starved`
    holding_back    while an alarm blocks publishing: `held`
    ending          DISCONNECT and what is left behind

Phases: connecting (only CONNECT is allowed, and AUTH after it) -> running -> closed.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from warren.adapters.first_bytes import hint
from warren.adapters.mqtt import holding_back
from warren.adapters.mqtt.ack_holder import MqttAckHolder
from warren.adapters.mqtt.codec import reason_codes, versions
from warren.adapters.mqtt.codec.encode import encode_within
from warren.adapters.mqtt.codec.errors import PacketError
from warren.adapters.mqtt.codec.packets import (
    Auth,
    ConnAck,
    Disconnect,
    PubAck,
    PubComp,
    PubRec,
    PubRel,
    SubAck,
    UnsubAck,
)
from warren.adapters.mqtt.ending import end
from warren.adapters.mqtt.errors import LATE, Refusal
from warren.adapters.mqtt.listing import MqttChannelRow, MqttConnectionRow
from warren.adapters.mqtt.reading import parse
from warren.adapters.mqtt.sessions.holder import Counted
from warren.adapters.mqtt.sessions.place import world_of
from warren.adapters.session.admission import refuse
from warren.adapters.session.after_flush import AfterFlush
from warren.adapters.session.read_gate import ReadGate
from warren.adapters.session.unread import UnreadReplies
from warren.core.clients.outbox import Outbox
from warren.core.clients.transport import connection_name
from warren.core.errors import InternalError

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Iterable

    from warren.adapters.mqtt.authentication import Exchange
    from warren.adapters.mqtt.consumer import MqttConsumer
    from warren.adapters.mqtt.sessions.outgoing import Outgoing
    from warren.adapters.mqtt.sessions.registry import MqttSessions
    from warren.adapters.mqtt.sessions.session import MqttSession
    from warren.adapters.mqtt.sessions.wills import WillMessage
    from warren.adapters.mqtt.settings import MqttSettings
    from warren.adapters.session.held import Held
    from warren.core.broker import Broker
    from warren.core.clients.client import Client
    from warren.core.clients.transport import Transport
    from warren.core.deadlines import Deadline
    from warren.core.queues.ack_timeout import AckHolder
    from warren.core.routing.known_routes import KnownRoute, KnownRoutes

_log = logging.getLogger("warren.mqtt")


class MqttConnection:
    """A session in the sense of core.clients.transport.Session; made by the listener for each accepted socket.

    level: what is spoken, UNKNOWN until CONNECT.  window: messages of QoS 1 and 2 that the client takes now.
    packet_bytes_max: the largest packet that the client takes.  alias_max: topic aliases that it takes; aliases_given:
    that it was given; aliases: that it gave.  unread: while the peer doesn't read its replies, no packets are taken.
    tail: bytes that are no whole packet yet, or wait.  keep_alive: looks whether the client is there, and before the
    login whether it logs in.
    """

    __slots__ = (
        "_ack_holder",
        "after_flush",
        "alias_max",
        "aliases",
        "aliases_given",
        "broker",
        "client",
        "client_id",
        "closed",
        "connected_at_ms",
        "consumers",
        "exchange",
        "has_no_local",
        "held",
        "is_bridge",
        "keep_alive",
        "keep_alive_ms",
        "known",
        "level",
        "outbox",
        "packet_bytes_max",
        "problem_information",
        "read_gate",
        "received_at_ms",
        "resending",
        "sent_count",
        "session",
        "session_expiry_s",
        "sessions",
        "settings",
        "starved",
        "state",
        "tail",
        "transport",
        "unread",
        "will",
        "will_delay_s",
        "window",
        "window_max",
        "world",
    )

    session: MqttSession
    sessions: MqttSessions

    def __init__(self, broker: Broker, transport: Transport, settings: MqttSettings) -> None:
        self.broker = broker
        self.transport = transport
        self.settings = settings
        self.outbox = Outbox(broker.touched, transport)
        self.after_flush = AfterFlush(broker, self.outbox)
        self.level = versions.UNKNOWN
        self.state = "connecting"
        self.client: Client | None = None
        self.client_id = ""
        self.connected_at_ms = broker.now_ms
        self.received_at_ms = broker.now_ms
        self.keep_alive_ms = 0
        self.session_expiry_s = 0
        self.will: WillMessage | None = None
        self.will_delay_s = 0
        self.window = self.window_max = 0
        self.packet_bytes_max = versions.PACKET_BYTES_MAX
        self.problem_information = True
        self.alias_max = 0
        self.aliases: dict[int, str] | None = None
        self.has_no_local = False
        self.is_bridge = False
        self.sent_count = 0
        self.exchange: Exchange | None = None
        self.aliases_given = 0
        self._ack_holder: MqttAckHolder | None = None
        self.closed = False
        self.read_gate = ReadGate(transport)
        self.unread = UnreadReplies(broker, self.outbox, self.read_gate, settings.unread_timeout_ms)
        self.tail = b""
        self.held: Held[bytes] | None = None
        self.known: KnownRoutes[KnownRoute] | None = None
        self.consumers: dict[str, MqttConsumer] | None = None
        self.starved: list[MqttConsumer] | None = None
        self.resending: deque[Outgoing] | None = None
        self.keep_alive: Deadline | None = broker.deadlines.schedule(
            broker.now_ms + settings.login_timeout_ms, self._login_expired
        )
        broker.sessions[self] = None
        self.world = world_of(broker)
        self.world.sockets_made += 1

    @property
    def name(self) -> str:
        """As listings show it."""
        return connection_name(self.transport)

    @property
    def logged_in(self) -> Client:
        """The client; InternalError before CONNECT."""
        if self.client is None:
            raise InternalError("the connection is not logged in")
        return self.client

    # Session interface

    def receive(self, data: bytes) -> None:
        """Take bytes from the peer; answers are in the outbox afterwards."""
        self.received_at_ms = self.broker.now_ms
        if self.closed:
            return
        if self.tail:
            data = self.tail + data
            self.tail = b""
        if self.unread.suspended:
            self.tail = data
            return
        try:
            position = parse(self, data)
            if position < len(data):
                self.tail = data[position:]
        except PacketError as error:
            if self.level == versions.UNKNOWN and (advice := hint(data, "mqtt")):
                _log.warning("connection %s: this is no MQTT%s", self.name, advice)
            self._refuse_packet(error)
        except Refusal as error:
            self._refuse(error.reason_code, error.text)
        except Exception as error:
            _log.error("connection %s: internal error; closing it", self.name, exc_info=error)
            self._refuse(reason_codes.UNSPECIFIED_ERROR, "internal error; the broker's log has the details")
        if self.closed:
            self.tail = b""
        else:
            self.unread.look()

    def drained(self) -> None:
        """The peer has read what it was sent: go on with packets that waited for that."""
        if not self.unread.suspended or self.closed:
            return
        self.unread.read()
        self.receive(b"")

    def connection_lost(self, reason: str) -> None:
        """The socket is gone; the session waits for its client, or ends."""
        if not self.closed:
            _log.info("connection %s (client '%s') lost: %s", self.name, self.client_id, reason)
        self.broker.refused_logins.forget(self)
        end(self, publish_will=True)
        self.broker.sessions.pop(self, None)
        world = self.world
        world.publish_sent += self.sent_count
        world.bytes_received += self.transport.received_bytes
        world.bytes_sent += self.transport.sent_bytes
        self.sent_count = 0

    def shut_down(self, reason: str) -> None:
        """Tell the client that the broker stops, and close."""
        self.disconnect(reason_codes.SERVER_SHUTTING_DOWN, reason)

    def force_close(self, reason: str) -> None:
        """An operator's wish."""
        code = reason_codes.SERVER_SHUTTING_DOWN if "shutdown" in reason else reason_codes.ADMINISTRATIVE_ACTION
        self.disconnect(code, reason)

    # Sending

    def send(self, packet: ConnAck | PubRel | PubComp | SubAck | UnsubAck | Disconnect | Auth, text: str = "") -> None:
        """Send a packet that is no PUBLISH.  text: for its reason string, where the client wants one."""
        encoded = self.encoded(packet, text)
        if encoded is not None:
            self.outbox.write(encoded)
            self.world.answers_sent += 1

    def encoded(
        self,
        packet: ConnAck | PubAck | PubRec | PubRel | PubComp | SubAck | UnsubAck | Disconnect | Auth,
        text: str = "",
    ) -> bytes | None:
        """The packet's bytes, as far as the client takes them (MQTT-3.1.2-29)."""
        if (
            text
            and self.level == versions.V5
            and (self.problem_information or isinstance(packet, ConnAck | Disconnect))
        ):
            packet.properties["reason_string"] = text.encode("utf-8", "replace").decode()[:1000].replace("\0", "?")
        return encode_within(packet, self.level, self.packet_bytes_max)

    # Phases

    def running(self, client: Client) -> None:
        """The login is through."""
        self.client = client
        self.state = "running"
        if self.keep_alive is not None:
            self.keep_alive.cancel()
            self.keep_alive = None
        if self.keep_alive_ms:
            self.keep_alive = self.broker.deadlines.schedule(
                self.broker.now_ms + self.keep_alive_ms * 3 // 2, self._check_alive
            )
        self.broker.alarms.listen(self.alarms_changed)

    def alarms_changed(self) -> None:
        """Publishing is blocked now, or isn't any more."""
        holding_back.alarms_changed(self)

    def _check_alive(self, now_ms: int) -> None:
        """One and a half intervals without a byte end the connection (MQTT-3.1.2-22); our own pauses don't count."""
        due_ms = self.received_at_ms + self.keep_alive_ms * 3 // 2
        if self.unread.suspended or self.held is not None:
            due_ms = now_ms + self.keep_alive_ms
        if due_ms > now_ms:
            self.keep_alive = self.broker.deadlines.schedule(due_ms, self._check_alive)
            return
        _log.info("connection %s (client '%s'): keep-alive timeout", self.name, self.client_id)
        self.disconnect(reason_codes.KEEP_ALIVE_TIMEOUT, "nothing came for one and a half keep-alive intervals")

    def _login_expired(self, now_ms: int) -> None:
        if self.client is None and not self.closed:
            _log.info("connection %s: no login within %d ms", self.name, self.settings.login_timeout_ms)
            self.close()

    def taken_over(self) -> None:
        """Another connection of the same client came (MQTT-3.1.4-3)."""
        self.disconnect(reason_codes.SESSION_TAKEN_OVER, "another connection uses this client identifier")

    def disconnect(self, reason_code: int, text: str) -> None:
        """End the connection from our side: DISCONNECT where there is one, then close."""
        if self.closed:
            self.broker.refused_logins.answer_now(self)
            return
        if self.level == versions.V5 and self.state == "running":
            self.send(Disconnect(reason_code), text)
        end(self, publish_will=True)
        self.close()

    def _refuse(self, reason_code: int, text: str) -> None:
        """What the client asks for isn't given, or is wrong: say so in CONNACK or DISCONNECT, and close."""
        _log.warning("connection %s (client '%s'): %s", self.name, self.client_id, text)
        if self.state != "connecting":
            self.disconnect(reason_code, text)
        elif reason_code in LATE:
            self.closed = True
            if self.keep_alive is not None:
                self.keep_alive.cancel()
            refuse(self.broker, self, lambda: self._answer_refusal(reason_code, text))
        else:
            self._answer_refusal(reason_code, text)

    def _answer_refusal(self, reason_code: int, text: str) -> None:
        """CONNACK that says no, and close."""
        if self.level != versions.UNKNOWN:
            self.send(ConnAck(reason_code), text)
        self.close()

    def _refuse_packet(self, error: PacketError) -> None:
        """As `_refuse`; but MQTT 3 answers a CONNECT that is malformed by closing alone (MQTT-3.1.4-1 there)."""
        if self.state == "connecting":
            self.level = self.level or error.level
            silent = self.level != versions.V5 and error.reason_code != reason_codes.UNSUPPORTED_PROTOCOL_VERSION
            if silent or self.level == versions.UNKNOWN:
                _log.warning("connection %s: %s", self.name, error)
                self.close()
                return
        self._refuse(error.reason_code, str(error))

    def close(self) -> None:
        """Close the socket when everything is sent; nothing more is taken."""
        if self.keep_alive is not None:
            self.keep_alive.cancel()
            self.keep_alive = None
        self.closed = True
        self.state = "closed"
        self.transport.close()

    # Listings

    @property
    def held_back(self) -> bool:
        """True while an alarm holds this connection's publishes."""
        return self.held is not None

    @property
    def consumer_count(self) -> int:
        """Queues that it consumes from."""
        return len(self.consumers or ())

    def connection_row(self) -> MqttConnectionRow:
        """Its row in list_connections."""
        return MqttConnectionRow(self)

    def channel_rows(self) -> list[MqttChannelRow]:
        """Its row in list_channels: a connection is one channel."""
        return [MqttChannelRow(self)] if self.client is not None else []

    def traffic(self) -> Counted:
        """See adapters.mqtt.sessions.holder.Holder."""
        return Counted(self.sent_count, self.transport.received_bytes, self.transport.sent_bytes)

    def ack_holders(self) -> Iterable[AckHolder]:
        """What the watch of the acknowledgement timeout looks at, while there is something to acknowledge."""
        if self.client is None or not self.session.outgoing:
            self._ack_holder = None
            return ()
        if self._ack_holder is None:
            self._ack_holder = MqttAckHolder(self)
        return (self._ack_holder,)
