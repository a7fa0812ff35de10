"""Holding back SENDs while a resource alarm is raised (spec G).

From the first SEND under an alarm on, the frames of the session are kept, in order, until the alarm clears; ACK and
NACK outside of transactions are handled at once, as they free what is short, and heart-beats go on.  What is kept is
bounded: past `HELD_BYTES_MAX` the connection is no longer read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.adapters.stomp.codec.frames import ACK, HELP, NACK, SEND

if TYPE_CHECKING:
    from warren.adapters.stomp.codec.frames import Frame
    from warren.adapters.stomp.session import StompSession

HELD_BYTES_MAX: Final = 1024 * 1024
"""Per connection; a publisher fills it in a moment, and TCP holds back the rest."""

FRAME_BYTES: Final = 500
"""What a frame without a body takes, roughly."""


class Holding:
    """The frames of one session that wait for the alarm to clear."""

    __slots__ = ("_bytes", "_frames", "_session", "paused")

    def __init__(self, session: StompSession) -> None:
        self._session = session
        self._frames: list[Frame] = []
        self._bytes = 0
        self.paused = False

    @property
    def active(self) -> bool:
        """True while frames are held back."""
        return bool(self._frames)

    def wants(self, frame: Frame) -> bool:
        """True for a frame that must wait: a SEND under an alarm, or nearly anything behind one."""
        if self._frames:
            return frame.command not in (ACK, NACK, HELP) or "transaction" in frame.headers
        return frame.command == SEND and self._session.broker.alarms.blocked is not None

    def add(self, frame: Frame) -> None:
        """Keep a frame."""
        self._frames.append(frame)
        self._bytes += len(frame.body) + FRAME_BYTES
        if self._bytes > HELD_BYTES_MAX and not self.paused:
            self.paused = True
            self._session.transport.pause()

    def release(self) -> None:
        """Handle what was kept, in order, unless an alarm is raised or the peer has replies to read first."""
        session = self._session
        if session.broker.alarms.blocked is not None or not self._frames:
            return
        frames = self._frames
        self.clear()
        count = session.handle_held(frames)
        for frame in frames[count:]:
            self.add(frame)
        if self.paused and self._bytes <= HELD_BYTES_MAX:
            self.paused = False
            if not session.suspended:
                session.transport.resume()

    def clear(self) -> None:
        """Forget it all."""
        self._frames = []
        self._bytes = 0
