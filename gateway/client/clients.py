"""All in-process clients of one run of the broker: how they come, and how they go with it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from warren.adapters.direct.errors import ClientClosed
from warren.adapters.direct.session import DirectSession
from warren.core.access.accounts import BROKER, User
from warren.gateway.client.client import BrokerClient

if TYPE_CHECKING:
    from warren.gateway.network.hub import Hub


class Clients:
    """See the head of this file."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._sessions: set[DirectSession] = set()
        self._last_number = 0
        self._stopped: ClientClosed | None = None

    @asynccontextmanager
    async def connect(self, user: User | str | None, vhost: str, name: str) -> AsyncIterator[BrokerClient]:
        """A client for the length of a block.

        user: whose permissions and limits count, by name or as logged in; None: the broker itself, which may do
        everything.  name: what the
        client calls itself in listings.  Raises NotFound for an unknown user; NotAllowed (530) for a virtual host that
        isn't there or isn't the user's, or when a limit is reached; ClientClosed when the broker has stopped.
        """
        if self._stopped is not None:
            raise self._stopped
        hub = self._hub
        hub.note_time()
        self._last_number += 1
        session = DirectSession(
            hub.broker,
            BROKER if user is None else user if isinstance(user, User) else hub.broker.users[user],
            vhost,
            name=f"direct {self._last_number}",
            provided_name=name,
            changed=hub.request_turn,
        )
        self._sessions.add(session)
        try:
            yield BrokerClient(hub, session)
        finally:
            self._sessions.discard(session)
            hub.note_time()
            session.close()

    def close(self, reason: str) -> None:
        """The broker stops: whoever is left is told, and nobody can come any more."""
        self._stopped = ClientClosed(f"CONNECTION_FORCED - {reason}")
        for session in list(self._sessions):
            session.close(self._stopped)
