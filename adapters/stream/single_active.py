"""Single active consumers: of the subscriptions of one name to a stream, one is sent chunks at a time (spec H.2).

The client is asked by ConsumerUpdate when that changes.  A subscription that becomes active is sent chunks from where
the answer says, which is where the client's reader left off, so that nothing comes before the answer; one that steps
down is sent nothing more, and its answer lets the next one begin.  Who is active is decided in core/streams/groups.py.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Final

from warren.adapters.stream.codec.commands import ConsumerUpdate, ConsumerUpdateAnswer
from warren.adapters.stream.codec.errors import Refused
from warren.adapters.stream.codec.keys import Code, OffsetType
from warren.adapters.stream.places import place_of
from warren.core.declaring.super_streams import partition_index
from warren.core.errors import BrokerError
from warren.core.queues.stream.arguments import Wanted
from warren.core.streams.groups import NO_PARTITION

if TYPE_CHECKING:
    from warren.adapters.stream.codec.commands import Command
    from warren.adapters.stream.session import StreamSession
    from warren.adapters.stream.subscription import StreamSubscription
    from warren.core.deadlines import Deadline

_log = logging.getLogger("warren.stream")

ANSWER_TIMEOUT_MS: Final = 60_000
"""RabbitMQ's: nobody else of the group is sent anything while a client doesn't answer."""


def check(session: StreamSession, subscription: StreamSubscription) -> None:
    """Raise Refused, or an error of the broker, for one that can't be in a group."""
    if not subscription.properties.get("name"):
        raise Refused(Code.PRECONDITION_FAILED, "a single active consumer has a name, in the property 'name'")
    partition = _partition(session, subscription)
    group = session.broker.stream_groups.get(*_key(session, subscription))
    if group is not None and group.partition != partition:
        raise Refused(Code.PRECONDITION_FAILED, f"others of the group have the stream as partition {group.partition}")


def join(session: StreamSession, subscription: StreamSubscription) -> SingleActive:
    """Have a subscription in its group, which `check` has let in."""
    return SingleActive(session, subscription)


class SingleActive:
    """One subscription in its group.  has_begun: it is sent chunks."""

    __slots__ = ("_due", "_member", "_session", "_subscription", "has_begun")

    def __init__(self, session: StreamSession, subscription: StreamSubscription) -> None:
        self._session = session
        self._subscription = subscription
        self._due: Deadline | None = None
        self.has_begun = False
        self._member = session.broker.stream_groups.join(
            *_key(session, subscription),
            _partition(session, subscription),
            connection=session.name,
            subscription_id=subscription.id,
            told=self._told,
        )
        subscription.stream.when_gone.add(self._gone)

    def look(self) -> None:
        """The client knows of the subscription: tell it if it is active."""
        if self._member.is_active:
            self._told(True)

    def leave(self) -> None:
        """The subscription ends."""
        self._answered()
        self._subscription.stream.when_gone.remove(self._gone)
        self._session.broker.stream_groups.leave(self._member)

    def _gone(self) -> None:
        """The stream is deleted; one that reads it is told as all that do."""
        if not self.has_begun:
            self._subscription.cancelled()

    def _told(self, is_active: bool) -> None:
        subscription = self._subscription
        queue = subscription.queue
        if queue.vhost.queues.get(queue.name) is not queue:
            # The one before it has left, since the stream is gone: so will this one, which is told of that alone.
            return
        if not is_active and self.has_begun:
            self.has_begun = False
            subscription.queue.remove_consumer(subscription)
        self._answered()
        broker = self._session.broker
        self._due = broker.deadlines.schedule(broker.now_ms + ANSWER_TIMEOUT_MS, self._is_late)
        self._session.ask(
            lambda correlation_id: ConsumerUpdate(correlation_id, subscription.id, int(is_active)),
            partial(self._begin if is_active else self._stepped_down),
        )

    def _answered(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None

    def _is_late(self, now_ms: int) -> None:
        self._due = None
        self._session.close(Code.INTERNAL_ERROR, "no answer to ConsumerUpdate")

    @property
    def _is_there(self) -> bool:
        return self._session.subscriptions.get(self._subscription.id) is self._subscription

    def _begin(self, answer: Command) -> None:
        """The client says where an active one begins; where it doesn't, that is where it was asked to at first."""
        subscription = self._subscription
        if not self._is_there or not self._member.is_active or self.has_begun:
            return
        try:
            self._session.logged_in.check("queue", subscription.queue.name, "read")
        except BrokerError:
            self._answered()
            self._session.subscriptions.stream_gone(subscription)
            return
        self._answered()
        if isinstance(answer, ConsumerUpdateAnswer) and answer.offset.kind is not OffsetType.NONE:
            wanted = subscription.wanted
            subscription.wanted = Wanted(place_of(answer.offset), wanted.values, wanted.unfiltered)
        self.has_begun = True
        subscription.active = True
        subscription.parked = False
        subscription.queue.add_consumer(subscription)

    def _stepped_down(self, answer: Command) -> None:
        """It has, and the next one of the group begins."""
        if self._is_there:
            self._answered()
            self._session.broker.stream_groups.stepped_down(self._member)


def _key(session: StreamSession, subscription: StreamSubscription) -> tuple[str, str, str]:
    return session.logged_in.vhost.name, subscription.queue.name, subscription.properties["name"]


def _partition(session: StreamSession, subscription: StreamSubscription) -> int:
    """Which partition of the super stream that it names the stream is."""
    name = subscription.properties.get("super-stream")
    if not name:
        return NO_PARTITION
    return partition_index(session.logged_in.vhost, name, subscription.queue.name)
