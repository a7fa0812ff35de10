"""MQTT clients of a simulated broker: packets are sent as any bytes, cut anywhere, and what comes back is decoded."""

from __future__ import annotations

import random
from typing import Any, TypeVar, cast

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_transport import SimulatedTransport
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
    UnsubAck,
    Unsubscribe,
    Will,
)
from warren.adapters.mqtt.codec.properties import Properties
from warren.adapters.mqtt.connection import MqttConnection
from warren.adapters.mqtt.running import Running
from warren.adapters.mqtt.sessions.session import MqttSession
from warren.adapters.mqtt.settings import MqttSettings

ANSWERS_MAX = 100_000
"""So often `take` answers what came before it says that this never ends."""

Kind = TypeVar("Kind", bound=Packet)


class MqttClient:
    """One connection to a simulated broker.  answers_by_itself: messages of QoS 1 and 2 are acknowledged at once."""

    def __init__(
        self,
        simulated: SimulatedBroker,
        level: int = versions.V5,
        settings: MqttSettings | None = None,
        peer_host: str = "127.0.0.1",
    ) -> None:
        self.simulated = simulated
        self.level = level
        self.transport = SimulatedTransport(peer_host, 40_000)
        self.transport.unkept = simulated.broker.unkept
        self.connection = MqttConnection(simulated.broker, self.transport, settings or MqttSettings())
        self.transport.session = self.connection
        self.transport.outbox = self.connection.outbox
        self._unread = b""
        self._packet_id = 0
        self._session: MqttSession | None = None

    @property
    def running(self) -> Running:
        """What the broker has of the client while that is logged in."""
        running = self.connection.running
        assert running is not None, "not logged in"
        return running

    @property
    def session(self) -> MqttSession:
        """The session of the last login, also once the connection has ended."""
        assert self._session is not None, "never logged in"
        return self._session

    @property
    def closed(self) -> bool:
        """Whether the broker has closed the connection, or is about to."""
        return self.transport.closing or self.transport.closed

    def send_bytes(self, data: bytes, cut: str = "whole") -> list[Packet]:
        """Send bytes, whole, "byte by byte", or cut as the seed in `cut` says; what is answered."""
        if cut == "whole":
            pieces = [data]
        elif cut == "byte by byte":
            pieces = [data[at : at + 1] for at in range(len(data))]
        else:
            chance = random.Random(cut)
            cuts = sorted(chance.randrange(len(data) + 1) for _ in range(1 + len(data) // 7))
            pieces = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
        for piece in pieces:
            self.transport.receive(piece)
            if self.connection.running is not None:
                self._session = self.connection.running.session
        self.simulated.settle()
        return self.packets()

    def packets(self) -> list[Packet]:
        """What has come since the last call."""
        data = self._unread + self.transport.take()
        found: list[Packet] = []
        position = 0
        while (decoded := decode(data, position, len(data), self.level)) is not None:
            found.append(decoded[0])
            position = decoded[1]
        self._unread = data[position:]
        return found

    def send(self, *packets: Packet) -> list[Packet]:
        """Send packets; what is answered."""
        return self.send_bytes(b"".join([encode(packet, self.level) for packet in packets]))

    def connect(
        self,
        client_id: str = "client",
        *,
        clean_start: bool = True,
        keep_alive_s: int = 0,
        will: Will | None = None,
        username: str | None = None,
        password: bytes | None = None,
        is_bridge: bool = False,
        **properties: Any,
    ) -> ConnAck:
        """Log in; the CONNACK."""
        packet = Connect(
            client_id,
            self.level,
            clean_start,
            keep_alive_s,
            will,
            username,
            password,
            is_bridge,
            cast("Properties", properties),
        )
        packets = self.send(packet)
        if not packets and not self.closed:
            # A refused login is answered late.
            self.simulated.advance(self.simulated.broker.refused_logins.delay_ms)
            packets = self.packets()
        answer, *self.after_connack = packets
        assert isinstance(answer, ConnAck), answer
        return answer

    after_connack: list[Packet]

    def next_id(self) -> int:
        """A packet identifier."""
        self._packet_id += 1
        return self._packet_id

    def subscribe(self, *filters: str | Subscription, qos: int = 0, identifier: int = 0) -> list[Packet]:
        """Subscribe; what is answered, SUBACK first."""
        subscriptions = tuple(Subscription(each, qos) if isinstance(each, str) else each for each in filters)
        properties: Properties = {"subscription_identifiers": [identifier]} if identifier else {}
        answers = self.send(Subscribe(self.next_id(), subscriptions, properties))
        assert any(isinstance(each, SubAck) for each in answers), answers
        return answers

    def unsubscribe(self, *filters: str) -> UnsubAck:
        """Unsubscribe; the UNSUBACK."""
        return only(UnsubAck, self.send(Unsubscribe(self.next_id(), filters)))

    def unsubscribe_unread(self, *filters: str) -> None:
        """Unsubscribe without looking at what comes."""
        self.transport.receive(encode(Unsubscribe(self.next_id(), filters), self.level))
        self.simulated.settle()

    def publish(
        self,
        topic: str,
        payload: bytes = b"",
        qos: int = 0,
        *,
        retain: bool = False,
        packet_id: int = 0,
        duplicate: bool = False,
        **properties: Any,
    ) -> list[Packet]:
        """Publish; what is answered.  QoS 2 isn't carried further than PUBLISH."""
        packet = Publish(
            topic,
            payload,
            qos,
            (packet_id or self.next_id()) if qos else 0,
            retain,
            duplicate,
            cast("Properties", properties),
        )
        return self.send(packet)

    def publish_fully(self, topic: str, payload: bytes = b"", qos: int = 0, **more: Any) -> None:
        """Publish and see it through to its last answer."""
        answers = self.publish(topic, payload, qos, **more)
        if qos == 1:
            assert any(isinstance(each, PubAck) for each in answers), answers
        if qos == 2:
            (received,) = [each for each in answers if isinstance(each, PubRec)]
            completed = self.send(PubRel(received.packet_id))
            assert any(isinstance(each, PubComp) for each in completed), completed

    def messages(self) -> list[Publish]:
        """The messages that have come since the last look; not acknowledged."""
        return [each for each in self.packets() if isinstance(each, Publish)]

    def take(self) -> list[bytes]:
        """The payloads of all that comes, everything acknowledged as it wants to be."""
        taken: list[bytes] = []
        pending = self.packets()
        for _ in range(ANSWERS_MAX):
            if not pending:
                return taken
            following: list[Packet] = []
            for packet in pending:
                if isinstance(packet, Publish):
                    taken.append(packet.payload)
                    if packet.qos == 1:
                        following += self.send(PubAck(packet.packet_id))
                    elif packet.qos == 2:
                        following += self.send(PubRec(packet.packet_id))
                elif isinstance(packet, PubRel):
                    following += self.send(PubComp(packet.packet_id))
            pending = following
        raise AssertionError("the broker sends for ever")

    def disconnect(self, reason_code: int = 0, **properties: Any) -> None:
        """Say goodbye."""
        self.send(Disconnect(reason_code, cast("Properties", properties)))
        self.transport.lose()
        self.simulated.settle()

    def lose(self) -> None:
        """The network goes away."""
        self.transport.lose()
        self.simulated.settle()


def only(kind: type[Kind], packets: list[Packet]) -> Kind:
    """The one packet of a kind among these."""
    found = [each for each in packets if isinstance(each, kind)]
    assert len(found) == 1, packets
    return found[0]
