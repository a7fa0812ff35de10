"""Where connections of a listener for streams meet who serves them.

The listener is open before plugins run, and while one is started again after an error; a connection that comes then
waits a little, and is closed if nobody has come for it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from warren.core.clients.transport import connection_name
from warren.core.component import Component

if TYPE_CHECKING:
    from warren.adapters.streams.session import StreamSession
    from warren.core.broker import Broker
    from warren.core.deadlines import Deadline

_log = logging.getLogger("warren.connection")

Take = Callable[["StreamSession"], None]
"""Serves a connection."""

WAITING_MAX: Final = 100
"""Connections that wait for somebody to serve them; the one that has waited longest is closed for a further one."""

WAIT_MS: Final = 10_000
"""How long they do: a plugin that failed is mostly there again after a second or two."""


class StreamDesk(Component):
    """Of one broker and the listeners of one name.

    path: where what is served is on ports that others share, while it is; nowhere if it is empty.
    """

    __slots__ = ("_broker", "_take", "_waiting", "name", "path")

    def __init__(self, broker: Broker, name: str) -> None:
        self.name = name
        self.path = b""
        self._broker = broker
        self._take: Take | None = None
        self._waiting: dict[StreamSession, Deadline] = {}

    def serve(self, take: Take, path: str = "") -> None:
        """Have connections served from now on, those first that wait.  path: see the class.

        Raises ValueError where somebody does that."""
        if self._take is not None:
            raise ValueError(f"connections of the listener '{self.name}' are served already")
        self._take = take
        self.path = path.encode("ascii")
        waiting, self._waiting = self._waiting, {}
        for session, deadline in waiting.items():
            deadline.cancel()
            if session.ended is None:
                take(session)

    def withdraw(self, take: Take) -> None:
        """Undo `serve`; nothing happens if it is somebody else who serves."""
        if self._take == take:
            self._take = None
            self.path = b""

    def offer(self, session: StreamSession) -> None:
        """A connection was accepted."""
        if self._take is not None:
            self._take(session)
            return
        broker = self._broker
        self._waiting[session] = broker.deadlines.schedule(broker.now_ms + WAIT_MS, lambda now_ms: self._close(session))
        if len(self._waiting) > WAITING_MAX:
            self._close(next(iter(self._waiting)))

    def _close(self, session: StreamSession) -> None:
        self._waiting.pop(session).cancel()
        _log.warning(
            "connection %s: nobody serves the listener '%s'; closing it. Enable a plugin that does, or see in the log "
            "why it doesn't run",
            connection_name(session.transport),
            self.name,
        )
        session.close()


def desk_of(broker: Broker, name: str) -> StreamDesk:
    """The desk of the listeners of this name; KeyError when they aren't for streams."""
    found = broker.components[name]
    if not isinstance(found, StreamDesk):
        raise KeyError(name)
    return found
