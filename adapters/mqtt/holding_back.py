"""What comes while a memory or disk alarm blocks publishing: packets from a PUBLISH on are held back, in order.

Acknowledgements and PINGREQ aren't.  When the alarm is over, the connection goes on as if the packets came just then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.adapters.mqtt.codec import versions
from warren.adapters.mqtt.codec.decode import decode
from warren.adapters.mqtt.codec.publish import peek_publish
from warren.adapters.session.held import Held

if TYPE_CHECKING:
    from warren.adapters.mqtt.connection import MqttConnection

_ANSWERS: Final = frozenset(
    {versions.PUBACK, versions.PUBREC, versions.PUBREL, versions.PUBCOMP, versions.PINGREQ, versions.DISCONNECT}
)
"""What is never held back: it frees memory, or ends the connection."""


def holds(connection: MqttConnection, kind: int) -> bool:
    """True when a packet of this type has to wait."""
    if connection.held is None:
        return kind == versions.PUBLISH and connection.broker.alarms.blocked is not None
    return kind not in _ANSWERS


def hold(connection: MqttConnection, data: bytes, position: int, end: int) -> int:
    """Keep the packet at `position` for later; where the next one begins, -1 when it isn't all there."""
    packet_max = connection.settings.packet_bytes_max
    if data[position] >> 4 == versions.PUBLISH:
        peeked = peek_publish(data, position, end, connection.level, packet_max)
        stop = -1 if peeked is None else peeked[5]
    else:
        found = decode(data, position, end, connection.level, packet_max)
        stop = -1 if found is None else found[1]
    if stop < 0:
        return -1
    if connection.held is None:
        connection.held = Held(connection.read_gate, len)
    connection.held.add(data[position:stop])
    return stop


def alarms_changed(connection: MqttConnection) -> None:
    """Go on with what was held back, in order."""
    held = connection.held
    if connection.broker.alarms.blocked is not None or held is None or connection.closed:
        return
    connection.held = None
    connection.tail = b"".join(held.take()) + connection.tail
    connection.receive(b"")
