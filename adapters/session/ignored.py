"""Input that is ignored because its connection, or its channel, is ending: never silently, as it may be a publish.

All protocols want such input ignored (AMQP 0-9-1 1.4.2.6 and 1.5.2.5, STOMP 1.2 "ERROR" and "DISCONNECT",
MQTT-3.14.4-2), but who sent it may believe that it was taken.  It is counted, and one line of the log says how much
came, when the connection or channel is gone.
"""

from __future__ import annotations

import logging

_log = logging.getLogger("warren.connection")


def log_ignored(name: str, count: int, what: str, after: str) -> None:
    """Say so, if there was any.  name: of the connection or channel; what, after: `bytes`, `its DISCONNECT`."""
    if count:
        _log.warning("connection %s: ignored %d %s that came after %s", name, count, what, after)
