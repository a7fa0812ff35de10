"""SIGTERM and SIGINT of a process that is a broker and nothing else, from its first line to its last.

Trio's receiver of signals is there while the broker runs; what comes before it, or while it goes, would end the process
where it stands, and so would a second or third signal that nobody read any more.  So these handlers lie below it: they
note what comes, and end nothing.  A stop that was asked for before the broker was there is its first request.
"""

from __future__ import annotations

import signal
from types import FrameType
from typing import Final

STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
"""What asks for a stop in good order."""


def note_stop_signals() -> list[int]:
    """From now on signals that ask for a stop are noted in this list, wherever nobody else receives them."""
    noted: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        noted.append(number)

    for number in STOP_SIGNALS:
        signal.signal(number, note)
    return noted
