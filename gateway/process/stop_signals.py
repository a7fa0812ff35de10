"""SIGTERM, SIGINT and SIGHUP of a process that is a broker and nothing else, from its first line to its last.

Trio's receiver of signals is there while the broker runs; what comes before it, or while it goes, would end the process
where it stands, and so would a second or third signal that nobody read any more.  So these handlers lie below it: they
note what comes, and end nothing.  A stop that was asked for before the broker was there is its first request.

SIGHUP means two things.  Who started the broker in a terminal, and closes that, wants it to stop.  From everybody else,
a service manager or a program that has renewed certificates, it says that files have changed; before the broker is
there, they haven't been read.  Which it is, is seen from the terminal.
"""

from __future__ import annotations

import os
import signal
from types import FrameType
from typing import Final

STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
"""What asks for a stop in good order."""


HANGUPS: Final = (signal.SIGHUP,) if hasattr(signal, "SIGHUP") else ()
"""What says that the terminal is gone, or that files have changed; Windows has none."""

STANDARD_ERROR: Final = 2
"""Where the log goes, and so what a terminal would be seen from."""

_STARTED_IN_TERMINAL: Final = os.isatty(STANDARD_ERROR)


def note_stop_signals() -> list[int]:
    """From now on signals that ask for a stop are noted in this list, wherever nobody else receives them."""
    noted: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        if number in STOP_SIGNALS or terminal_is_gone():
            noted.append(number)

    for number in (*STOP_SIGNALS, *HANGUPS):
        signal.signal(number, note)
    return noted


def terminal_is_gone(*, started_in_terminal: bool = _STARTED_IN_TERMINAL) -> bool:
    """True when the process was started in a terminal that isn't there any more."""
    return started_in_terminal and not os.isatty(STANDARD_ERROR)
