"""A publisher and a subscriber as their memory survives connections: what MQTT's rules say that a client keeps.

Both are without a connection of their own: packets go in, packets to send come out.  Whatever isn't finished is sent
again after reconnecting, with the same packet identifiers and in the same order (MQTT-4.4.0-1, MQTT-4.6.0-1).
"""

from __future__ import annotations

from warren.adapters.mqtt.codec.packets import Packet, PubAck, PubComp, Publish, PubRec, PubRel


class PublishingPeer:
    """Publishes 0, 1, 2, ... up to `messages`, `window` at a time.

    unfinished: packet identifier -> (number, whether PUBREC came), in the order of sending.
    """

    def __init__(self, qos: int, messages: int, window: int, topic: str = "t") -> None:
        self.qos = qos
        self.next = 0
        self.unfinished: dict[int, tuple[int, bool]] = {}
        self._messages = messages
        self._window = window
        self._topic = topic

    @property
    def done(self) -> bool:
        """Everything is published and acknowledged."""
        return self.next >= self._messages and not self.unfinished

    def again(self) -> list[Packet]:
        """What to send first on a new connection."""
        return [
            PubRel(packet_id) if released else self._publish(packet_id, number, duplicate=True)
            for packet_id, (number, released) in self.unfinished.items()
        ]

    def more(self) -> list[Packet]:
        """New messages, as many as the window takes."""
        packets: list[Packet] = []
        while len(self.unfinished) < self._window and self.next < self._messages:
            packet_id = next(each for each in range(1, self._window + 1) if each not in self.unfinished)
            self.unfinished[packet_id] = (self.next, False)
            packets.append(self._publish(packet_id, self.next, duplicate=False))
            self.next += 1
        return packets

    def take(self, packet: Packet) -> list[Packet]:
        """A packet came; what to answer."""
        if isinstance(packet, PubAck | PubComp):
            self.unfinished.pop(packet.packet_id, None)
        elif isinstance(packet, PubRec) and packet.packet_id in self.unfinished:
            self.unfinished[packet.packet_id] = (self.unfinished[packet.packet_id][0], True)
            return [PubRel(packet.packet_id)]
        return []

    def _publish(self, packet_id: int, number: int, *, duplicate: bool) -> Publish:
        return Publish(self._topic, b"%d" % number, self.qos, packet_id, duplicate=duplicate)


class SubscribingPeer:
    """Notes what comes: `taken`, each message when the application gets it (MQTT 5 4.3.3, method A).

    At QoS 2, `held` are the packet identifiers whose messages it has and that aren't released.  A message that it has
    seen and that comes without the flag DUP, or one of QoS 0, is an error of the broker's.
    """

    def __init__(self) -> None:
        self.taken: list[int] = []
        self.held: set[int] = set()

    def take(self, packet: Packet) -> list[Packet]:
        """A packet came; what to answer."""
        if isinstance(packet, PubRel):
            self.held.discard(packet.packet_id)
            return [PubComp(packet.packet_id)]
        if not isinstance(packet, Publish):
            return []
        number = int(packet.payload)
        if packet.qos == 1:
            self.taken.append(number)
            return [PubAck(packet.packet_id)]
        assert packet.qos == 2, packet
        if packet.packet_id not in self.held:
            self.held.add(packet.packet_id)
            self.taken.append(number)
        else:
            assert packet.duplicate, "a message that was sent before comes without DUP (MQTT-3.3.1-1)"
        return [PubRec(packet.packet_id)]
