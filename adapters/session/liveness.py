"""Whether the peer is still there, and telling it that the broker is: heartbeats and keep-alives, on broker deadlines.

    Beats       to the peer: every half interval something goes out, a beat unless anything else did
    Silence     from the peer, as AMQP 0-9-1 4.2.7 and STOMP 1.2 "Heart-beating" have it: looked at every interval, two
                looks in a row without a byte received end the connection, so within two to three intervals
    KeepAlive   from the peer, as MQTT has it: one and a half intervals without a packet, to the millisecond

While the broker itself doesn't read a connection, the peer's silence says nothing, and isn't counted.  Bytes are
counted by the transport: any octet is a sign of life, also one that a stage in between keeps for now, and nothing has
to be noted per read or write.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from warren.adapters.session.read_gate import ReadGate
    from warren.core.broker import Broker
    from warren.core.clients.outbox import Outbox
    from warren.core.clients.transport import Transport

SILENT_LOOKS_MAX: Final = 2
"""One may fall right behind a sign of life; two in a row are at least a whole interval (spec A.3)."""


class Beats:
    """Sends `beat` when nothing else was sent for half of `interval_ms`, until `stop`."""

    __slots__ = ("_beat", "_broker", "_deadline", "_half_ms", "_outbox", "_seen")

    def __init__(self, broker: Broker, outbox: Outbox, interval_ms: int, beat: bytes) -> None:
        self._broker = broker
        self._outbox = outbox
        self._half_ms = interval_ms // 2
        self._beat = beat
        self._seen = outbox.transport.sent_bytes
        self._deadline = broker.deadlines.schedule(broker.now_ms + self._half_ms, self._look)

    def stop(self) -> None:
        """The connection ends."""
        self._deadline.cancel()

    def _look(self, now_ms: int) -> None:
        sent = self._outbox.transport.sent_bytes
        if sent == self._seen:
            self._outbox.write(self._beat)
            # What hasn't been sent yet counts as sent: a peer that doesn't read gets no pile of beats at once.
            sent += len(self._beat)
        self._seen = sent
        self._deadline = self._broker.deadlines.schedule(now_ms + self._half_ms, self._look)


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
