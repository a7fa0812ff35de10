"""What brings a client its messages: one consumer per queue that its session is subscribed by.

The session's own queue has the key "", a shared or named queue its subscription's filter.  The session itself knows
what it is subscribed to (adapters.mqtt.sessions), also while nobody is connected; consumers are there for as long as
the connection.

A queue may not be had for now: another program consumes it alone, or it isn't there (`$queue/NAME`).  A client that
subscribes then is told so, and is not subscribed.  One that comes back to a session with such a subscription can't be
told; it goes on without these messages, with a line in the log, and they come once the queue can be had.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from warren.adapters.mqtt.codec import reason_codes
from warren.adapters.mqtt.consumer import MqttConsumer
from warren.core.declaring.queues import end_consumer, end_consumers
from warren.core.errors import BrokerError
from warren.core.queues.stream.queue import StreamQueue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from warren.adapters.mqtt.outflow import Outflow
    from warren.adapters.mqtt.sessions.session import MqttSession
    from warren.adapters.mqtt.sessions.stream_reading import StreamReading
    from warren.adapters.mqtt.sessions.subscription import MqttSubscription
    from warren.core.clients.client import Client
    from warren.core.deadlines import Deadline

_log = logging.getLogger("warren.mqtt")

BEGUN_AT_ONCE: Final = 100
"""Of a client that comes back with many: some 30 µs each."""

DONE: Final = object()
"""What no slice gives."""

TRIED_AGAIN_MS: Final = 5000
"""How often a queue that couldn't be had is asked for."""

NOTED_AGAIN_MS: Final = 5000
"""How often it is written how far a subscription to a stream has come."""


