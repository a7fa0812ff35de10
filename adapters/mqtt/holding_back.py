"""What comes while a memory or disk alarm blocks publishing: packets from a PUBLISH on are held back, in order.

Acknowledgements and PINGREQ aren't.  When the alarm is over, the connection goes on as if the packets came just then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.adapters.mqtt.codec import versions
from warren.adapters.mqtt.codec.decode import decode, find_body
from warren.adapters.mqtt.codec.publish import peek_publish
from warren.adapters.session.held import Held

if TYPE_CHECKING:
    from warren.adapters.session.read_gate import ReadGate
    from warren.core.alarms import Alarms

_ANSWERS: Final = frozenset(
    {versions.PUBACK, versions.PUBREC, versions.PUBREL, versions.PUBCOMP, versions.PINGREQ, versions.DISCONNECT}
)
"""What is never held back: it frees memory, or ends the connection."""


LOOKED_INTO_BYTES_MAX: Final = 2048
"""A packet that is held back and wrong is refused when it comes, unless it is so long that reading it takes a while."""


class HeldPackets:
    """The packets held back of one client."""

    __slots__ = ("_alarms", "_gate", "_held")

    def __init__(self, alarms: Alarms, gate: ReadGate) -> None:
        self._alarms = alarms
        self._gate = gate
        self._held: Held[bytes] | None = None

    @property
    def active(self) -> bool:
        """True from the first packet that is held back until they are taken."""
        return self._held is not None

    def wants(self, kind: int) -> bool:
        """True when a packet of this type has to wait."""
        if self._held is None:
            return kind == versions.PUBLISH and self._alarms.blocked is not None
        return kind not in _ANSWERS

    def add(self, packet: bytes) -> None:
        """Keep a packet for later."""
        if self._held is None:
            self._held = Held(self._gate, len)
        self._held.add(packet)

    def take(self) -> bytes:
        """All that was held back, in order, to be handled now; nothing while an alarm is raised."""
        if self._held is None or self._alarms.blocked is not None:
            return b""
        held, self._held = self._held, None
        return b"".join(held.take())

    def end(self) -> None:
        """The connection ends: what is held back is void."""
        if self._held is not None:
            self._held.clear()
            self._held = None


def packet_end(data: bytes, position: int, end: int, level: int, packet_bytes_max: int) -> int:
    """Where the packet at `position` ends, -1 when it isn't all there; raises PacketError for what can't be one."""
    if data[position] >> 4 == versions.PUBLISH:
        peeked = peek_publish(data, position, end, level, packet_bytes_max)
        return -1 if peeked is None else peeked[5]
    found = find_body(data, position, end, level, packet_bytes_max)
    if found is None:
        return -1
    if found[1] - found[0] <= LOOKED_INTO_BYTES_MAX:
        decode(data, position, end, level, packet_bytes_max)
    return found[1]
