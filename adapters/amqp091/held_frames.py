"""Holding back publishes while a resource alarm is raised (spec A.3, connection.blocked).

The first publish under an alarm tells the client `connection.blocked`, if it can be told.  From then on the frames of
that channel are kept, in order, until the alarm clears; acknowledgements among them are handled at once, as they free
what is short, and so are heartbeats and the other channels.  connection.close waits too, since what was published
before it is to arrive.  What is kept is bounded: past `HELD_BYTES_MAX` the connection is no longer read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.adapters.amqp091.codec import methods
from warren.adapters.amqp091.codec.constants import CLASS_BASIC, FRAME_METHOD

if TYPE_CHECKING:
    from warren.adapters.amqp091.connection import Connection

HELD_BYTES_MAX: Final = 1024 * 1024
"""Per connection; a publisher fills it in a moment, and TCP holds back the rest."""

CLOSE: Final = (10, 50)
PUBLISH: Final = (CLASS_BASIC, 40)
ACKNOWLEDGEMENTS: Final = frozenset({(CLASS_BASIC, 80), (CLASS_BASIC, 90), (CLASS_BASIC, 120)})


class Holding:
    """The frames that one connection's channels are waiting to have handled."""

    __slots__ = ("_bytes", "_channels", "_connection", "_frames", "_told", "paused")

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._frames: list[tuple[int, int, bytes]] = []
        self._channels: set[int] = set()
        self._bytes = 0
        self._told = False
        self.paused = False

    @property
    def active(self) -> bool:
        """True while publishes are held back."""
        return bool(self._channels)

    def wants(self, kind: int, number: int, class_id: int, method_id: int) -> bool:
        """True for a frame that must wait: a publish under an alarm, or anything but an ack behind one."""
        if number in self._channels:
            return kind != FRAME_METHOD or (class_id, method_id) not in ACKNOWLEDGEMENTS
        if not number:
            return bool(self._channels) and (class_id, method_id) == CLOSE
        return (
            self._connection.broker.alarms.blocked is not None
            and kind == FRAME_METHOD
            and (class_id, method_id) == PUBLISH
        )

    def add(self, kind: int, number: int, frame: bytes) -> None:
        """Keep a frame; the first one tells the client why nothing happens."""
        self._keep(kind, number, frame)
        self._tell()
        if self._bytes > HELD_BYTES_MAX and not self.paused:
            self.paused = True
            self._connection.transport.pause()

    def alarms_changed(self) -> None:
        """When the alarms have cleared, say so, and handle what was kept."""
        connection = self._connection
        if connection.broker.alarms.blocked is not None:
            return
        if self._told:
            self._told = False
            connection.send(0, methods.ConnectionUnblocked())
        if not connection.suspended:
            self.release()

    def release(self) -> None:
        """Handle what was kept, in order, unless an alarm is raised.

        What the peer has to read replies for first stays.
        """
        connection = self._connection
        if connection.broker.alarms.blocked is not None:
            return
        frames = self._frames
        self._forget()
        for frame in frames[connection.handle_held(frames) :]:
            self._keep(*frame)
        self._read_again()

    def drop(self, number: int) -> None:
        """The channel is closed: what it waited for is void."""
        if number in self._channels:
            self._channels.discard(number)
            self._frames = [held for held in self._frames if held[1] != number]
            self._bytes = sum(len(held[2]) for held in self._frames)
            self._read_again()

    def clear(self) -> None:
        """The connection ends."""
        self._forget()
        self._told = False

    def _read_again(self) -> None:
        if self.paused and self._bytes <= HELD_BYTES_MAX:
            self.paused = False
            if not self._connection.suspended:
                self._connection.transport.resume()

    def _keep(self, kind: int, number: int, frame: bytes) -> None:
        self._channels.add(number)
        self._frames.append((kind, number, frame))
        self._bytes += len(frame)

    def _forget(self) -> None:
        self._frames = []
        self._channels = set()
        self._bytes = 0

    def _tell(self) -> None:
        reason = self._connection.broker.alarms.blocked
        if not self._told and reason is not None and "connection.blocked" in self._connection.capabilities:
            self._told = True
            self._connection.send(0, methods.ConnectionBlocked(reason))
