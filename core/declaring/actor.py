"""Who declares, deletes and binds: a client, or an administrator, who has no connection.

The rules in this room are the same for both.  They differ in what may be refused: a client has its user's permissions
and can't touch what another connection has for itself; an administrator may act for a user, whose permissions count
then (the management API), or for the broker's owner, who may do everything (the control socket).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from warren.core.access.permissions import ResourceKind, Verb
from warren.core.access.topic_permissions import TopicVerb

if TYPE_CHECKING:
    from warren.core.access.accounts import User
    from warren.core.queues.base import Queue
    from warren.core.routing.vhost import VirtualHost


class Actor(Protocol):
    """See the head of this file."""

    @property
    def vhost(self) -> VirtualHost:
        """Where it acts."""

    def check(self, kind: ResourceKind, name: str, verb: Verb) -> None:
        """Raise AccessRefused (403) unless it may do `verb` to the queue or exchange `name`."""

    def check_topic(self, exchange: str, routing_key: str, verb: TopicVerb) -> None:
        """Raise AccessRefused (403) unless it may use this key with a topic exchange."""

    def check_owner(self, queue: Queue) -> None:
        """Raise ResourceLocked (405) for a queue that belongs to another connection."""


class Administrator:
    """Somebody without a connection.

    user: whose permissions count, by name or as logged in; None for the broker's owner.
    """

    __slots__ = ("_user", "vhost")

    def __init__(self, vhost: VirtualHost, user: User | str | None = None) -> None:
        self.vhost = vhost
        self._user = user

    def check(self, kind: ResourceKind, name: str, verb: Verb) -> None:
        """AccessRefused (403) when the user lacks the permission; nothing is refused to the broker's owner."""
        if self._user is not None:
            self.vhost.broker.users.check(self._user, self.vhost.name, kind, name, verb)

    def check_topic(self, exchange: str, routing_key: str, verb: TopicVerb) -> None:
        """AccessRefused (403) when the user may not use the key; nothing is refused to the broker's owner."""
        if self._user is not None:
            self.vhost.broker.users.check_topic(self._user, self.vhost.name, exchange, routing_key, verb)

    def narrows_topics(self, exchange: str) -> bool:
        """True when `check_topic` may say different things of different keys."""
        return self._user is not None and self.vhost.broker.users.narrows_topics(self._user, self.vhost.name, exchange)

    def check_owner(self, queue: Queue) -> None:
        """ResourceLocked (405) for a queue of a connection; the broker's owner may touch that too."""
        if self._user is not None:
            queue.check_owner(None)
