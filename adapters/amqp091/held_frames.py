"""Which frames wait while a resource alarm is raised, and who is told (spec A.3, connection.blocked).

The first publish under an alarm tells the client `connection.blocked`, if it can be told.  From then on the frames of
that channel are kept, in order (adapters.session.held), until the alarm clears; acknowledgements among them are handled
at once, and so are heartbeats and the other channels.  connection.close waits too, since what was published before it
is to arrive.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

from warren.adapters.amqp091.codec import methods
from warren.adapters.amqp091.codec.constants import CLASS_BASIC, FRAME_METHOD
from warren.adapters.session.held import Held

if TYPE_CHECKING:
    from warren.adapters.session.read_gate import ReadGate
    from warren.core.alarms import Alarms

CLOSE: Final = (10, 50)
"""connection.close."""

PUBLISH: Final = (CLASS_BASIC, 40)

ACKNOWLEDGEMENTS: Final = frozenset({(CLASS_BASIC, 80), (CLASS_BASIC, 90), (CLASS_BASIC, 120)})
"""basic.ack, basic.reject and basic.nack."""

HeldFrame = tuple[int, int, bytes]
"""Its type, its channel, and all of it."""


class HeldFrames:
    """The frames that one connection's channels are waiting to have handled.

    tell: sends connection.blocked and connection.unblocked to a client that understands them.  active: True while
    publishes are held back.
    """

    __slots__ = ("_alarms", "_channels", "_held", "_tell", "_told", "active")

    def __init__(self, alarms: Alarms, gate: ReadGate, tell: Callable[[methods.Method], None]) -> None:
        self._alarms = alarms
        self._tell = tell
        self._held: Held[HeldFrame] = Held(gate, size_of)
        self._channels: set[int] = set()
        self._told = False
        self.active = False

    def wants(self, kind: int, number: int, class_id: int, method_id: int) -> bool:
        """True for a frame that must wait: a publish under an alarm, or anything but an ack behind one."""
        if number in self._channels:
            return kind != FRAME_METHOD or (class_id, method_id) not in ACKNOWLEDGEMENTS
        if not number:
            return self.active and (class_id, method_id) == CLOSE
        return self._alarms.blocked is not None and kind == FRAME_METHOD and (class_id, method_id) == PUBLISH

    def add(self, kind: int, number: int, frame: bytes) -> None:
        """Keep a frame; the first one tells the client why nothing happens."""
        self._channels.add(number)
        self.active = True
        self._held.add((kind, number, frame))
        if not self._told and self._alarms.blocked is not None:
            self._told = True
            self._tell(methods.ConnectionBlocked(self._alarms.blocked))

    def alarms_changed(self) -> None:
        """When the alarms have cleared, say so."""
        if self._told and self._alarms.blocked is None:
            self._told = False
            self._tell(methods.ConnectionUnblocked())

    def take(self) -> list[HeldFrame]:
        """What was kept, in order, to be handled now; nothing while an alarm is raised."""
        if self._alarms.blocked is not None or not self.active:
            return []
        self._wait_for(())
        return self._held.take()

    def drop(self, number: int) -> None:
        """The channel is closed: what it waited for is void."""
        if number in self._channels:
            self._wait_for(self._channels - {number})
            self._held.drop(lambda held: held[1] == number)

    def clear(self) -> None:
        """The connection ends."""
        self._wait_for(())
        self._held.clear()
        self._told = False

    def _wait_for(self, channels: Iterable[int]) -> None:
        self._channels = set(channels)
        self.active = bool(self._channels)


def size_of(held: HeldFrame) -> int:
    """What a frame takes, in bytes."""
    return len(held[2])
