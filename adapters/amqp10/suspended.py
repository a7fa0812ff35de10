"""Links that are detached and may be resumed: what was unsettled on them, until they come back or expire (2.6.13).

A link is known by its two ends: the container and the user of the client, the virtual host, its name, and which way it
goes.  Of one that we send by, its unsettled messages are kept; they stay unacknowledged in their queues.  Of one that
we receive by, it is what became of the messages that the sender hasn't settled.

A component of the broker (core.component), which there is from the first link on that asks for being kept.  Nothing of
it goes to disk: a message that is unsettled is ready again in its queue after a restart, so that none is lost.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Final, cast

from warren.adapters.amqp10.expiry import CONNECTION_CLOSE, SESSION_END, Expiry
from warren.core.component import Component
from warren.core.declaring.queues import remove_queue

if TYPE_CHECKING:
    from warren.adapters.amqp10.amqp_session import AmqpSession
    from warren.adapters.amqp10.connection import Connection
    from warren.adapters.amqp10.incoming_link import Taken
    from warren.adapters.amqp10.link import Link
    from warren.core.broker import Broker
    from warren.core.deadlines import Deadline
    from warren.core.messages.message import Message
    from warren.core.queues.base import Queue

COMPONENT: Final = "amqp10"

LINKS_MAX: Final = 1024
"""Suspended links of a virtual host; the one that has been so for longest gives way to another one."""

UNSETTLED_MAX: Final = 1000
"""Unsettled messages that are kept of a link; of more, the newest go back to their queue."""

RELEASED_PER_SLICE: Final = 10
"""Links whose messages go back to their queues in one turn."""

LinkKey = tuple[str, str, str, str, bool]
"""Virtual host, user, container, name, and whether we send."""


class Suspended:
    """One such link.

    deliveries: unsettled ones of ours, by the delivery tags on the wire, in their order.  taken: those of the sender's,
    likewise.  attached: how often the link was attached.  queue: that we send from.
    """

    __slots__ = ("attached", "connection", "deadline", "deliveries", "expiry", "queue", "session", "taken", "user_id")

    def __init__(self, session: AmqpSession, expiry: Expiry, attached: int) -> None:
        self.session: AmqpSession | None = session
        self.connection: Connection | None = session.connection
        self.user_id = session.client.user.id
        self.expiry = expiry
        self.attached = attached
        self.queue: Queue | None = None
        self.deliveries: dict[bytes, tuple[Queue, Message]] = {}
        self.taken: dict[bytes, Taken] = {}
        self.deadline: Deadline | None = None

    def release(self) -> None:
        """It won't be resumed: what is unsettled goes back to its queue."""
        self.stop()
        deliveries, self.deliveries = self.deliveries, {}
        by_queue: dict[Queue, list[Message]] = {}
        for of, message in deliveries.values():
            by_queue.setdefault(of, []).append(message)
        for of, messages in by_queue.items():
            of.requeue(messages, failed=True)
        self.taken = {}
        queue = self.queue
        if queue is not None and queue.auto_delete and not queue.consumers:
            remove_queue(queue.vhost, queue)

    def stop(self) -> None:
        """No deadline any more."""
        if self.deadline is not None:
            self.deadline.cancel()
            self.deadline = None


def suspended_of(broker: Broker) -> SuspendedLinks:
    """Those of a broker."""
    found = broker.components.get(COMPONENT)
    if found is None:
        found = broker.components[COMPONENT] = SuspendedLinks(broker)
    return cast("SuspendedLinks", found)


def key_of(session: AmqpSession, name: str, *, is_sender: bool) -> LinkKey:
    """What the link is known by.  is_sender: whether we send by it."""
    client = session.client
    return (client.vhost.name, client.user.name, session.connection.agreed.container_id, name, is_sender)


