"""Clients of MQTT, with what real ones keep on their own disks: which packets are under way, in either direction.

A publisher sends QoS 0, 1 and 2, and after a lost connection again what wasn't settled.  A subscriber has a session
that outlives its connections, and settles in its own time.
"""

from __future__ import annotations

import random
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Final

from tests.simulation.whole.ledger import Broken, Message
from tests.simulation.whole.peer import FROM_MQTT, TOPIC, Peer, Unexpected, World
from warren.adapters.mqtt.codec import versions
from warren.adapters.mqtt.codec.decode import decode
from warren.adapters.mqtt.codec.encode import encode
from warren.adapters.mqtt.codec.packets import (
    ConnAck,
    Connect,
    Disconnect,
    Packet,
    PubAck,
    PubComp,
    Publish,
    PubRec,
    PubRel,
    SubAck,
    Subscribe,
    Subscription,
)

if TYPE_CHECKING:
    from warren.adapters.mqtt.codec.properties import Properties

UNDER_WAY_MAX: Final = 8
"""Of a publisher."""

RECEIVE_MAXIMUM: Final = 4
"""Of a subscriber of MQTT 5."""

EXPIRY_S: Final = 1_000_000

REFUSED: Final = 0x80
"""From this reason code on."""


class MqttPeer(Peer):
    """What publisher and subscriber have in common: a login that finds its session again."""

    def __init__(self, world: World, name: str, level: int) -> None:
        super().__init__(world, name)
        self.level = level
        self.is_open = False
        self._had_session = False
        self._undecoded = b""

    def hello(self) -> None:
        self.is_open = False
        self._undecoded = b""
        properties: Properties = {}
        if self.level == versions.V5:
            properties = {"session_expiry_interval": EXPIRY_S, "receive_maximum": RECEIVE_MAXIMUM}
        self.say(Connect(self.name, self.level, False, 0, properties=properties))

    def say(self, packet: Packet) -> None:
        """Write a packet."""
        self.write(encode(packet, self.level))

    def parse(self, data: bytes) -> None:
        data = self._undecoded + data
        position = 0
        while (decoded := decode(data, position, len(data), self.level)) is not None:
            packet, position = decoded
            if isinstance(packet, ConnAck):
                self._welcomed(packet)
            elif isinstance(packet, Disconnect):
                if packet.reason_code not in (0x8B, 0x89):
                    raise Unexpected(f"{self.name} got {packet}")
                self.closing = True
            else:
                self.take(packet)
        self._undecoded = data[position:]

    def _welcomed(self, packet: ConnAck) -> None:
        self.world.trace(f"{self.name} is welcome: {packet.reason_code} {packet.session_present}")
        if packet.reason_code:
            if packet.reason_code not in (0x88, 0x89, 3):
                raise Unexpected(f"{self.name} got {packet}")
            self.closing = True
            return
        if self._had_session and not packet.session_present:
            raise Broken(f"{self.name} has lost its session")
        self._had_session = True
        self.is_open = True
        self.welcome(session_present=packet.session_present)

    def welcome(self, *, session_present: bool) -> None:
        """The login is over."""
        raise NotImplementedError

    def take(self, packet: Packet) -> None:
        """A packet came."""
        raise NotImplementedError

    def over(self) -> None:
        self.is_open = False

    def refused(self) -> None:
        """MQTT 3.1.1 has no words for why a connection ends."""
        if self.level == versions.V5:
            super().refused()

    def drain(self) -> None:
        self.connect()


class MqttPublisher(MqttPeer):
    """See the head of this file."""

    def __init__(self, world: World, name: str, level: int = versions.V5) -> None:
        super().__init__(world, name, level)
        self._under_way: dict[int, Message] = {}
        self._released: dict[int, Message] = {}
        self._next_id = 0

    def work(self, chance: random.Random) -> None:
        if not self.is_open:
            return
        for _ in range(chance.choice([1, 1, 3])):
            if len(self._under_way) + len(self._released) >= UNDER_WAY_MAX:
                return
            qos = chance.choice([0, 1, 2, 2])
            message = self.ledger.new(self.name, (FROM_MQTT,), self.body_size(chance), durable=qos > 0, qos=qos)
            if not qos:
                self.write(encode(Publish(TOPIC, message.body), self.level), partial(self.was_read, message))
                continue
            self._next_id = self._next_id % 0xFFFF + 1
            self._under_way[self._next_id] = message
            self._publish(self._next_id, message, duplicate=False)

    def _publish(self, number: int, message: Message, *, duplicate: bool) -> None:
        packet = Publish(TOPIC, message.body, message.qos, number, False, duplicate)
        self.write(encode(packet, self.level), partial(self.was_read, message))

    def welcome(self, *, session_present: bool) -> None:
        for number, message in self._under_way.items():
            self._publish(number, message, duplicate=True)
        for number in self._released:
            self.say(PubRel(number))

    def take(self, packet: Packet) -> None:
        if isinstance(packet, PubAck | PubRec):
            self._answered(packet)
        elif isinstance(packet, PubComp):
            if self._released.pop(packet.packet_id, None) is None:
                raise Unexpected(f"{self.name} got {packet}")
        else:
            raise Unexpected(f"{self.name} got {packet}")

    def _answered(self, packet: PubAck | PubRec) -> None:
        if packet.reason_code >= REFUSED:
            raise Unexpected(f"{self.name} got {packet}")
        number = packet.packet_id
        message = self._under_way.pop(number, None)
        if message is None:
            if number not in self._released:
                raise Unexpected(f"{self.name} got {packet}")
        else:
            if message.qos != (1 if isinstance(packet, PubAck) else 2):
                raise Broken(f"{self.name} got {packet} for a message of QoS {message.qos}")
            if not message.sent:
                raise Broken(f"{self.name} got {packet} before its message was there")
            self.ledger.confirmed(message)
            self.world.trace(f"{self.name} confirmed {message.number}")
        if isinstance(packet, PubRec):
            if message is not None:
                self._released[number] = message
            self.say(PubRel(number))

    def finish(self) -> None:
        if self._under_way or self._released:
            raise Broken(f"{self.name} has no answer for {[*self._under_way, *self._released]}")


