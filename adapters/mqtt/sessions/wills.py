"""Wills that wait: messages to publish for clients that are gone, once their delay is over (MQTT 5 3.1.3.2.2).

A will without delay is published at once and never comes here.  One that waits is a row of the definitions, so it is
published after a restart too, at its time or at the start, whichever is later.  It is dropped when its client comes
back, and published at once when the client's session ends before.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from warren.core.messages.properties import Properties

if TYPE_CHECKING:
    from warren.core.access.accounts import User
    from warren.core.broker import Broker
    from warren.core.deadlines import Deadline
    from warren.core.storage.definitions.store import JSON

KIND: Final = "mqtt_will"


class WillMessage:
    """What to publish.  properties: delivery mode and the internal headers included.  user, user_id: whose rights
    count, by name and id.  actor: the same as logged in, whom another back-end may know; the name after a restart.
    """

    __slots__ = ("actor", "body", "properties", "retain", "topic", "user", "user_id")

    def __init__(
        self,
        topic: str,
        body: bytes,
        properties: Properties,
        *,
        retain: bool,
        user: str = "",
        user_id: str = "",
        actor: User | None = None,
    ) -> None:
        self.topic = topic
        self.body = body
        self.properties = properties
        self.retain = retain
        self.user = user
        self.user_id = user_id
        self.actor: User | str = user if actor is None else actor


class Wills:
    """The waiting wills of one virtual host, by client identifier.  publish: what to do with a client's at its time."""

    __slots__ = ("_broker", "_publish", "_vhost", "_waiting")

    def __init__(self, broker: Broker, vhost: str, publish: Callable[[str, WillMessage], None]) -> None:
        self._broker = broker
        self._vhost = vhost
        self._publish = publish
        self._waiting: dict[str, tuple[WillMessage, Deadline]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def __bool__(self) -> bool:
        return len(self) > 0

    def put(self, client_id: str, will: WillMessage, at_ms: int) -> None:
        """Publish `will` at `at_ms`, unless the client comes back before; replaces an earlier one of the client."""
        self.cancel(client_id)
        self._wait(client_id, will, at_ms)
        self._broker.definitions.put(
            KIND,
            self._vhost,
            client_id,
            {
                "topic": will.topic,
                "body": base64.b64encode(will.body).decode(),
                "properties": base64.b64encode(will.properties.raw).decode(),
                "retain": will.retain,
                "at_ms": at_ms,
                "user": will.user,
                "user_id": will.user_id,
            },
        )

    def has(self, client_id: str) -> bool:
        """Whether one of the client's waits."""
        return client_id in self._waiting

    def waiting(self) -> list[tuple[str, WillMessage]]:
        """All of them, with their clients' identifiers."""
        return [(client_id, will) for client_id, (will, _) in self._waiting.items()]

    def cancel(self, client_id: str) -> bool:
        """The client is back: nothing is published; False when there was nothing."""
        found = self._take(client_id)
        if found is not None:
            found[1].cancel()
        return found is not None

    def session_ended(self, client_id: str) -> None:
        """The client's session is over: its will isn't delayed any longer (MQTT-3.1.3-9)."""
        found = self._take(client_id)
        if found is not None:
            found[1].cancel()
            self._publish(client_id, found[0])

    def restore(self, client_id: str, row: Mapping[str, JSON]) -> None:
        """Take a row read back."""
        will = WillMessage(
            str(row["topic"]),
            base64.b64decode(str(row["body"])),
            Properties.parse(base64.b64decode(str(row["properties"]))),
            retain=row["retain"] is True,
            user=str(row.get("user", "")),
            user_id=str(row.get("user_id", "")),
        )
        self._wait(client_id, will, int(str(row["at_ms"])))

    def _wait(self, client_id: str, will: WillMessage, at_ms: int) -> None:
        deadline = self._broker.deadlines.schedule(at_ms, lambda now_ms: self.session_ended(client_id))
        self._waiting[client_id] = (will, deadline)

    def _take(self, client_id: str) -> tuple[WillMessage, Deadline] | None:
        found = self._waiting.pop(client_id, None)
        if found is not None:
            self._broker.definitions.delete(KIND, self._vhost, client_id)
        return found