class SuspendedLinks(Component):
    """All of a broker's; see the head of this file."""

    __slots__ = ("_attached", "_broker", "_links")

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._links: dict[LinkKey, Suspended] = {}
        self._attached: dict[LinkKey, Link] = {}

    def __len__(self) -> int:
        """How many there are."""
        return len(self._links)

    def __bool__(self) -> bool:
        return len(self) > 0

    def get(self, key: LinkKey) -> Suspended | None:
        """The one of this key."""
        return self._links.get(key)

    def items(self) -> list[tuple[LinkKey, Suspended]]:
        """All there are now."""
        return list(self._links.items())

    def add(self, key: LinkKey, link: Suspended, event: str, hold_ms: int) -> None:
        """Keep a link that was ended by `event` (expiry.py).  hold_ms: how long its messages may be kept; 0: ever."""
        of_vhost = [each for each in self._links if each[0] == key[0]]
        if len(of_vhost) >= LINKS_MAX:
            self._broker.limit_hits.count("suspended links of amqp10")
            self._drop(of_vhost[0])
        if key in self._links:
            self._drop(key)
        self._links[key] = link
        if link.deliveries and hold_ms:
            self._arm(key, link, hold_ms)
        self._ended(key, link, event)

    def attach(self, key: LinkKey, link: Link) -> Suspended | None:
        """The link is attached; what was kept of it, if it was suspended.

        A link that is to be kept and is still attached on another connection, which the broker doesn't know to be lost
        yet, is taken from there.
        """
        before = self._attached.pop(key, None)
        if before is not None and before.session.links.get(before.handle) is before:
            before.session.steal(before)
        if link.expiry.outlives_link:
            self._attached[key] = link
        found = self._links.pop(key, None)
        if found is not None:
            found.stop()
        return found

    def detached(self, key: LinkKey, link: Link) -> None:
        """It isn't attached any more."""
        if self._attached.get(key) is link:
            del self._attached[key]

    def session_ends(self, session: AmqpSession) -> None:
        """The timeouts of what ends with it begin."""
        for key, link in list(self._links.items()):
            if link.session is session:
                link.session = None
                self._ended(key, link, SESSION_END)

    def connection_ends(self, connection: Connection) -> None:
        """Likewise."""
        for key, link in list(self._links.items()):
            if link.connection is connection:
                link.connection = None
                self._ended(key, link, CONNECTION_CLOSE)

    def _ended(self, key: LinkKey, link: Suspended, event: str) -> None:
        if self._links.get(key) is not link or not link.expiry.begins_with(event):
            return
        if link.expiry.timeout_ms:
            self._arm(key, link, link.expiry.timeout_ms)
        else:
            self._drop(key)

    def _arm(self, key: LinkKey, link: Suspended, after_ms: int) -> None:
        at_ms = self._broker.now_ms + after_ms
        if link.deadline is not None and link.deadline.at_ms <= at_ms:
            return
        link.stop()

        def expire(now_ms: int) -> None:
            if self._links.get(key) is link:
                self._drop(key)

        link.deadline = self._broker.deadlines.schedule(at_ms, expire)

    def _drop(self, key: LinkKey) -> None:
        self._links.pop(key).release()

    def _drop_in_slices(self, keys: list[LinkKey]) -> Iterator[None]:
        for count, key in enumerate(keys, 1):
            if key in self._links:
                self._drop(key)
            if count % RELEASED_PER_SLICE == 0:
                yield

    # Component

    def leave_vhost(self, name: str) -> Iterator[None]:
        """See Component.leave_vhost."""
        return self._drop_in_slices([key for key in self._links if key[0] == name])

    def forget_users(self, users: Collection[str]) -> Iterator[None]:
        """See Component.forget_users."""
        owns = self._broker.users.owns
        return self._drop_in_slices([key for key, link in self._links.items() if not owns(key[1], link.user_id)])

    def rights_withdrawn(self, vhost: str, users: Collection[str]) -> Iterator[None]:
        """What these users have unsettled goes back: they may be shut out of the queue."""
        return self._drop_in_slices([key for key in self._links if key[0] == vhost and key[1] in users])

    def outstanding(self) -> Iterator[tuple[Queue, Message] | None]:
        """See Component.outstanding."""
        for link in list(self._links.values()):
            yield None
            yield from list(link.deliveries.values())
