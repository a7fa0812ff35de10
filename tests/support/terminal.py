"""A program in a terminal of its own: what a person would type goes in, what they would see comes out."""

from __future__ import annotations

import os
import pty
import select
import signal
import termios
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

TIME_LIMIT_S = 60.0
"""For one thing to appear on the screen: it takes milliseconds, on a busy machine many times that."""

READ_BYTES = 65536

LEFT_OUT = {ord("\0"): None, ord("\r"): None}
"""What a terminal doesn't show."""


class Terminal:
    """The terminal's side.  screen: all that was shown so far."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._data = b""
        self._seen = 0

    @property
    def screen(self) -> str:
        return self._data.decode(errors="replace").translate(LEFT_OUT)

    def type(self, text: str) -> None:
        """Press keys; Enter is a line feed, Ctrl-@ a NUL."""
        data = text.encode()
        while data:
            data = data[os.write(self._descriptor, data) :]

    def wait_until_a_line_ends_at(self, key: str) -> None:
        """Return when the program has told the terminal so (VEOL in termios(3)); telnet does of its escape key."""
        give_up_at = time.monotonic() + TIME_LIMIT_S
        while termios.tcgetattr(self._descriptor)[6][termios.VEOL] != key.encode():
            assert time.monotonic() < give_up_at, f"{key!r} has no meaning yet:\n{self.screen}"
            os.sched_yield()

    def wait_for(self, text: str) -> None:
        """Return when `text` has appeared behind what was waited for before."""
        give_up_at = time.monotonic() + TIME_LIMIT_S
        while (found := self.screen.find(text, self._seen)) < 0:
            assert self.read(max(0, give_up_at - time.monotonic())), f"{text!r} did not appear:\n{self.screen}"
        self._seen = found + len(text)

    def read(self, seconds: float) -> bool:
        """Wait for more to appear; whether it has.  If not, the time is over, or the program has ended."""
        readable, _, _ = select.select([self._descriptor], [], [], seconds)
        if not readable:
            return False
        try:
            read = os.read(self._descriptor, READ_BYTES)
        except OSError:
            read = b""
        self._data += read
        return read != b""


@contextmanager
def terminal(command: Sequence[str]) -> Iterator[Terminal]:
    """Run a program in a terminal; it is ended at the end, if it hasn't ended by itself."""
    child, descriptor = pty.fork()
    if child == 0:
        # Whoever runs the tests in the background of a script has them ignore it, and programs inherit that.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.execvp(command[0], list(command))
    try:
        yield Terminal(descriptor)
    finally:
        os.close(descriptor)
        os.kill(child, 9)
        os.waitpid(child, 0)
