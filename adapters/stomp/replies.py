"""Private queues for answers: `reply-to:/temp-queue/ID` (spec B.5).

The first SEND with such a reply-to makes an exclusive queue that only this session reads, without SUBSCRIBE: its
messages come with `subscription:/temp-queue/ID`.  Who gets the request sees where to answer: `/reply-queue/NAME` in
STOMP, NAME in AMQP.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.adapters.stomp.subscribing import subscription_key
from warren.adapters.stomp.subscription import Subscription
from warren.core.declaring.names import generated_name
from warren.core.declaring.queues import accessible_queue, declare_queue

if TYPE_CHECKING:
    from warren.adapters.stomp.session import StompSession

QUEUE_PREFIX: Final = "stomp.gen"


class Replies:
    """The private queues of one session, by the /temp-queue/ID that they stand for."""

    __slots__ = ("_names", "_session")

    def __init__(self, session: StompSession) -> None:
        self._session = session
        self._names: dict[str, str] = {}

    def queue_name(self, destination: str) -> str:
        """The queue that /temp-queue/ID stands for, made when it is first asked for."""
        session = self._session
        name = self._names.get(destination)
        if name is not None and subscription_key(destination, "") in session.subscriptions:
            return name
        client = session.logged_in
        queue = declare_queue(client, generated_name(QUEUE_PREFIX), exclusive=True, auto_delete=True)
        key = subscription_key(destination, "")
        subscription = Subscription(
            session,
            accessible_queue(client, queue.name, "read"),
            key,
            id=destination,
            destination=destination,
            no_ack=True,
            cumulative=False,
            durable_queue=False,
            exclusive=False,
            prefetch=0,
            arguments={},
        )
        session.subscriptions.begin(subscription)
        self._names[destination] = queue.name
        return queue.name
