"""What one peer asks for at once and is too much for one turn: done in slices, and nothing else of that peer meanwhile.

So is what has to wait until somebody is asked: slices may give what is unanswered (core.access.answers), and go on when
it is answered.

A session takes commands one by one, in order, so while it is at a long one, its further bytes wait and its socket isn't
read.  Everybody else has a turn between two slices (core.chores).  What is cheap by itself but comes in large numbers
is counted: after so many, the session waits for its next turn, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, TypeAlias

from warren.adapters.session.read_gate import NOT_ITS_TURN
from warren.core.access.answers import Unanswered
from warren.core.declaring.names import generated_again

if TYPE_CHECKING:
    from warren.adapters.session.read_gate import ReadGate
    from warren.core.access.answers import Awaited
    from warren.core.broker import Broker

Slices: TypeAlias = Iterator[Unanswered | None]
"""Work in slices; what is given, if something is, has to be answered before it goes on."""


def until_answered(do: Callable[[], None], names: Iterable[str] = ()) -> Slices:
    """Do something, from its beginning each time until all that it depends on is known.

    names: that were generated for it already.
    """
    while True:
        asked: Unanswered | None = None
        try:
            with generated_again(names):
                do()
        except Unanswered as unanswered:
            asked = unanswered
        if asked is None:
            return
        names = asked.names
        yield asked


class LongWork:
    """Of one session.

    busy: nothing more that the peer has sent is handled for now.  go_on: called when that is over.  failed: called with
    what a slice raises, which ends the work.
    """

    __slots__ = ("_broker", "_done", "_failed", "_gate", "_go_on", "_pinned", "_slices", "busy")

    def __init__(
        self, broker: Broker, gate: ReadGate, *, go_on: Callable[[], None], failed: Callable[[Exception], None]
    ) -> None:
        self._broker = broker
        self._gate = gate
        self._go_on = go_on
        self._failed = failed
        self._slices: Slices | None = None
        self._pinned: list[Awaited] = []
        self._done = 0
        self.busy = False

    def begin(self, slices: Slices) -> None:
        """Do this work, slice by slice, from the end of this turn on; the session isn't busy yet."""
        self._slices = slices
        self._wait()

    def when_answered(self, unanswered: Unanswered, do: Callable[[], None]) -> None:
        """Do something again when it is answered what it depends on, from its beginning."""
        self.go_on_when_answered(unanswered, until_answered(do, unanswered.names))

    def go_on_when_answered(self, unanswered: Unanswered, slices: Slices) -> None:
        """Begin this work, or go on with it, when something is answered."""
        self._slices = slices
        self._hold()
        self._pin(unanswered, slices)

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
        pinned, self._pinned = self._pinned, []
        for asked in pinned:
            asked.release()

    def _hold(self) -> None:
        self._done = 0
        self.busy = True
        self._gate.close(NOT_ITS_TURN)

    def _wait(self) -> None:
        self._hold()
        self._broker.chores.add(self._do_slice)

    def _do_slice(self) -> bool:
        if not self.busy:
            return False
        slices = self._slices
        if slices is not None:
            try:
                unanswered = next(slices)
            except StopIteration:
                pass
            except Exception as error:
                self.stop()
                self._failed(error)
                return False
            else:
                if unanswered is not None and self.busy:
                    self._pin(unanswered, slices)
                    return False
                return self.busy
        self.stop()
        self._gate.open(NOT_ITS_TURN)
        self._go_on()
        return False

    def _pin(self, unanswered: Unanswered, slices: Slices) -> None:
        self._pinned.append(unanswered.pin(lambda: self._answered(slices)))

    def _answered(self, slices: Slices) -> None:
        if self._slices is slices:
            self._broker.chores.add(self._do_slice)
