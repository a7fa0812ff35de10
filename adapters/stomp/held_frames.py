"""Which frames of a session wait while a resource alarm is raised (spec G; adapters.session.held keeps them).

From the first SEND under an alarm on, all do; but ACK and NACK outside of transactions are handled at once, and
heart-beats go on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.adapters.session.held import Held
from warren.adapters.stomp.codec.frames import ACK, ANSWERED_AT_ONCE, NACK, SEND

if TYPE_CHECKING:
    from warren.adapters.session.read_gate import ReadGate
    from warren.adapters.stomp.codec.frames import Frame

FRAME_BYTES: Final = 500
"""What a frame without a body takes, roughly."""


def held_frames(gate: ReadGate) -> Held[Frame]:
    """Keeps the frames of one session."""
    return Held(gate, lambda frame: len(frame.body) + FRAME_BYTES)


def has_to_wait(frame: Frame, *, is_blocked: bool, others_wait: bool) -> bool:
    """True for a SEND under an alarm, or nearly anything behind one.

    is_blocked: whether an alarm is raised.  others_wait: whether frames of the session wait already.
    """
    if others_wait:
        goes_on = frame.command in (ACK, NACK) or frame.command in ANSWERED_AT_ONCE
        return not goes_on or "transaction" in frame.headers
    return frame.command == SEND and is_blocked
