"""Whether a connection is read: one owner for all who want it to wait.

Several things can be a reason not to read a peer for now, and each comes and goes by itself.  The gate keeps those that
hold, as bits; it pauses the transport when the first comes and resumes it when the last has gone, so that nobody has to
ask the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from warren.core.clients.transport import Transport

UNREAD_REPLIES: Final = 1
"""The peer leaves too many replies unread to be given more (unread.py)."""

HELD_BACK: Final = 2
"""So much is held back under an alarm that nothing more may pile up (held.py)."""

NOT_ITS_TURN: Final = 4
"""What has been read is to be handled in a later turn, as others want theirs (stages)."""

SESSION: Final = 8
"""The session that a stage carries doesn't read (stages)."""

RATION: Final = 32
"""The ration of the turn is used up (ration.py)."""

SETTLING: Final = 128
"""So much is being settled that it takes several turns (settling.py)."""

UNANSWERED: Final = 16
"""So much is held back behind a command that a queue answers later that nothing more may pile up."""


PACE: Final = 256
"""As much has come as may in this time (pace.py)."""

DUE: Final = 64
"""So much has waited and is to be handled now that nothing more may pile up."""


class ReadGate:
    """Of one transport."""

    __slots__ = ("_reasons", "_transport")

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._reasons = 0

    @property
    def is_open(self) -> bool:
        """False while the broker itself holds back from reading: the peer's silence says nothing then."""
        return not self._reasons

    def is_closed_for(self, reason: int) -> bool:
        """Whether this is among the reasons."""
        return bool(self._reasons & reason)

    def close(self, reason: int) -> None:
        """Don't read, for this reason too."""
        before = self._reasons
        self._reasons = before | reason
        if not before:
            self._transport.pause()

    def open(self, reason: int) -> None:
        """This reason holds no more: read, if it was the last; nothing happens if it was none."""
        before = self._reasons
        self._reasons = before & ~reason
        if before and not self._reasons:
            self._transport.resume()
