"""Messages that are published together, though to prepare that takes several turns: others see all of them or none.

Each message's way is found beforehand, and what is stored of it is collected (`StorageEngine.long_group`).  To publish
them then is little for each: its number, its time, and its place at the end of its queues.  That goes for messages
whose queues and exchanges needn't be asked; and what was found holds for as long as nothing that it rests on has
changed (known_routes.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.core.routing.known_routes import KnownRoute, may_be_remembered

if TYPE_CHECKING:
    from warren.core.counters import SessionCounts
    from warren.core.messages.message import Message
    from warren.core.queues.base import Queue
    from warren.core.routing.route import Route
    from warren.core.routing.vhost import VirtualHost


class _Row:
    """The messages for one queue."""

    __slots__ = ("messages", "queue", "size_bytes")

    def __init__(self, queue: Queue) -> None:
        self.queue = queue
        self.messages: list[Message] = []
        self.size_bytes = 0


class Staged:
    """Of one transaction.  group: what the store has of it, for the caller to add when it is published."""

    __slots__ = ("_messages", "_routes", "_rows", "_version", "_vhost", "group")

    def __init__(self, vhost: VirtualHost) -> None:
        self.group = vhost.broker.store.long_group()
        self._vhost = vhost
        self._version = vhost.version
        self._messages: list[Message] = []
        self._rows: dict[int, _Row] = {}
        self._routes: dict[int, tuple[Route, int]] = {}

    @property
    def holds(self) -> bool:
        """False when something has changed: it is to be done anew."""
        return self._vhost.version == self._version

    def add(self, message: Message, route: Route) -> bool:
        """One more message, behind the others; False when it is none of those that can be prepared.

        To be called while the store is `collecting` the group.
        """
        if message.properties.special or not route.queues or route.holders:
            return False
        if not may_be_remembered(self._vhost, route):
            return False
        self._messages.append(message)
        _, count = self._routes.get(id(route), (route, 0))
        self._routes[id(route)] = (route, count + 1)
        for queue in route.queues:
            row = self._rows.get(id(queue))
            if row is None:
                row = self._rows[id(queue)] = _Row(queue)
            row.messages.append(message)
            row.size_bytes += message.body_size
        if message.properties.persistent and route.store_ids:
            self._vhost.broker.store.append(message, route.store_ids)
        return True

    def publish(self, counts: SessionCounts) -> None:
        """Now.  counts: of who publishes."""
        broker = self._vhost.broker
        sequence, now_ms = broker.sequence, broker.now_ms
        for message in self._messages:
            sequence += 1
            message.sequence = sequence
            message.published_at_ms = now_ms
        broker.sequence = sequence
        for row in self._rows.values():
            row.queue.append_all(row.messages, row.size_bytes)
        for route, count in self._routes.values():
            KnownRoute(route, counts).published(count)