class MqttSubscriber(MqttPeer):
    """See the head of this file.  taken: how often each message came to the application."""

    def __init__(self, world: World, name: str, level: int = versions.V5) -> None:
        super().__init__(world, name, level)
        self.taken: Counter[int] = Counter()
        self._before: set[int] | None = None
        self._received: dict[int, int] = {}
        self._unanswered: list[Packet] = []
        self._out: set[int] = set()
        self._last: dict[str, int] = {}
        self._is_draining = False

    def work(self, chance: random.Random) -> None:
        if self.is_open and self._unanswered:
            count = chance.randint(1, len(self._unanswered))
            self._answer(count)

    def _answer(self, count: int) -> None:
        for packet in self._unanswered[:count]:
            self.say(packet)
            if isinstance(packet, PubAck | PubComp):
                self._out.discard(packet.packet_id)
        del self._unanswered[:count]

    def welcome(self, *, session_present: bool) -> None:
        # What isn't answered comes again.
        self._unanswered.clear()
        self._out.clear()
        if self._before is None:
            self.say(Subscribe(1, (Subscription(TOPIC, 2),), {}))

    def take(self, packet: Packet) -> None:
        if isinstance(packet, SubAck):
            if self._before is None:
                self._before = {number for number, each in self.ledger.messages.items() if each.sent}
        elif isinstance(packet, Publish):
            self._arrived(packet)
        elif isinstance(packet, PubRel):
            self._received.pop(packet.packet_id, None)
            self._unanswered.append(PubComp(packet.packet_id))
            self._out.add(packet.packet_id)
        else:
            raise Unexpected(f"{self.name} got {packet}")
        if self._is_draining:
            self._answer(len(self._unanswered))

    def _arrived(self, packet: Publish) -> None:
        number = self.ledger.number_of(packet.payload)
        message = self.ledger.messages[number]
        self.world.trace(f"{self.name} got {number} with {packet.qos} as {packet.packet_id} {packet.duplicate}")
        if not message.sent:
            raise Broken(f"{number} came to {self.name}, though nobody has published it yet")
        if packet.qos != message.qos:
            raise Broken(f"{number} came to {self.name} with QoS {packet.qos}, and was published with {message.qos}")
        if not packet.qos:
            self._first(message)
            return
        self._out.add(packet.packet_id)
        if self.level == versions.V5 and len(self._out) > RECEIVE_MAXIMUM:
            raise Broken(f"{self.name} has {len(self._out)} under way, and takes {RECEIVE_MAXIMUM}")
        if packet.qos == 1:
            self._first(message)
            self._unanswered.append(PubAck(packet.packet_id))
            return
        known = self._received.get(packet.packet_id)
        if known is None:
            self._received[packet.packet_id] = number
            self._first(message)
        elif known != number:
            raise Broken(f"{number} came to {self.name} as {packet.packet_id}, which {known} still is")
        self._unanswered.append(PubRec(packet.packet_id))

    def _first(self, message: Message) -> None:
        self.taken[message.number] += 1
        if self.taken[message.number] > 1:
            if message.qos == 2 and not self.ledger.forgets:
                raise Broken(f"{message.number}, of QoS 2, came to {self.name} twice")
            return
        if message.qos and not message.is_again:
            if self._last.get(f"{message.publisher} {message.qos}", 0) > message.number:
                raise Broken(f"{message.number} came to {self.name} behind a later one")
            self._last[f"{message.publisher} {message.qos}"] = message.number

    def drain(self) -> None:
        self._is_draining = True
        super().drain()

    def finish(self) -> None:
        if self._before is None:
            return
        for number, message in self.ledger.messages.items():
            copy = message.copies.get(FROM_MQTT)
            if copy is None or not copy.confirmed or not message.qos or number in self._before:
                continue
            if not self.taken[number] and number not in self.ledger.may_be_damaged:
                raise Broken(f"{number} was confirmed with QoS {message.qos}, and never came to {self.name}")
