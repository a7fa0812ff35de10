"""Whether the peer is still there, and telling it that the broker is: heartbeats and keep-alives, on broker deadlines.

    Beats       to the peer: a beat every half interval, so that one which comes late is still in time
    Silence     from the peer, as AMQP 0-9-1 4.2.7 and STOMP 1.2 "Heart-beating" have it: looked at every interval, two
                looks in a row without a byte received end the connection, so within two to three intervals
    KeepAlive   from the peer, as MQTT has it: one and a half intervals without a packet, to the millisecond

Beats aren't put off by other traffic: what went out last is known to nobody without asking for the time with each send,
and a beat put off to the next look would come up to a whole interval after it.  One that finds bytes waiting for the
peer is left out, as those are a sign of life when the peer reads on.

Who has fallen silent is reset, not closed in good order (`Transport.reset`): a peer that is there after all finds out
with what it sends next, instead of losing it without a word.

While the broker itself doesn't read a connection, the peer's silence says nothing, and isn't counted.  Bytes are
counted by the transport: any octet is a sign of life, also one that a stage in between keeps for now, and nothing has
to be noted per read or write.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from warren.core.clients.outbox import HIGH_WATER_BYTES

if TYPE_CHECKING:
    from warren.adapters.session.read_gate import ReadGate
    from warren.core.broker import Broker
    from warren.core.clients.outbox import Outbox
    from warren.core.clients.transport import Transport

SILENT_LOOKS_MAX: Final = 2
"""One may fall right behind a sign of life; two in a row are at least a whole interval (spec A.3)."""


class Beats:
    """Sends `beat` every half of `interval_ms`, the first one half of it after the beginning, until `stop`."""

    __slots__ = ("_beat", "_broker", "_deadline", "_due_ms", "_half_ms", "_outbox")

    def __init__(self, broker: Broker, outbox: Outbox, interval_ms: int, beat: bytes) -> None:
        self._broker = broker
        self._outbox = outbox
        self._half_ms = interval_ms // 2
        self._beat = beat
        self._due_ms = broker.now_ms + self._half_ms
        self._deadline = broker.deadlines.schedule(self._due_ms, self._look)

    def stop(self) -> None:
        """The connection ends."""
        self._deadline.cancel()

    def _look(self, now_ms: int) -> None:
        if self._outbox.room >= HIGH_WATER_BYTES:
            self._outbox.write(self._beat)
        # A hub that was late with this one isn't with the next, unless it is late by a whole half.
        self._due_ms += self._half_ms
        if self._due_ms <= now_ms:
            self._due_ms = now_ms + self._half_ms
        self._deadline = self._broker.deadlines.schedule(self._due_ms, self._look)


class Silence:
    """Calls `on_silence` when nothing has come for two to three times `interval_ms`, unless `stop` comes before."""

    __slots__ = ("_broker", "_deadline", "_gate", "_interval_ms", "_on_silence", "_seen", "_silent", "_transport")

    def __init__(
        self, broker: Broker, transport: Transport, gate: ReadGate, interval_ms: int, on_silence: Callable[[], None]
    ) -> None:
        self._broker = broker
        self._transport = transport
        self._gate = gate
        self._interval_ms = interval_ms
        self._on_silence = on_silence
        self._seen = transport.received_bytes
        self._silent = 0
        self._deadline = broker.deadlines.schedule(broker.now_ms + interval_ms, self._look)

    def stop(self) -> None:
        """The connection ends."""
        self._deadline.cancel()

    def _look(self, now_ms: int) -> None:
        received = self._transport.received_bytes
        if received != self._seen or not self._gate.is_open:
            self._silent = 0
            self._seen = received
        else:
            self._silent += 1
        if self._silent >= SILENT_LOOKS_MAX:
            self._on_silence()
        else:
            self._deadline = self._broker.deadlines.schedule(now_ms + self._interval_ms, self._look)


class KeepAlive:
    """Calls `on_silence` one and a half times `interval_ms` after the last packet, unless `stop` comes before.

    last_heard_ms: asks when that came.  is_excused: asks whether the broker itself keeps the peer waiting.
    """

    __slots__ = ("_broker", "_deadline", "_interval_ms", "_is_excused", "_last_heard_ms", "_on_silence")

    def __init__(
        self,
        broker: Broker,
        interval_ms: int,
        *,
        last_heard_ms: Callable[[], int],
        is_excused: Callable[[], bool],
        on_silence: Callable[[], None],
    ) -> None:
        self._broker = broker
        self._interval_ms = interval_ms
        self._last_heard_ms = last_heard_ms
        self._is_excused = is_excused
        self._on_silence = on_silence
        self._deadline = broker.deadlines.schedule(broker.now_ms + interval_ms * 3 // 2, self._look)

    def stop(self) -> None:
        """The connection ends."""
        self._deadline.cancel()

    def _look(self, now_ms: int) -> None:
        due_ms = self._last_heard_ms() + self._interval_ms * 3 // 2
        if self._is_excused():
            due_ms = now_ms + self._interval_ms
        if due_ms > now_ms:
            self._deadline = self._broker.deadlines.schedule(due_ms, self._look)
        else:
            self._on_silence()