class Subscriptions:
    """Of one client.  disconnect: ends its connection, with a reason code and a text."""

    __slots__ = (
        "_consumers",
        "_disconnect",
        "_ended",
        "_noting",
        "_outflow",
        "_retry",
        "_to_begin",
        "_waiting",
        "client",
        "session",
    )

    def __init__(
        self, client: Client, session: MqttSession, outflow: Outflow, disconnect: Callable[[int, str], None]
    ) -> None:
        self.client = client
        self.session = session
        self._outflow = outflow
        self._disconnect = disconnect
        self._consumers: dict[str, MqttConsumer] | None = None
        self._ended = False
        self._to_begin: list[MqttSubscription] = []
        self._waiting: dict[str, str] | None = None
        self._retry: Deadline | None = None
        self._noting: Deadline | None = None

    def __len__(self) -> int:
        """How many queues are consumed from."""
        return len(self._consumers or ())

    def __bool__(self) -> bool:
        return len(self) > 0

    def begin(self) -> None:
        """The client is there: what waits in the session's queues may come."""
        subscriptions = self.session.subscriptions.values()
        own = next((each for each in subscriptions if each.is_own), None)
        if own is not None:
            self._begin_one(own)
        self._to_begin = [each for each in subscriptions if not each.is_own]
        self._to_begin.reverse()
        if self._begin_some():
            self.client.vhost.broker.chores.add(self._begin_some)

    def _begin_some(self) -> bool:
        """The next of the shared and named queues, unless the client has given them up or asked for them anew."""
        to_begin = self._to_begin
        for _ in range(min(len(to_begin), BEGUN_AT_ONCE)):
            subscription = to_begin.pop()
            filter = subscription.filter
            if self.session.subscriptions.get(filter) is subscription and self.consumer_of(filter) is None:
                self._begin_one(subscription)
        return bool(to_begin)

    def consumer_of(self, source: str) -> MqttConsumer | None:
        """The consumer that brought a message (see Outgoing.source), if it is there still."""
        return self._consumers.get(source) if self._consumers is not None else None

    def changed(self, subscription: MqttSubscription) -> None:
        """A subscription was added or replaced: have its messages come, and what they mean looked up anew.

        Raises AccessRefused (403) where another consumer has the queue alone, and whatever else a queue refuses a
        consumer for; then nothing has changed.
        """
        existing = self.consumer_of("" if subscription.is_own else subscription.filter)
        if existing is None:
            self._consume(subscription)
            return
        if not subscription.is_own:
            existing.subscription = subscription
        existing.subscriptions_changed()

    def leave_queue(self, filter: str) -> None:
        """A shared or named queue's subscription will be taken away: stop before the last member's queue goes."""
        consumer = self._consumers.pop(filter, None) if self._consumers is not None and filter else None
        if consumer is not None:
            end_consumer(consumer)
            self._outflow.consumer_gone(consumer)

    def taken_away(self) -> None:
        """A subscription was taken away: what comes by the session's own queue may mean something else now."""
        own = self.consumer_of("")
        if own is not None:
            own.subscriptions_changed()

    def end(self) -> None:
        """The connection ends: its consumers leave their queues."""
        self._ended = True
        self._to_begin = []
        if self._retry is not None:
            self._retry.cancel()
        self._note_places()
        if self._noting is not None:
            self._noting.cancel()
        consumers, self._consumers = self._consumers or {}, None
        own = consumers.pop("", None)
        if own is not None:
            # The next connection of its client may want it at once.
            end_consumer(own)
        end_consumers(list(consumers.values()), self._in_turns)

    def _in_turns(self, slices: Iterator[None]) -> None:
        self.client.vhost.broker.chores.add(lambda: next(slices, DONE) is not DONE, to_the_end=True)

    def _begin_one(self, subscription: MqttSubscription) -> None:
        """Have messages come by a subscription that was there before, now or as soon as they can."""
        try:
            if self._consume(subscription):
                if self._waiting is not None and self._waiting.pop(subscription.filter, None) is not None:
                    _log.info("connection %s: messages come by '%s' now", self.client.name, subscription.filter)
                return
            why = f"there is no queue '{subscription.queue_name}'"
        except BrokerError as error:
            why = error.text
        if self._waiting is None:
            self._waiting = {}
        if self._waiting.get(subscription.filter) != why:
            self._waiting[subscription.filter] = why
            _log.warning(
                "connection %s: no messages come by the subscription '%s' of its session for now: %s",
                self.client.name,
                subscription.filter,
                why,
            )
        if self._retry is None:
            broker = self.session.registry.broker
            self._retry = broker.deadlines.schedule(broker.now_ms + TRIED_AGAIN_MS, self._try_again)

    def _try_again(self, now_ms: int) -> None:
        self._retry = None
        for filter in list(self._waiting or ()):
            subscription = self.session.subscriptions.get(filter)
            if subscription is None or self.consumer_of("" if subscription.is_own else filter) is not None:
                if self._waiting is not None:
                    del self._waiting[filter]
            else:
                self._begin_one(subscription)

    def _consume(self, subscription: MqttSubscription) -> bool:
        """False when there is no queue to consume."""
        queue = self.session.registry.queue_of(self.session, subscription)
        if queue is None:
            return False
        source = None if subscription.is_own else subscription
        consumer = MqttConsumer(queue, self.client, source, self._outflow, self._queue_deleted)
        queue.add_consumer(consumer)
        queue.vhost.broker.ack_timeouts.added(consumer)
        if self._consumers is None:
            self._outflow.consumers = self._consumers = {}
        self._consumers[consumer.tag] = consumer
        if subscription.stream is not None and self._noting is None:
            broker = self.session.registry.broker
            self._noting = broker.deadlines.schedule(broker.now_ms, self._note_again)
        return True

    def _note_again(self, now_ms: int) -> None:
        self._noting = None
        if self._note_places():
            self._noting = self.session.registry.broker.deadlines.schedule(now_ms + NOTED_AGAIN_MS, self._note_again)

    def _note_places(self) -> bool:
        """Write how far subscriptions to streams have come; False where there are none."""
        found = False
        for consumer in (self._consumers or {}).values():
            subscription = consumer.subscription
            if subscription is not None and subscription.stream is not None and isinstance(consumer.queue, StreamQueue):
                found = True
                self._note_place(subscription, subscription.stream, consumer.queue.place_of(consumer))
        return found

    def _note_place(self, subscription: MqttSubscription, stream: StreamReading, place: int | None) -> None:
        """place: the offset of what comes next; None where nothing says that yet."""
        if place is None:
            return
        under_way = [
            each.message.sequence
            for each in self.session.outgoing.values()
            if each.source == subscription.filter and each.message is not None
        ]
        offset = str(min([place, *under_way]))
        if offset != stream.offset:
            stream.offset = offset
            self.session.note(subscription)

    def _queue_deleted(self, consumer: MqttConsumer) -> None:
        """A session without its queue can't go on (spec C.5)."""
        session = self.session
        if self._consumers is not None:
            self._consumers.pop(consumer.tag, None)
        self._outflow.consumer_gone(consumer)
        if self._ended or session.ended:
            return
        if consumer.subscription is None:
            session.queue = None
            session.end()
        self._disconnect(reason_codes.ADMINISTRATIVE_ACTION, f"{consumer.queue.description} was deleted")
