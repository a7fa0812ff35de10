"""A connection to an MQTT broker: bytes in, bytes out, and what has come for whoever drives it.

    connection = MqttClient(login, memory, now_ms)
    write the connection's `take()` to the peer, give what is read to `receive`, call `advance` at `next_at_ms`

until `opened`; then subscribe and publish.  After each of these calls the driver looks at `closed`, `arrived`,
`subscribed` and `sending.settled`.  Phases: CONNECT was sent -> opened -> closed.

A message of QoS 1 or 2 is answered when whoever took it out of `arrived` says so: PUBACK, or PUBREC, after which the
peer's PUBREL is answered at once.  So the peer keeps a message until it is safe elsewhere.
"""

from __future__ import annotations

from collections import deque
from dataclasses import field
from typing import Final

from warren.adapters.mqtt.client.memory import ClientMemory
from warren.adapters.mqtt.client.sending import IDENTIFIERS_MAX, Sending
from warren.adapters.mqtt.codec import reason_codes, versions
from warren.adapters.mqtt.codec.decode import decode, missing_bytes
from warren.adapters.mqtt.codec.encode import encode
from warren.adapters.mqtt.codec.errors import PacketError
from warren.adapters.mqtt.codec.packets import (
    ConnAck,
    Connect,
    Disconnect,
    Packet,
    PingReq,
    PingResp,
    PubAck,
    PubComp,
    Publish,
    PubRec,
    PubRel,
    SubAck,
    Subscribe,
    Subscription,
    UnsubAck,
    Unsubscribe,
    Will,
)
from warren.adapters.mqtt.codec.properties import Properties
from warren.adapters.peers.client_half import ClientHalf
from warren.adapters.peers.errors import PeerError
from warren.core.frozen import frozen

RECEIVE_MAXIMUM_MAX: Final = 65_535
WINDOW_UNTOLD: Final = 20
"""Unanswered messages for a broker of MQTT 3.1.1, which can't say how many it takes: what Mosquitto takes of QoS 2."""

SUBSCRIBE_ID: Final = IDENTIFIERS_MAX + 1
"""One SUBSCRIBE or UNSUBSCRIBE is under way at a time, under the identifier that no message has."""

_RETURN_CODES: Final = {
    1: "unacceptable protocol version",
    2: "identifier rejected",
    3: "server unavailable",
    4: "bad user name or password",
    5: "not authorized",
}
"""What MQTT 3.1.1's CONNACK can say (3.2.2.3)."""


@frozen
class MqttLogin:
    """How this client introduces itself.

    level: versions.V3_1_1 or V5.  session_expiry_s: how long the peer keeps the session after the connection (MQTT 5).
    receive_maximum: messages that may be unanswered here (MQTT 5).  will: what the peer publishes when the connection
    ends, also when it is closed here.  is_bridge: see codec.packets.Connect; for MQTT 3.1.1.
    """

    client_id: str
    level: int = versions.V5
    clean_start: bool = True
    session_expiry_s: int = 0
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    keep_alive_s: int = 10
    receive_maximum: int = RECEIVE_MAXIMUM_MAX
    will: Will | None = None
    is_bridge: bool = False


