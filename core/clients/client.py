"""Who is connected: the identity behind a session, as the broker's core sees it.

A client counts towards the limits on connections and channels (`core.clients.limits`) from its making to `close`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from warren.core.brief import LIFE_MAX_MS, Brief
from warren.core.clients.limits import check_channel
from warren.core.clients.transport import peer_of
from warren.core.counters import ConnectionCounts

if TYPE_CHECKING:
    from collections.abc import Callable

    from warren.core.access.accounts import User
    from warren.core.access.permissions import ResourceKind, Verb
    from warren.core.access.topic_permissions import TopicVerb
    from warren.core.deadlines import Deadline
    from warren.core.messages.field_table import FieldValue
    from warren.core.queues.base import Queue
    from warren.core.routing.vhost import VirtualHost


class WorkRation(Protocol):
    """How much a connection may have done in a turn."""

    def use_up(self) -> None:
        """What has just been done was all for this turn."""

    def spend(self, commands: int) -> None:
        """What has just been done was as much as so many commands."""


class Client:
    """One authenticated connection: its user, its vhost, and what must go when it goes.

    name: `peer host:port -> own host:port`, as RabbitMQ's tools show a connection.
    id: what the client calls itself, where the protocol has a field for that.  properties: what it says of itself.
    counts: of its messages (core/counters.py).  ration: the session's, if what the peer sends can wait.  made_at_ms:
    when it logged in.
    """

    __slots__ = (
        "_channels",
        "_expired",
        "_expiry",
        "_open",
        "counts",
        "exclusive_queues",
        "id",
        "made_at_ms",
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
        self.id = ""
        self.exclusive_queues: dict[str, Queue] = {}
        self.counts = ConnectionCounts(vhost, vhost.broker.message_sizes.of(protocol))
        self.ration: WorkRation | None = None
        self.made_at_ms = vhost.broker.now_ms
        self.usage = vhost.broker.usage_of(user.name)
        self._channels = 0
        self._open = True
        self._expired: Callable[[], None] | None = None
        self._expiry: Deadline | None = None
        self.usage.connections += 1
        vhost.client_count += 1
        vhost.broker.client_count += 1
        vhost.broker.churn.connection_created += 1
        if user.rights is not None:
            vhost.broker.rechecks.entered(user.name, vhost.name)

    @property
    def tags(self) -> frozenset[str]:
        """The user's tags as they are now, which may be others than at the login."""
        if self.user.rights is not None:
            return self.user.rights.tags
        now = self.vhost.broker.users.get(self.user.name)
        return self.user.tags if now is None else now.tags

    def when_expired(self, expired: Callable[[], None]) -> None:
        """Have `expired` called when what the user has logged in with stops being valid, such as a token."""
        self._expired = expired
        self._watch_expiry()

    def renew(self, secret: str) -> None:
        """Take another secret in place of the one that was logged in with, such as a newer token.

        AccessRefused when it isn't taken, and nothing has changed; Unanswered where that has to be asked.  Users of the
        broker's own have no use for it.
        """
        rights = self.user.rights
        if rights is not None:
            rights.renew(secret)
            broker = self.vhost.broker
            broker.users.rely_on_routes_no_more()
            broker.withdrawals.note(self.user.name, self.vhost.name)
            self._watch_expiry()

    def _watch_expiry(self) -> None:
        self._stop_watching()
        rights = self.user.rights
        at_ms = None if rights is None else rights.expires_at_ms
        if at_ms is not None:
            self._expiry = self.vhost.broker.deadlines.schedule(at_ms, lambda now_ms: self._has_expired())

    def _has_expired(self) -> None:
        self._expiry = None
        if self._expired is not None and self._open:
            self._expired()

    def _stop_watching(self) -> None:
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None

    def check(self, kind: ResourceKind, name: str, verb: Verb) -> None:
        """Raise AccessRefused (403) unless the user may do `verb` to the queue or exchange `name`."""
        self.vhost.broker.users.check(self.user, self.vhost.name, kind, name, verb)

    def check_topic(self, exchange: str, routing_key: str, verb: TopicVerb) -> None:
        """Raise AccessRefused (403) unless the user may use this key with a topic exchange."""
        self.vhost.broker.users.check_topic(self.user, self.vhost.name, exchange, routing_key, verb)

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
            self._stop_watching()
            self._close_channels(self._channels)
            self.usage.connections -= 1
            self.vhost.client_count -= 1
            self.vhost.broker.client_count -= 1
            self.vhost.broker.churn.connection_closed += 1
            self.vhost.broker.ended.client_gone(self)
            self._note_brief()
            if self.user.rights is not None:
                self.vhost.broker.rechecks.left(self.user.name, self.vhost.name)

    def _note_brief(self) -> None:
        broker = self.vhost.broker
        life_ms = broker.now_ms - self.made_at_ms
        peer = str(peer_of(self.name).get("peer_host", ""))
        if peer and life_ms <= LIFE_MAX_MS:
            counts = self.counts.snapshot()
            whose = Brief("connection", self.vhost.name, self.user.name, f"{peer} ({self.protocol})")
            broker.brief.ended(whose, life_ms, counts["publish"] + counts["deliver_get"], broker.now_ms)

    def _close_channels(self, count: int) -> None:
        count = min(count, self._channels)
        self._channels -= count
        self.usage.channels -= count
        self.vhost.broker.channel_count -= count
        self.vhost.broker.churn.channel_closed += count
