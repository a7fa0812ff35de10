"""A peer that reads nothing while something waits for it: cut off, whatever the protocol, and whatever is in between.

Deliveries to such a peer stop at the room of its outbox, but what fills that, and what its consumers hold
unacknowledged, would stay for ever if it goes on sending signs of life.  Only the socket knows whether it reads, and
every protocol and every stage (TLS, WebSocket) ends in one, so that this is asked here alone: when the socket takes no
more, and then once per timeout as long as something waits.  What the kernel still keeps for the peer counts as not
read: it may keep megabytes, and calls a socket writable only when a good part of them has gone.  So a peer that reads
nothing is cut off after one to two timeouts, and one that reads however slowly never.  Nothing is done for a link whose
socket takes everything.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from warren.core.clients.transport import connection_name

if TYPE_CHECKING:
    from warren.core.deadlines import Deadline
    from warren.gateway.network.link import Link

_log = logging.getLogger("warren.connection")


class UnreadWatch:
    """Of one link."""

    __slots__ = ("_deadline", "_link", "_taken_bytes")

    def __init__(self, link: Link) -> None:
        self._link = link
        self._taken_bytes = 0
        self._deadline: Deadline | None = None

    def begin(self) -> None:
        """Bytes have begun to wait for the socket; nothing new while that is watched already."""
        timeout_ms = self._link.hub.unread_timeout_ms
        if self._deadline is None and timeout_ms:
            broker = self._link.hub.broker
            self._taken_bytes = self._link.taken_bytes
            self._deadline = broker.deadlines.schedule(broker.now_ms + timeout_ms, self._look)

    def stop(self) -> None:
        """The link closes."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _look(self, now_ms: int) -> None:
        self._deadline = None
        link = self._link
        if not link.unsent_bytes:
            return
        if link.taken_bytes != self._taken_bytes:
            self.begin()
            return
        link.hub.broker.limit_hits.count("unread_timeout_s")
        _log.warning(
            "connection %s: the peer has read nothing for %g s while %d bytes wait for it; cutting it off "
            "(unread_timeout_s)",
            connection_name(link),
            link.hub.unread_timeout_ms / 1000,
            link.unsent_bytes,
        )
        link.abort()
