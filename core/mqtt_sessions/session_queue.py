"""The queue behind an MQTT session: a classic queue that lets messages of QoS 0 go when they are too many.

What was published with QoS 0 isn't kept for a client that is away, and for one that is too slow only up to a bound
(MQTT allows both); what asks for more is kept as in any queue, within the limits that policies set.  Trimming happens
at the end of a batch, when the client has had its chance, and looks at no message twice: `_kept` counts those at the
head that were looked at before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.queues.classic import ClassicQueue

if TYPE_CHECKING:
    from core.message import Message

QUEUED_QOS_0_MAX = 20_000
"""Messages that may wait for a slow client before those of QoS 0 are dropped: some seconds of a fast publisher."""

QUEUED_QOS_0_BYTES_MAX = 32 * 1024 * 1024
"""The same in bytes of their bodies."""


class MqttQueue(ClassicQueue):
    """See the head of this file."""

    __slots__ = ("_kept",)

    type_name = "mqtt"

    _kept: int

    def drain(self) -> None:
        super().drain()
        if self._ready and (
            not self.consumers or len(self._ready) > QUEUED_QOS_0_MAX or self.ready_bytes > QUEUED_QOS_0_BYTES_MAX
        ):
            self._trim()

    def _trim(self) -> None:
        """Drop messages of QoS 0 from the tail, the newest first."""
        entries = self._ready
        kept = min(getattr(self, "_kept", 0), len(entries))
        if self.consumers and self.ready_bytes <= QUEUED_QOS_0_BYTES_MAX:
            kept = max(kept, QUEUED_QOS_0_MAX)
        tail: list[Message | int] = []
        dropped = 0
        while len(entries) > kept:
            entry = entries.pop()
            if isinstance(entry, int) or entry.properties.persistent:
                tail.append(entry)
            else:
                dropped += 1
                self.ready_bytes -= entry.body_size
                self._returned.pop(entry.sequence, None)
        tail.reverse()
        entries.extend(tail)
        self._kept = len(entries)
        self.vhost.broker.mqtt.dropped += dropped
