"""Packet identifiers that a client may have something under, though the broker has forgotten what.

A message of QoS 2 that is under way has its packet identifier in its record (session.py), and nowhere else.  Where that
record is damaged on disk, the message is lost, and with it what its client remembers it by: it would take the next
message under that identifier for the same one, and drop it.  Each start numbers from another place (`number_from`),
which puts that off, also where nobody knows that something was lost: after damage at the very end of the log, which
looks like a write that a crash cut short, or with a backup that is older than what the client remembers.  But
identifiers come round.

So at a start that finds damage, the sessions that were ever sent anything of QoS 2 are in doubt, and each identifier is
freed with the client before a message goes under it:

    PUBREL ->       the client forgets what it has under it, if anything (MQTT 5 4.3.3)
    PUBCOMP <-      it is free
    PUBLISH ->

A client answers PUBREL whether it knows the identifier or not (3.6.4; in MQTT 5 with 0x92, which is no error while a
session recovers).  Nobody can say which identifiers were lost, so the doubt is in the session's row, for as long as the
session lives.  Which ones have been freed is known while the broker runs: each costs its round trip once, and when all
have been, the doubt is over.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from warren.adapters.mqtt.sessions.strides import PACKET_ID_MAX

if TYPE_CHECKING:
    from warren.adapters.mqtt.sessions.registry import MqttSessions

ROW_FIELD: Final = "in_doubt"
"""Of a session's row, which says so."""


class Doubt:
    """Of one session.  waiting: what to do once an identifier is free, by identifier: PUBREL has gone out for it."""

    __slots__ = ("_free", "_free_count", "waiting")

    def __init__(self) -> None:
        self.waiting: dict[int, Callable[[], None]] = {}
        self._free = bytearray()
        self._free_count = 0

    @property
    def is_over(self) -> bool:
        """True when there is no identifier left that the client may have something under."""
        return self._free_count == PACKET_ID_MAX

    def is_free(self, packet_id: int) -> bool:
        """Whether the client has said that it has nothing under this one."""
        at = packet_id >> 3
        return at < len(self._free) and (self._free[at] >> (packet_id & 7)) & 1 == 1

    def freed(self, packet_id: int) -> Callable[[], None] | None:
        """PUBCOMP came: what waits for it; None when nobody had asked."""
        then = self.waiting.pop(packet_id, None)
        if then is not None:
            at = packet_id >> 3
            if at >= len(self._free):
                self._free += bytes(at + 1 - len(self._free))
            self._free[at] |= 1 << (packet_id & 7)
            self._free_count += 1
        return then


def doubt_all(sessions: MqttSessions) -> None:
    """Damage was found at the start: whatever was under way may have been lost."""
    for session in sessions.sessions.values():
        if session.numbers[1] and session.client_id not in sessions.doubts:
            sessions.doubts[session.client_id] = Doubt()
            session.save()
