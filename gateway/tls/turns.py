"""Handshakes take turns, so that what they cost the other connections at a time is bounded.

A handshake means a signature on the hub's thread: a quarter of a millisecond with a P-256 key, more than four with RSA
of 4096 bits.  When a fleet of devices reconnects, hundreds of them would be made in one turn, and everybody else would
wait for seconds.  So once the handshakes of a turn have taken `TURN_NS`, the others wait: nothing more is read from
them, and a timer that is due at once lets them go on, as long again, between the hub's own turns.

Who has begun comes before who hasn't: with more clients than there is time for until they are timed out, some get
through, rather than all only halfway.  A client that is timed out before its turn has cost nothing.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from warren.core.broker import Broker

TURN_NS: Final = 10_000_000
"""Handshakes of one turn, in nanoseconds: two with the slowest usual key, forty with a P-256 key."""

GoOn = Callable[[], None]


class HandshakeTurns:
    """One for all connections of a broker.  clock_ns: what handshakes are measured with."""

    def __init__(self, clock_ns: Callable[[], int] = time.perf_counter_ns) -> None:
        self.clock_ns = clock_ns
        self._turn_ms = 0
        self._taken_ns = 0
        self._waiting: deque[GoOn] = deque()

    def is_open(self, broker: Broker) -> bool:
        """Whether a handshake may go on in this turn of the hub."""
        return not self._waiting and self._is_time_left(broker.now_ms)

    def count(self, taken_ns: int) -> None:
        """A step of a handshake has taken so long."""
        self._taken_ns += taken_ns

    def wait(self, broker: Broker, go_on: GoOn, *, has_begun: bool) -> None:
        """Have `go_on` called when there is time again; it raises nothing, and knows when it has become pointless."""
        if not self._waiting:
            broker.deadlines.schedule(broker.now_ms, lambda now_ms: self._run(broker))
        if has_begun:
            self._waiting.appendleft(go_on)
        else:
            self._waiting.append(go_on)

    def _run(self, broker: Broker) -> None:
        while self._waiting and self._is_time_left(broker.now_ms):
            self._waiting.popleft()()
        if self._waiting:
            broker.deadlines.schedule(broker.now_ms, lambda now_ms: self._run(broker))

    def _is_time_left(self, now_ms: int) -> bool:
        """The broker's time stands still during a turn, and a turn that has used up its time moves it."""
        if now_ms != self._turn_ms:
            self._turn_ms = now_ms
            self._taken_ns = 0
        return self._taken_ns < TURN_NS
