"""Frames that have waited, for an alarm to clear or for a queue's answer, and whose time has come.

They are handled in order, as far as the peer reads the answers and the ration of the turn goes; the rest is here until
both allow more.  What a channel sends meanwhile comes behind it, acknowledgements excepted.  No alarm keeps anything
here: a publish among them is held back when it is its turn (held_frames.py), as if it came just then, and with it what
follows on its channel, but nothing that comes before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.adapters.amqp091.codec.constants import FRAME_METHOD
from warren.adapters.amqp091.held_frames import ACKNOWLEDGEMENTS, CLOSE, HeldFrame, size_of
from warren.adapters.session.held import Held
from warren.adapters.session.read_gate import DUE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from warren.adapters.session.read_gate import ReadGate


class DueFrames:
    """Of one connection.  active: True while there are any."""

    __slots__ = ("_channels", "_held", "active")

    def __init__(self, gate: ReadGate) -> None:
        self._held: Held[HeldFrame] = Held(gate, size_of, DUE)
        self._channels: set[int] = set()
        self.active = False

    def wants(self, kind: int, number: int, class_id: int, method_id: int) -> bool:
        """True for a frame that has to come behind those that are here."""
        if not number:
            return self.active and (class_id, method_id) == CLOSE
        return number in self._channels and (kind != FRAME_METHOD or (class_id, method_id) not in ACKNOWLEDGEMENTS)

    def add(self, kind: int, number: int, frame: bytes) -> None:
        """Keep one more, behind the others."""
        self.add_all([(kind, number, frame)])

    def add_all(self, frames: Iterable[HeldFrame]) -> None:
        """Keep more of them, behind the others."""
        for frame in frames:
            self._channels.add(frame[1])
            self._held.add(frame)
            self.active = True

    def put_before(self, frames: list[HeldFrame]) -> None:
        """Keep more of them, before the others: they have come earlier."""
        if frames:
            self.add_all([*frames, *self.take()])

    def take(self) -> list[HeldFrame]:
        """All of them, to be handled now."""
        self._channels.clear()
        self.active = False
        return self._held.take()

    def drop(self, number: int) -> None:
        """The channel is closed: what it waited for is void."""
        if number in self._channels:
            self._channels.discard(number)
            self._held.drop(lambda held: held[1] == number)
            self.active = len(self._held) > 0

    def clear(self) -> None:
        """The connection ends."""
        self._channels.clear()
        self._held.clear()
        self.active = False
