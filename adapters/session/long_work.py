"""What one peer asks for at once and is too much for one turn: done in slices, and nothing else of that peer meanwhile.

A session takes commands one by one, in order, so while it is at a long one, its further bytes wait and its socket isn't
read.  Everybody else has a turn between two slices (core.chores).  What is cheap by itself but comes in large numbers
is counted: after so many, the session waits for its next turn, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from warren.adapters.session.read_gate import NOT_ITS_TURN

if TYPE_CHECKING:
    from warren.adapters.session.read_gate import ReadGate
    from warren.core.broker import Broker


class LongWork:
    """Of one session.

    busy: nothing more that the peer has sent is handled for now.  go_on: called when that is over.  failed: called with
    what a slice raises, which ends the work.
    """

    __slots__ = ("_broker", "_done", "_failed", "_gate", "_go_on", "_slices", "busy")

    def __init__(
        self, broker: Broker, gate: ReadGate, *, go_on: Callable[[], None], failed: Callable[[Exception], None]
    ) -> None:
        self._broker = broker
        self._gate = gate
        self._go_on = go_on
        self._failed = failed
        self._slices: Iterator[None] | None = None
        self._done = 0
        self.busy = False

    def begin(self, slices: Iterator[None]) -> None:
        """Do this work, slice by slice, from the end of this turn on; the session isn't busy yet."""
        self._slices = slices
        self._wait()

    def did(self, count: int, most: int) -> None:
        """So many things were done; after `most` of them, go on in the next turn, unless that is so already."""
        if not self.busy:
            self._done += count
            if self._done >= most:
                self._wait()

    def stop(self) -> None:
        """The connection ends, and the work where it is."""
        self.busy = False
        self._slices = None

    def _wait(self) -> None:
        self._done = 0
        self.busy = True
        self._gate.close(NOT_ITS_TURN)
        self._broker.chores.add(self._do_slice)

    def _do_slice(self) -> bool:
        if not self.busy:
            return False
        if self._slices is not None:
            try:
                next(self._slices)
            except StopIteration:
                pass
            except Exception as error:
                self.stop()
                self._failed(error)
                return False
            else:
                return self.busy
        self.stop()
        self._gate.open(NOT_ITS_TURN)
        self._go_on()
        return False