class MqttClient(ClientHalf):
    """session_present: the peer knew the session.

    arrived: messages, oldest first, for whoever subscribes to take out.  subscribed: the peer's answer to SUBSCRIBE.
    unsubscribed: it has answered UNSUBSCRIBE.
    maximum_qos, retain_available, packet_bytes_max: what the peer takes.
    """

    def __init__(self, login: MqttLogin, memory: ClientMemory, now_ms: int) -> None:
        super().__init__(now_ms)
        self.session_present = False
        self.arrived: deque[Publish] = deque()
        self.subscribed: SubAck | None = None
        self.unsubscribed = False
        self.sending = Sending(self._send, self._encoded)
        self.packet_bytes_max = versions.PACKET_BYTES_MAX
        self.retain_available = True
        self.maximum_qos = 2
        self._login = login
        self._level = login.level
        self._memory = memory
        self._keep_alive_ms = login.keep_alive_s * 1000
        self._pinged_ms: int | None = None
        self._send(self._connect())

    # What the driver calls

    def receive(self, data: bytes, now_ms: int) -> None:
        """See ClientHalf.receive."""
        self._pinged_ms = None
        super().receive(data, now_ms)

    def advance(self, now_ms: int) -> None:
        """Send PINGREQ if the keep alive wants it; give the peer up that doesn't answer within another (3.1.2.10)."""
        self.now_ms = now_ms
        if not self._keep_alive_ms or self.closed is not None:
            return
        if self._pinged_ms is not None and now_ms - self._pinged_ms >= self._keep_alive_ms:
            self.end(PeerError(f"the peer was silent for {(now_ms - self._heard_ms) / 1000:g} s: no PINGRESP"))
        elif self._pinged_ms is None and now_ms - min(self._sent_ms, self._heard_ms) >= self._keep_alive_ms // 2:
            self._pinged_ms = now_ms
            self._send(PingReq())

    def not_reading(self, now_ms: int) -> None:
        """See ClientHalf.not_reading."""
        super().not_reading(now_ms)
        self._pinged_ms = None

    def next_at_ms(self) -> int | None:
        """When `advance` has something to do; None without a keep alive."""
        if not self._keep_alive_ms or self.closed is not None:
            return None
        if self._pinged_ms is not None:
            return self._pinged_ms + self._keep_alive_ms
        return min(self._sent_ms, self._heard_ms) + self._keep_alive_ms // 2

    def close(self) -> None:
        """Take leave: DISCONNECT has no answer.

        With a will, so that it is published: MQTT 5 has a word for that (3.14.2.1); in 3.1.1 any DISCONNECT would take
        the will back (3.14.4), so there is none.
        """
        if self.closed is None:
            if self.opened and self._login.will is None:
                self._send(Disconnect())
            elif self.opened and self._level == versions.V5:
                self._send(Disconnect(reason_codes.DISCONNECT_WITH_WILL))
            self.end(PeerError("the connection was closed here"))

    # What links call

    def subscribe(self, *subscriptions: Subscription) -> None:
        """Subscribe; `subscribed` is the answer."""
        self.subscribed = None
        self._send(Subscribe(SUBSCRIBE_ID, subscriptions))

    def unsubscribe(self, *filters: str) -> None:
        """End subscriptions; `unsubscribed` is True when the peer has done so, and for those that it doesn't have."""
        self.unsubscribed = False
        self._send(Unsubscribe(SUBSCRIBE_ID, filters))

    def publish(self, packet: Publish) -> int:
        """Send a message; its number.

        Raises ValueError for one that no packet can hold, or that is larger than the peer takes; PeerError on a closed
        connection.
        """
        if self.closed is not None:
            raise self.closed
        return self.sending.publish(packet)

    def acknowledge(self, message: Publish) -> None:
        """A message that has come is safe; on a closed connection that is remembered for the next one."""
        self.remember(message)
        if self.closed is not None:
            return
        if message.qos == 1:
            self._send(PubAck(message.packet_id))
        elif message.qos == 2:
            self._send(PubRec(message.packet_id))

    def remember(self, message: Publish) -> None:
        """A message that has come is safe, without a word to the peer: of QoS 2, it isn't new when it comes again."""
        if message.qos == 2:
            self._memory.received.add(message.packet_id)

    # Below

    def _parse(self, data: bytes) -> int:
        position = 0
        try:
            while self.closed is None:
                found = decode(data, position, len(data), self._level)
                if found is None:
                    break
                self._packet(found[0])
                position = found[1]
        except PacketError as error:
            raise PeerError(f"the peer sent what can't be read: {error.text}") from error
        return position

    def _missing_bytes(self, rest: bytes) -> int:
        return missing_bytes(rest, 0)

    def _lost_unopened(self, reason: str) -> str:
        return f"the peer ended the connection instead of answering CONNECT ({reason})"

    def _connect(self) -> Connect:
        login = self._login
        properties: Properties = {}
        if login.level == versions.V5:
            if login.session_expiry_s:
                properties["session_expiry_interval"] = login.session_expiry_s
            if login.receive_maximum < RECEIVE_MAXIMUM_MAX:
                properties["receive_maximum"] = login.receive_maximum
        return Connect(
            login.client_id,
            login.level,
            login.clean_start,
            login.keep_alive_s,
            login.will,
            username=login.user,
            password=None if login.password is None else login.password.encode(),
            is_bridge=login.is_bridge,
            properties=properties,
        )

    def _send(self, packet: Packet) -> None:
        self.write(self._encoded(packet))

    def _encoded(self, packet: Packet) -> bytes:
        data = encode(packet, self._level)
        if len(data) > self.packet_bytes_max:
            raise ValueError(
                f"a packet of {len(data)} bytes is larger than the peer takes ({self.packet_bytes_max} bytes)"
            )
        return data

    def _packet(self, packet: Packet) -> None:
        if not self.opened:
            if not isinstance(packet, ConnAck):
                raise PeerError(f"the peer sent {_name(packet)} instead of CONNACK")
            self._connected(packet)
        elif isinstance(packet, Publish):
            self._message(packet)
        elif isinstance(packet, PubAck | PubRec | PubComp):
            self.sending.answer(packet)
        elif isinstance(packet, PubRel):
            self._memory.received.discard(packet.packet_id)
            self._send(PubComp(packet.packet_id))
        elif isinstance(packet, SubAck):
            self.subscribed = packet
        elif isinstance(packet, UnsubAck):
            self.unsubscribed = True
        elif isinstance(packet, Disconnect):
            self.end(PeerError(f"the peer ended the connection: {_words(packet)}", packet.reason_code))
        elif not isinstance(packet, PingResp):
            raise PeerError(f"the peer sent {_name(packet)}, which is a client's to send, or nobody had asked for")

    def _connected(self, packet: ConnAck) -> None:
        if packet.reason_code:
            self.end(PeerError(f"the peer refused the login: {self._refusal(packet)}", packet.reason_code))
            return
        self.opened = True
        self.session_present = packet.session_present
        if not packet.session_present:
            self._memory.received.clear()
        properties = packet.properties
        window = RECEIVE_MAXIMUM_MAX if self._level == versions.V5 else WINDOW_UNTOLD
        self.sending.window = min(properties.get("receive_maximum", window), IDENTIFIERS_MAX)
        self.retain_available = properties.get("retain_available", True)
        self.maximum_qos = properties.get("maximum_qos", 2)
        self.packet_bytes_max = properties.get("maximum_packet_size", versions.PACKET_BYTES_MAX)
        if "server_keep_alive" in properties:
            self._keep_alive_ms = properties["server_keep_alive"] * 1000

    def _refusal(self, packet: ConnAck) -> str:
        if self._level != versions.V5:
            found = f"{_RETURN_CODES.get(packet.reason_code, 'unknown')} (return code {packet.reason_code})"
            return f"{found}; does it know bridges?" if self._login.is_bridge and packet.reason_code == 1 else found
        return _words(packet)

    def _message(self, packet: Publish) -> None:
        if packet.qos == 2 and packet.packet_id in self._memory.received:
            # It is here already, and safe: the peer hadn't heard of that.
            self._send(PubRec(packet.packet_id))
        else:
            self.arrived.append(packet)


def _name(packet: Packet) -> str:
    return type(packet).__name__.upper()


def _words(packet: ConnAck | Disconnect) -> str:
    name = reason_codes.NAMES.get(packet.reason_code, "unknown")
    text = packet.properties.get("reason_string", "")
    return f"{name} ({packet.reason_code:#04x})" + (f", {text}" if text else "")
