"""What a connection sends only once something is on disk: PUBACK, PUBREC, PUBREL, PUBCOMP, and PUBLISH of QoS 2.

Answers go out in the order in which they were due (MQTT-4.6.0-2 to -4), so one that needs no disk waits behind one that
does.  The broker tells of flushes by `mark` and `flushed` (core.broker.Committed).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from warren.adapters.mqtt.codec.short_answers import PUBACK, PUBCOMP

if TYPE_CHECKING:
    from warren.core.broker import Broker
    from warren.core.clients.outbox import Outbox

_FINISHING: Final = (PUBACK, PUBCOMP)


class AfterFlush:
    """The waiting packets of one connection, or what makes them."""

    __slots__ = ("_asked", "_broker", "_outbox", "_waiting")

    def __init__(self, broker: Broker, outbox: Outbox) -> None:
        self._broker = broker
        self._outbox = outbox
        self._asked = 0
        self._waiting: deque[tuple[int, bytes | Callable[[], None]]] | None = None

    @property
    def count(self) -> int:
        """How many wait."""
        return len(self._waiting) if self._waiting else 0

    @property
    def finishing(self) -> int:
        """How many of those are PUBACK or PUBCOMP, which let the client send one message more; counted one by one."""
        return sum(1 for _, what in self._waiting or () if isinstance(what, bytes) and what[0] in _FINISHING)

    def send(self, packet: bytes, *, stored: bool) -> None:
        """Send a packet: at once, or after the next flush if it is `stored` or something waits before it."""
        if stored or self._waiting:
            self._wait(packet)
        else:
            self._outbox.write(packet)

    def call(self, call: Callable[[], None]) -> None:
        """Call `call` after the next flush, in its turn."""
        self._wait(call)

    def clear(self) -> None:
        """The connection ends."""
        self._waiting = None
        self._broker.awaiting_flush.pop(self, None)

    def _wait(self, what: bytes | Callable[[], None]) -> None:
        if self._waiting is None:
            self._waiting = deque()
        self._asked += 1
        self._waiting.append((self._asked, what))
        self._broker.awaiting_flush[self] = None

    # warren.core.broker.Committed

    def mark(self) -> int:
        """What a flush that begins now covers."""
        return self._asked

    def flushed(self, mark: int) -> None:
        """That flush is on disk."""
        waiting = self._waiting
        while waiting and waiting[0][0] <= mark:
            what = waiting.popleft()[1]
            if isinstance(what, bytes):
                self._outbox.write(what)
            else:
                what()
