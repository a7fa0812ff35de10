"""Who wants to see each message on its way: when it is published, delivered, settled, and when it dies.

One observer at a time has all of it (`Broker.observe_messages`), such as a plugin that traces messages.  While there is
one, messages take the ways that the firehose has them take, on which each is handled by itself; while there is none,
nobody asks for one on the quick ways.

What an observer keeps with a message goes into the header HIDDEN_CONTEXT, which is the broker's own: it goes to disk
and to dead letters with the message, and no consumer sees it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from warren.core.compiled import mypyc_attr

if TYPE_CHECKING:
    from warren.core.clients.client import Client
    from warren.core.messages.message import Message
    from warren.core.queues.base import Queue
    from warren.core.queues.consumer import Consumer
    from warren.core.routing.route import Route
    from warren.core.routing.vhost import VirtualHost


@mypyc_attr(allow_interpreted_subclasses=True)
class MessageObserver:
    """See the head of this file; a subclass says what it does, and each method here does nothing.

    Methods are called in the middle of what they tell of, so they note and return soon; one that raises would end what
    the client has asked for.  What the first method of a pair gives is handed to the second; None means that there is
    nothing to be told of this message, and the second isn't called.
    """

    def publishing(self, vhost: VirtualHost, route: Route, message: Message, client: Client | None) -> object | None:
        """A message is about to be given to the queues of `route`; it may be given other properties now.

        client: who publishes; None for the broker itself.
        """
        return None

    def published(self, noted: object, outcome: str) -> None:
        """It has been given to them.  outcome: the value of a core.routing.vhost.Outcome."""

    def delivering(
        self, queue: Queue, message: Message, client: Client | None, consumer: Consumer | None, redelivered: bool
    ) -> object | None:
        """A message is about to be sent to a consumer; None for one who polls.

        It may be given other properties for this one time: `delivered` has to put the old ones back, since other
        queues have the same message.
        """
        return None

    def delivered(self, noted: object, *, settled: bool) -> None:
        """It has been sent.  settled: and needs no acknowledgement, or has already left the queue."""

    def dying(self, queue: Queue, message: Message, reason: str, exchange: str | None) -> object | None:
        """A message is about to leave the queue for a reason of core.queues.deaths, or was dropped for it.

        exchange: for dead letters; None for none.  It may be given other properties for the dead letter, as in
        `delivering`; `died` has to put the old ones back.
        """
        return None

    def died(self, noted: object, *, taken: bool, stays: bool) -> None:
        """It has left.  taken: what had to take the dead letter has, or nothing had to.  stays: it hasn't left, as
        nobody took it, and will die again."""

    def returned(self, queue: Queue, messages: Sequence[Message], *, failed: bool) -> None:
        """Messages that were delivered are ready again.  failed: see `Queue.requeue`."""

    def left(self, queue: Queue, sequence: int) -> None:
        """The message of this sequence has left the queue: acknowledged, if it was out and hasn't died."""
