"""Who is connected: the identity behind a session, as the broker's core sees it.

A client counts towards the limits on connections and channels (`core.clients.limits`) from its making to `close`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from warren.core.clients.limits import check_channel
from warren.core.counters import ConnectionCounts

if TYPE_CHECKING:
    from warren.core.access.accounts import User
    from warren.core.access.permissions import ResourceKind, Verb
    from warren.core.access.topic_permissions import TopicVerb
    from warren.core.messages.field_table import FieldValue
    from warren.core.queues.base import Queue
    from warren.core.routing.vhost import VirtualHost


class WorkRation(Protocol):
    """How much a connection may have done in a turn."""

    def use_up(self) -> None:
        """What has just been done was all for this turn."""


class Client:
    """One authenticated connection: its user, its vhost, and what must go when it goes.

    name: `peer host:port -> own host:port`, as RabbitMQ's tools show a connection.
    properties: what the client says of itself.  counts: of its messages (core/counters.py).  ration: the session's, if
    what the peer sends can wait.
    """

    __slots__ = (
        "_channels",
        "_open",
        "counts",
        "exclusive_queues",
        "name",
        "properties",
        "protocol",
        "ration",
        "usage",
        "user",
        "vhost",
    )

    def __init__(
        self,
        name: str,
        user: User,
        vhost: VirtualHost,
        protocol: str,
        properties: Mapping[str, FieldValue],
    ) -> None:
        self.name = name
        self.user = user
        self.vhost = vhost
        self.protocol = protocol
        self.properties = properties
        self.exclusive_queues: dict[str, Queue] = {}
        self.counts = ConnectionCounts(vhost)
        self.ration: WorkRation | None = None
        self.usage = vhost.broker.usage_of(user.name)
        self._channels = 0
        self._open = True
        self.usage.connections += 1
        vhost.client_count += 1
        vhost.broker.client_count += 1
        vhost.broker.churn.connection_created += 1

    @property
    def tags(self) -> frozenset[str]:
        """The user's tags as they are now, which may be others than at the login."""
        now = self.vhost.broker.users.get(self.user.name)
        return self.user.tags if now is None else now.tags

    def check(self, kind: ResourceKind, name: str, verb: Verb) -> None:
        """Raise AccessRefused (403) unless the user may do `verb` to the queue or exchange `name`."""
        self.vhost.broker.users.check(self.user.name, self.vhost.name, kind, name, verb)

    def check_topic(self, exchange: str, routing_key: str, verb: TopicVerb) -> None:
        """Raise AccessRefused (403) unless the user may use this key with a topic exchange."""
        self.vhost.broker.users.check_topic(self.user.name, self.vhost.name, exchange, routing_key, verb)

    def check_owner(self, queue: Queue) -> None:
        """Raise ResourceLocked (405) for a queue that belongs to another connection."""
        queue.check_owner(self)

    def open_channel(self) -> None:
        """A channel, or what comes nearest to it, is being opened; NotAllowed (530) when that is one too many."""
        check_channel(self)
        self._channels += 1
        self.usage.channels += 1
        self.vhost.broker.channel_count += 1
        self.vhost.broker.churn.channel_created += 1

    def close_channel(self) -> None:
        """One of the channels is closed."""
        self._close_channels(1)

    def close(self) -> None:
        """The connection ended: it counts towards limits no more.  A second call does nothing."""
        if self._open:
            self._open = False
            self._close_channels(self._channels)
            self.usage.connections -= 1
            self.vhost.client_count -= 1
            self.vhost.broker.client_count -= 1
            self.vhost.broker.churn.connection_closed += 1
            self.vhost.broker.ended.client_gone(self)

    def _close_channels(self, count: int) -> None:
        count = min(count, self._channels)
        self._channels -= count
        self.usage.channels -= count
        self.vhost.broker.channel_count -= count
        self.vhost.broker.churn.channel_closed += count
