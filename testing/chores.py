"""What the broker's process does for a test, by name: virtual hosts, looks into them, and faults.

Each chore takes what the request names and gives what JSON can say; what it can't do is a BrokerError or a ValueError,
whose text the test sees.
"""

from __future__ import annotations

import base64
from functools import partial
from typing import TYPE_CHECKING, Any

from warren.adapters.amqp091.connection import Connection
from warren.core.administration import operations
from warren.core.errors import BrokerError, NotFound, PreconditionFailed, Scope
from warren.core.messages.internal_headers import without_internal
from warren.core.queues.classic import watched
from warren.core.queues.classic.queue import ClassicQueue
from warren.core.queues.stream.queue import StreamQueue
from warren.gateway.network.answered import answered
from warren.gateway.turns import in_turns
from warren.testing.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from warren.core.broker import Broker
    from warren.core.messages.message import Message
    from warren.core.routing.vhost import VirtualHost
    from warren.gateway.server import Server

EVERYTHING = (".*", ".*", ".*")

SOURCE = "a test"
"""Who raises alarms, and where definitions come from."""

CONNECTION_FORCED = 320


class ClosedByTest(BrokerError):
    """What a test wants a client to be told; the reply code is a subclass's."""

    scope = Scope.CONNECTION

    @property
    def reply_text(self) -> str:
        """As the test says it."""
        return self.text


class Chores:
    """See the head of this file; the public methods are the chores.  user: whom tests log in as."""

    def __init__(self, server: Server, user: str) -> None:
        self._server = server
        self._user = user
        self._recorders: dict[str, Recorder] = {}

    @property
    def _broker(self) -> Broker:
        return self._server.broker

    def _vhost(self, name: str) -> VirtualHost:
        return operations.vhosts.existing(self._broker, name)

    # Virtual hosts

    def open_vhost(self, vhost: str) -> None:
        """Make it, unless it is there since before a restart; what is published to it is remembered from now on."""
        operations.vhosts.add(self._broker, vhost)
        operations.permissions.set_permissions(self._broker, self._user, vhost, *EVERYTHING)
        operations.vhosts.set_tracing(self._broker, vhost, True)
        self._recorders[vhost] = Recorder(self._vhost(vhost))

    async def delete_vhost(self, vhost: str) -> None:
        """With all that is in it; its connections are closed."""
        self._recorders.pop(vhost, None)
        if vhost in self._broker.vhosts:
            await answered(partial(operations.vhosts.delete, self._broker, vhost), self._server.changed)

    def import_definitions(self, document: str) -> list[str]:
        """The warnings of an import."""
        imported = operations.definitions.import_document(self._broker, document, None, source=SOURCE)
        return imported.warnings

    # Looks

    def rows(self, what: str, vhost: str) -> list[dict[str, object]]:
        """Of queues, exchanges, bindings, consumers, or of connections and channels to the virtual host."""
        self._vhost(vhost)
        return [row for row in self._broker.inspect(what, vhost) if row.get("vhost", vhost) == vhost]

    async def messages(self, vhost: str, queue: str, count: int) -> list[dict[str, object]]:
        """Those that wait for a consumer; they stay where they are."""
        found = await in_turns(operations.queues.messages(self._broker, vhost, queue, count=count))
        return [{**_shown(each.message), "redelivered": each.redelivered} for each in found]

    def published(self, vhost: str, exchange: str | None, routing_key: str | None) -> list[Any]:
        """What recorder.py says of it."""
        self._vhost(vhost)
        return list(self._recorders[vhost].records(exchange, routing_key))

    # Faults

    def close_connection(self, connection: str, code: int, text: str) -> None:
        """Close the connection of this name or pid.  Protocols without reply codes are told the text."""
        for session in list(self._broker.sessions):
            row = session.connection_row()
            if connection in (row.pid, row.name):
                if isinstance(session, Connection):
                    session.cannot_go_on(type("Closed", (ClosedByTest,), {"code": code})(text))
                elif code == CONNECTION_FORCED:
                    session.force_close(text)
                else:
                    raise ValueError(f"{row.protocol} knows no reply codes: only {CONNECTION_FORCED} is possible")
                return
        raise NotFound(f"no connection has the pid or name '{connection}'")

    def set_alarm(self, resource: str, raised: bool) -> None:
        """memory or disk."""
        self._broker.alarms.set(resource, raised, source=SOURCE)

    def refuse(self, vhost: str, queues: Sequence[str], refuses: bool) -> None:
        """Have queues refuse what is published to them, so that publishers aren't confirmed, or take it again."""
        host = self._vhost(vhost)
        found = [host.queue(name) for name in queues]
        for queue in found:
            if not isinstance(queue, ClassicQueue | StreamQueue):
                raise PreconditionFailed(
                    f"{queue.description} is of type {queue.type_name}, which can't refuse messages; "
                    "classic and quorum queues and streams can"
                )
        for queue in found:
            if isinstance(queue, ClassicQueue):
                watched.refuse(queue, refuses)
            elif isinstance(queue, StreamQueue):
                queue.refuses = refuses
        host.changed()


def _shown(message: Message) -> dict[str, object]:
    return {
        "exchange": message.address.exchange,
        "routing_key": message.address.routing_key,
        "properties": without_internal(message.properties).fields(),
        "body": base64.b64encode(message.body).decode(),
    }
