"""MQTT, over TCP and over WebSocket, with sessions that outlive every connection.

A publisher sends again what isn't finished, under the same packet identifiers and in the same order.  A subscriber
remembers which identifiers of QoS 2 it has a message under.  What a subscriber asks is PINGREQ.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping
from typing import Any, Final

from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, BytesMessage, Ping, Request

from tests.crash.mixed.content import content_of, key_in
from tests.crash.mixed.history import MixedHistory
from tests.crash.mixed.peers import KEY, Consumer, PacketLink, Peer, Publisher, connected, unexpected
from tests.support.amqp_wire import Address
from tests.support.crash_amqp10 import SOMETHING
from tests.support.crash_link import BrokerSaysNoError, Event
from warren.adapters.mqtt.codec import versions
from warren.adapters.mqtt.codec.decode import decode
from warren.adapters.mqtt.codec.encode import encode
from warren.adapters.mqtt.codec.packets import (
    ConnAck,
    Connect,
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
)
from warren.adapters.mqtt.codec.properties import Properties

WINDOW: Final = 20

EXPIRY_S: Final = 80_000

REFUSED: Final = 0x80
"""From this reason code on."""


class MqttLink(PacketLink):
    """A connection over TCP."""

    def __init__(self, address: Address, name: str, level: int) -> None:
        super().__init__(connected(address), name)
        self._level = level

    def say(self, packet: Packet) -> None:
        """Have a packet sent."""
        self.send(encode(packet, self._level))

    def parse(self, data: bytes) -> int:
        position = 0
        while (decoded := decode(data, position, len(data), self._level)) is not None:
            packet, position = decoded
            self.packets.append(packet)
        return position


class WebSocketLink(MqttLink):
    """A connection over WebSocket: bytes of MQTT are in its messages, cut anywhere."""

    def __init__(self, address: Address, name: str, level: int) -> None:
        super().__init__(address, name, level)
        self._websocket = WSConnection(ConnectionType.CLIENT)
        self._undecoded = b""
        self._is_open = False
        self.send(self._websocket.send(Request(host="broker", target="/ws", subprotocols=["mqtt"])))
        self.wait(lambda event: None, lambda: self._is_open, "opening a WebSocket")

    def say(self, packet: Packet) -> None:
        self.send(self._websocket.send(BytesMessage(encode(packet, self._level))))

    def parse(self, data: bytes) -> int:
        self._websocket.receive_data(data)
        for event in self._websocket.events():
            if isinstance(event, AcceptConnection):
                self._is_open = True
            elif isinstance(event, BytesMessage):
                self._undecoded += bytes(event.data)
            elif isinstance(event, Ping):
                self.send(self._websocket.send(event.response()))
            else:
                raise BrokerSaysNoError(f"{self.name} got {event}")
        self._undecoded = self._undecoded[super().parse(self._undecoded) :]
        return len(data)


class Login:
    """What brings a client its session again.  had_session: it has had one."""

    def __init__(self, listener: str, level: int) -> None:
        self.had_session = False
        self._listener = listener
        self._level = level

    def log_in(self, peer: Peer, addresses: Mapping[str, Address]) -> MqttLink:
        """A new connection; its session must be there if it was before."""
        make = WebSocketLink if self._listener == "ws" else MqttLink
        link = make(addresses[self._listener], peer.name, self._level)
        properties: Properties = {"session_expiry_interval": EXPIRY_S} if self._level == versions.V5 else {}
        link.say(Connect(peer.name, self._level, clean_start=False, properties=properties))
        answer = link.next("logging in")
        if not isinstance(answer, ConnAck) or answer.reason_code:
            raise unexpected(peer, answer)
        if self.had_session and not answer.session_present:
            peer.history.problem(f"{peer.name} has lost its session")
        self.had_session = True
        return link


class MqttPublisher(Publisher):
    """unfinished: packet identifier -> (key, whether PUBREC came), in the order of sending.

    doubled: the places to which a message may come twice that it sends again.
    """

    link: MqttLink

    def __init__(
        self,
        name: str,
        history: MixedHistory,
        chance: random.Random,
        places: Collection[str],
        *,
        doubled: Collection[str],
        qos: int,
        listener: str,
        level: int,
    ) -> None:
        super().__init__(name, history, chance, places)
        self._doubled = doubled
        self._qos = qos
        self._login = Login(listener, level)
        self._unfinished: dict[int, tuple[str, bool]] = {}

    @property
    def is_idle(self) -> bool:
        return not self._unfinished

    def connect(self, addresses: Mapping[str, Address]) -> None:
        self.link = self._login.log_in(self, addresses)
        for packet_id, (key, is_released) in self._unfinished.items():
            if is_released:
                self.link.say(PubRel(packet_id))
            else:
                self.history.again(key, self._doubled)
                self._say(packet_id, key, duplicate=True)

    def pump(self) -> None:
        self.handle(SOMETHING)
        while len(self._unfinished) < WINDOW and self.may_publish:
            packet_id = next(each for each in range(1, WINDOW + 1) if each not in self._unfinished)
            key = self.next_key()
            self._unfinished[packet_id] = key, False
            self._say(packet_id, key, duplicate=False)

    def handle(self, event: Event) -> None:
        while self.link.packets:
            packet: Any = self.link.packets.popleft()
            if not isinstance(packet, PubAck | PubRec | PubComp) or packet.reason_code >= REFUSED:
                raise unexpected(self, packet)
            key, is_released = self._unfinished[packet.packet_id]
            if isinstance(packet, PubRec):
                # A dict keeps the place of what is replaced.
                self._unfinished[packet.packet_id] = key, True
                self.link.say(PubRel(packet.packet_id))
            else:
                del self._unfinished[packet.packet_id]
            if not is_released:
                self.history.confirm(key)

    def _say(self, packet_id: int, key: str, *, duplicate: bool) -> None:
        topic = f"{KEY}/{self.name}"
        self.link.say(Publish(topic, content_of(key), self._qos, packet_id, duplicate=duplicate))


class MqttSubscriber(Consumer):
    """received: by packet identifier, the keys of messages of QoS 2 that aren't released."""

    link: MqttLink

    def __init__(
        self, name: str, history: MixedHistory, chance: random.Random, *, qos: int, listener: str, level: int
    ) -> None:
        super().__init__(name, history, chance)
        self._qos = qos
        self._login = Login(listener, level)
        self._is_subscribed = False
        self._received: dict[int, str] = {}

    @property
    def is_idle(self) -> bool:
        return super().is_idle and not self._received

    def connect(self, addresses: Mapping[str, Address]) -> None:
        self.begin_anew()
        self.link = self._login.log_in(self, addresses)
        if not self._is_subscribed:
            self.link.say(Subscribe(1, (Subscription(f"{KEY}/#", self._qos),)))
            answer = self.link.next("subscribing")
            if not isinstance(answer, SubAck) or answer.reason_codes != (self._qos,):
                raise unexpected(self, answer)
            self._is_subscribed = True

    def pump(self) -> None:
        # Some may have come while it logged in.
        self.handle(SOMETHING)
        super().pump()

    def handle(self, event: Event) -> None:
        while self.link.packets:
            packet: Any = self.link.packets.popleft()
            if isinstance(packet, Publish):
                self._published(packet)
            elif isinstance(packet, PubRel):
                self._received.pop(packet.packet_id, None)
                self.link.say(PubComp(packet.packet_id))
            elif isinstance(packet, PingResp):
                self.answered()
            else:
                raise unexpected(self, packet)

    def _published(self, packet: Publish) -> None:
        packet_id = packet.packet_id
        if packet.qos == 1:
            self.came(PubAck(packet_id), packet.payload, redelivered=packet.duplicate)
        elif packet.qos != 2:
            raise unexpected(self, packet)
        elif packet_id not in self._received:
            self._received[packet_id] = key_in(packet.payload)[0]
            self.came(PubRec(packet_id), packet.payload, redelivered=packet.duplicate, once=True)
        elif self._received[packet_id] == key_in(packet.payload)[0]:
            # It is the same again, and the application doesn't get it.
            self._held.append((PubRec(packet_id), self._received[packet_id]))
        else:
            self.history.problem(
                f"{self.place}: {key_in(packet.payload)[0]} came under the packet identifier {packet_id}, which "
                f"{self._received[packet_id]} still has"
            )

    def acknowledge(self, token: Packet) -> None:
        self.link.say(token)

    def send_question(self) -> None:
        self.link.say(PingReq())
