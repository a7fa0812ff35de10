"""What comes while a memory or disk alarm blocks publishing: packets from a PUBLISH on are held back, in order.

Acknowledgements and PINGREQ aren't.  When the alarm is over, the connection goes on as if the packets came just then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.adapters.mqtt.codec import versions
from warren.adapters.mqtt.codec.decode import decode
from warren.adapters.mqtt.codec.publish import peek_publish

if TYPE_CHECKING:
    from warren.adapters.mqtt.connection import MqttConnection

HELD_BYTES_MAX: Final = 1024 * 1024
"""Held back per connection under an alarm; TCP holds back the rest."""

_ANSWERS: Final = frozenset(
    {versions.PUBACK, versions.PUBREC, versions.PUBREL, versions.PUBCOMP, versions.PINGREQ, versions.DISCONNECT}
)
"""What is never held back: it frees memory, or ends the connection."""


class Held:
    """The packets held back of one connection."""

    __slots__ = ("packets", "total_bytes")

    def __init__(self) -> None:
        self.packets: list[bytes] = []
        self.total_bytes = 0


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
    held = connection.held
    if held is None:
        held = connection.held = Held()
    held.packets.append(data[position:stop])
    before = held.total_bytes
    held.total_bytes += stop - position
    if before <= HELD_BYTES_MAX < held.total_bytes:
        connection.transport.pause()
    return stop


def is_full(connection: MqttConnection) -> bool:
    """True when so much is held back that nothing more is read."""
    return connection.held is not None and connection.held.total_bytes > HELD_BYTES_MAX


def alarms_changed(connection: MqttConnection) -> None:
    """Go on with what was held back, in order."""
    held = connection.held
    if connection.broker.alarms.blocked is not None or held is None or connection.closed:
        return
    connection.held = None
    connection.tail = b"".join(held.packets) + connection.tail
    if held.total_bytes > HELD_BYTES_MAX and not connection.unread.suspended:
        connection.transport.resume()
    connection.receive(b"")
