"""Messages on their way to the peer: identifiers, its Receive Maximum, and what became of each (MQTT 5 4.3, 4.9).

A message is numbered by who publishes; its packet identifier is this connection's affair.  What the window has no room
for waits, in order.  A connection that ends takes all of them with it: who published knows which weren't told of.

An announcement is a message beside the others, which somebody else publishes and asks after: its number is below 0, and
says nothing to who hears of the others.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from warren.adapters.mqtt.codec import reason_codes
from warren.adapters.mqtt.codec.packets import Packet, PubAck, PubComp, Publish, PubRec, PubRel
from warren.adapters.peers.errors import PeerError
from warren.adapters.peers.settled import Settled

IDENTIFIERS_MAX: Final = 65_534
"""A packet identifier has two bytes and is never 0 (2.2.1); the last one is for SUBSCRIBE and UNSUBSCRIBE."""


class Sending:
    """settled: what became of messages, for who published to take out.  window: the peer's Receive Maximum.

    write: sends a packet; check: only looks at it; both raise ValueError for one that can't be sent.
    """

    __slots__ = (
        "_check",
        "_last_announcement",
        "_last_id",
        "_last_number",
        "_refused_announcements",
        "_released",
        "_sent",
        "_waiting",
        "_write",
        "settled",
        "window",
    )

    def __init__(self, write: Callable[[Packet], None], check: Callable[[Packet], object]) -> None:
        self._write = write
        self._check = check
        self._last_number = 0
        self._last_announcement = 0
        self._refused_announcements: dict[int, str] = {}
        self._last_id = 0
        self._sent: dict[int, int] = {}
        self._released: dict[int, int] = {}
        self._waiting: deque[tuple[int, Publish]] = deque()
        self.settled: list[Settled] = []
        self.window = IDENTIFIERS_MAX

    @property
    def unanswered(self) -> int:
        """Messages that the peer has said nothing of, or not its last word."""
        return len(self._sent) + len(self._released)

    @property
    def waiting(self) -> int:
        """Messages that the peer's window has no room for yet."""
        return len(self._waiting)

    def publish(self, packet: Publish) -> int:
        """Send a message, now or when there is room; its number.  With QoS 0 it is settled by being written."""
        self._last_number += 1
        if not packet.qos:
            self._write(packet)
            self.settled.append(Settled(self._last_number, None))
        else:
            self._send_in_turn(self._last_number, packet)
        return self._last_number

    def announce(self, packet: Publish) -> int:
        """Send an announcement; its number, to ask `is_open` and `take_refusal` with."""
        self._last_announcement -= 1
        if packet.qos:
            self._send_in_turn(self._last_announcement, packet)
        else:
            self._write(packet)
        return self._last_announcement

    def is_open(self, announcement: int) -> bool:
        """Whether the peer hasn't answered an announcement yet."""
        return (
            announcement in self._sent.values()
            or announcement in self._released.values()
            or any(number == announcement for number, _ in self._waiting)
        )

    def take_refusal(self, announcement: int) -> str | None:
        """Why the peer doesn't take an announcement; None if it does."""
        return self._refused_announcements.pop(announcement, None)

    def answer(self, packet: PubAck | PubRec | PubComp) -> None:
        """The peer's word about a message; PeerError for one that nobody sent."""
        if isinstance(packet, PubRec):
            number = self._sent.pop(packet.packet_id, None)
            if number is not None and packet.reason_code < reason_codes.FAILURE:
                self._released[packet.packet_id] = number
            if number is None and packet.packet_id not in self._released:
                raise PeerError(f"the peer sent PUBREC for the message {packet.packet_id}, which nobody had sent")
            if packet.reason_code < reason_codes.FAILURE:
                self._write(PubRel(packet.packet_id))
                return
        else:
            among = self._sent if isinstance(packet, PubAck) else self._released
            number = among.pop(packet.packet_id, None)
            if number is None:
                raise PeerError(
                    f"the peer sent {type(packet).__name__.upper()} for the message {packet.packet_id}, "
                    "which nobody had sent"
                )
        if number is not None:
            refusal = _refusal(packet)
            if refusal is not None and number < 0:
                self._refused_announcements[number] = refusal
            else:
                self.settled.append(Settled(number, refusal))
        while self._waiting and len(self._sent) + len(self._released) < self.window:
            self._send(*self._waiting.popleft())

    def _send_in_turn(self, number: int, packet: Publish) -> None:
        if self.unanswered >= self.window:
            self._check(replace(packet, packet_id=1))
            self._waiting.append((number, packet))
        else:
            self._send(number, packet)

    def _send(self, number: int, packet: Publish) -> None:
        identifier = self._last_id
        while True:
            identifier = identifier % IDENTIFIERS_MAX + 1
            if identifier not in self._sent and identifier not in self._released:
                break
        self._write(replace(packet, packet_id=identifier))
        self._last_id = identifier
        self._sent[identifier] = number


def _refusal(packet: PubAck | PubRec | PubComp) -> str | None:
    code = packet.reason_code
    if code < reason_codes.FAILURE:
        return None
    text = packet.properties.get("reason_string", "")
    name = reason_codes.NAMES.get(code, "unknown")
    return f"the peer refused a message: {name} ({code:#04x})" + (f", {text}" if text else "")
