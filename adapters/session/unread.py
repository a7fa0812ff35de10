"""A peer that sends commands and doesn't read the replies: hold it, then cut it off.

Replies are always written to the outbox, whatever its room, since a command without an answer would be worse.  So a
session whose outbox is overfull takes no more commands, and goes on when the peer has read everything.  A peer that
reads something gets its time anew; one that reads nothing for that long is gone.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from warren.adapters.session.read_gate import UNREAD_REPLIES
from warren.core.clients.transport import connection_name

if TYPE_CHECKING:
    from warren.adapters.session.read_gate import ReadGate
    from warren.core.broker import Broker
    from warren.core.clients.outbox import Outbox
    from warren.core.deadlines import Deadline

_log = logging.getLogger("warren.connection")


class UnreadReplies:
    """One session's; suspended: True while the peer has too much to read before it may send more commands.

    timeout_ms: how long the peer may read nothing, in milliseconds; 0 for ever.
    """

    __slots__ = ("_broker", "_deadline", "_gate", "_outbox", "_timeout_ms", "suspended")

    def __init__(self, broker: Broker, outbox: Outbox, gate: ReadGate, timeout_ms: int) -> None:
        self._broker = broker
        self._outbox = outbox
        self._gate = gate
        self._timeout_ms = timeout_ms
        self._deadline: Deadline | None = None
        self.suspended = False

    def look(self) -> None:
        """Something was answered: stop reading from the peer until it has read, if that was too much."""
        if self._outbox.overfull and not self.suspended:
            self._suspend()

    def _suspend(self) -> None:
        self.suspended = True
        self._gate.close(UNREAD_REPLIES)
        if not self._timeout_ms:
            return
        room = self._outbox.room
        self._deadline = self._broker.deadlines.schedule(
            self._broker.now_ms + self._timeout_ms, lambda now_ms: self._cut_off_unless_read(room)
        )

    def read(self) -> None:
        """The peer has read it all, and the session goes on."""
        self.suspended = False
        self.stop()
        self._gate.open(UNREAD_REPLIES)

    def stop(self) -> None:
        """The connection ends: nobody is waited for."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _cut_off_unless_read(self, room: int) -> None:
        if self._outbox.room > room:
            self._suspend()
            return
        self._broker.limit_hits.count("unread replies")
        _log.warning(
            "connection %s: peer has not read its replies for %d s; cutting it off",
            connection_name(self._outbox.transport),
            self._timeout_ms // 1000,
        )
        self._outbox.transport.abort()
