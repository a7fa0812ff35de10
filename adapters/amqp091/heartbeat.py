"""Heartbeats of one connection (AMQP 0-9-1 4.2.7; spec A.3).

Sender: every half interval, a heartbeat frame goes out unless something else did.  Receiver: checked every interval,
two checks in a row without a byte received end the connection, so a dead peer is noticed after two to three intervals.
While the broker itself doesn't read the connection, its silence says nothing and isn't counted.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from warren.adapters.amqp091.codec.framing import HEARTBEAT_FRAME

if TYPE_CHECKING:
    from warren.adapters.amqp091.connection import Connection

_log = logging.getLogger("warren.amqp")

SILENT_CHECKS_MAX: Final = 2


class Heartbeat:
    """Runs from connection.open-ok to the end of the connection, on the broker's deadlines."""

    __slots__ = (
        "_connection",
        "_interval_ms",
        "_receiving",
        "_seen_received",
        "_seen_sent",
        "_sending",
        "_silent",
    )

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._interval_ms = connection.heartbeat_s * 1000
        self._silent = 0
        self._seen_sent = connection.transport.sent_bytes
        self._seen_received = connection.transport.received_bytes
        deadlines = connection.broker.deadlines
        now_ms = connection.broker.now_ms
        self._sending = deadlines.schedule(now_ms + self._interval_ms // 2, self._send)
        self._receiving = deadlines.schedule(now_ms + self._interval_ms, self._check)

    def stop(self) -> None:
        """The connection ends."""
        self._sending.cancel()
        self._receiving.cancel()

    def _send(self, now_ms: int) -> None:
        connection = self._connection
        sent = connection.transport.sent_bytes
        if sent == self._seen_sent:
            connection.outbox.write(HEARTBEAT_FRAME)
            sent += len(HEARTBEAT_FRAME)
        self._seen_sent = sent
        self._sending = connection.broker.deadlines.schedule(now_ms + self._interval_ms // 2, self._send)

    def _check(self, now_ms: int) -> None:
        connection = self._connection
        if connection.transport.received_bytes != self._seen_received or not connection.read_gate.is_open:
            self._silent = 0
            self._seen_received = connection.transport.received_bytes
        else:
            self._silent += 1
        if self._silent >= SILENT_CHECKS_MAX:
            _log.warning(
                "connection %s: missed heartbeats from client, timeout: %ds",
                connection.name,
                connection.heartbeat_s,
            )
            connection.state = "closed"
            connection.transport.abort()
            return
        self._receiving = connection.broker.deadlines.schedule(now_ms + self._interval_ms, self._check)
