"""What a session settles that is too much for one turn: slice by slice, one after the other, and to the end.

A window of half a million messages may be acknowledged by one command, or come back because a connection is lost.  What
fits into the turn (all sessions have one ration together, `Broker.settlements`) is done at once.  Anything else is done
in later turns (core.chores); until that is over, nothing else is done for the session: its commands wait, so that they
find what they would have found, and its socket isn't read.

What was asked for is done even when the session ends meanwhile, since it came before its end; and so what returns to
its queues then waits behind it.  A slice may give what is unanswered (core.access.answers): all waits for that, too.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from warren.adapters.session.read_gate import SETTLING

if TYPE_CHECKING:
    from warren.adapters.session.long_work import Slices
    from warren.adapters.session.read_gate import ReadGate
    from warren.core.access.answers import Awaited
    from warren.core.broker import Broker

_log = logging.getLogger("warren.connection")


class Settling:
    """Of one session.  gate: of its socket, if it has one.  go_on: called when what was under way is done."""

    __slots__ = ("_broker", "_gate", "_go_on", "_pinned", "_works")

    def __init__(self, broker: Broker, gate: ReadGate | None = None, go_on: Callable[[], None] | None = None) -> None:
        self._broker = broker
        self._gate = gate
        self._go_on = go_on
        self._works: deque[Slices] = deque()
        self._pinned: list[Awaited] = []

    @property
    def busy(self) -> bool:
        """True while something is being settled."""
        return bool(self._works)

    def may(self, work: int) -> bool:
        """True when so much may be done at once, as nothing is under way and it fits into this turn; 1 a message."""
        return not self._works and self._broker.settlements.take(work, self._broker.turn)

    def begin(self, slices: Slices) -> None:
        """Do this work slice by slice, behind what is under way."""
        self._works.append(slices)
        if len(self._works) == 1:
            if self._gate is not None:
                self._gate.close(SETTLING)
            self._broker.chores.add(self._do_slice, to_the_end=True)

    def then(self, call: Callable[[], None]) -> None:
        """Call when all that is under way is done, which may be now."""
        if self._works:
            self._works.append(_calling(call))
        else:
            call()

    def _do_slice(self) -> bool:
        try:
            unanswered = next(self._works[0])
        except StopIteration:
            self._done()
        except Exception:
            _log.exception("internal error while messages are settled")
            self._done()
        else:
            if unanswered is not None:
                self._pinned.append(unanswered.pin(self._answered))
                return False
        if self._works:
            return True
        if self._gate is not None:
            self._gate.open(SETTLING)
        if self._go_on is not None:
            self._go_on()
        return False

    def _done(self) -> None:
        self._works.popleft()
        pinned, self._pinned = self._pinned, []
        for asked in pinned:
            asked.release()

    def _answered(self) -> None:
        self._broker.chores.add(self._do_slice, to_the_end=True)


def _calling(call: Callable[[], None]) -> Iterator[None]:
    call()
    yield from ()
