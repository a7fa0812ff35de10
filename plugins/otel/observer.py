"""What becomes spans: the broker shows each message on its way (core.message_observer), and spans are noted of it.

    publish ─┬─ route                  when it comes, as the child of what its publisher has set
             ├─ deliver ─── ack        each time that it is sent to a consumer, and how that ended
             └─ deliver ─── rejected ─── dead_letter ─┬─ deliver ─── ack
                                                      ...

The span of the publish is noted with the message, so that it is there after a restart.  A dead letter is another
message, whose span is below the settlement that made it and has a link to the publish of the first one.

Which deliveries are out is known here by queue and sequence number, for their settlements; those of very many are
forgotten, the oldest first, and have none.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from warren.gateway.plugin import MessageObserver
from warren.plugins.otel import describing
from warren.plugins.otel.carrying import carrying, noting, own_context, published_context, shared
from warren.plugins.otel.context import TraceContext
from warren.plugins.otel.sampling import Sampling, below
from warren.plugins.otel.settings import KEEP, REWRITE
from warren.plugins.otel.span import CONSUMER, INTERNAL, PRODUCER, Span

if TYPE_CHECKING:
    from warren.core.clients.client import Client
    from warren.core.messages.message import Message
    from warren.core.messages.properties import Properties
    from warren.core.queues.base import Queue
    from warren.core.queues.consumer import Consumer
    from warren.core.routing.route import Route
    from warren.core.routing.vhost import VirtualHost

OUT_MAX: Final = 100_000
"""Deliveries whose settlement is waited for: some hundred bytes each."""

NS_PER_MS: Final = 1_000_000

REFUSED: Final = "refused"


class _Publish:
    """One that is under way."""

    __slots__ = ("client", "context", "message", "parent", "route", "start_ns", "vhost")

    def __init__(
        self,
        vhost: str,
        route: Route,
        message: Message,
        client: Client | None,
        context: TraceContext,
        parent: TraceContext | None,
    ) -> None:
        self.vhost = vhost
        self.route = route
        self.message = message
        self.client = client
        self.context = context
        self.parent = parent
        self.start_ns = time.time_ns()


class _Delivery:
    """One that is under way, or out."""

    __slots__ = ("attributes", "context", "is_sent", "key", "message", "parent", "properties", "start_ns")

    def __init__(self, queue: Queue, message: Message, parent: TraceContext, attributes: describing.Attributes) -> None:
        self.key = (queue, message.sequence)
        self.message = message
        self.context = below(parent)
        self.parent = parent
        self.attributes = attributes
        self.properties: Properties | None = None
        self.is_sent = False
        self.start_ns = time.time_ns()


class _Death:
    """One that is under way.  out: the delivery that it ended.  letter: the span of the dead letter; None for none."""

    __slots__ = ("context", "exchange", "first", "letter", "message", "out", "parent", "properties", "queue", "reason")

    def __init__(self, queue: Queue, message: Message, reason: str, first: TraceContext, out: _Delivery | None) -> None:
        self.queue = queue
        self.message = message
        self.reason = reason
        self.first = first
        self.out = out
        self.parent = first if out is None else out.context
        self.context = below(self.parent)
        self.exchange = ""
        self.letter: TraceContext | None = None
        self.properties = message.properties


class TracingObserver(MessageObserver):
    """record: takes each span that is over, and returns at once.  propagation: KEEP, FILL or REWRITE."""

    def __init__(self, sampling: Sampling, propagation: str, record: Callable[[Span], None]) -> None:
        self._sampling = sampling
        self._fills = propagation != KEEP
        self._rewrites = propagation == REWRITE
        self._record = record
        self._out: dict[tuple[Queue, int], _Delivery] = {}

    def publishing(self, vhost: VirtualHost, route: Route, message: Message, client: Client | None) -> object | None:
        properties = message.properties
        parent = published_context(properties)
        earlier = own_context(properties)
        if parent is None and client is None:
            return None  # the broker's own, such as what it tells of itself below $SYS
        if earlier is not None:
            # It was to be published in a long transaction that had to be prepared anew.
            context = earlier
            if parent is not None and parent.span_id == earlier.span_id:
                parent = None
        else:
            begun = self._sampling.begun(parent)
            if begun is None:
                return None
            context = begun
        properties = noting(properties, context)
        if self._fills:
            properties = carrying(properties, context) if parent is None else shared(properties, parent)
        message.properties = properties
        message.framed_for = 0
        return _Publish(vhost.name, route, message, client, context, parent)

    def published(self, noted: object, outcome: str) -> None:
        assert isinstance(noted, _Publish)
        message, end_ns = noted.message, time.time_ns()
        error = outcome if outcome == REFUSED else ""
        found = describing.of_message(noted.vhost, message, describing.PUBLISH, describing.RECEIVE)
        describing.add_client(found, noted.client)
        name = f"{describing.PUBLISH} {describing.published_to(message)}"
        self._record(Span(name, CONSUMER, noted.context, noted.parent, noted.start_ns, end_ns, found, None, error))
        found = describing.of_route(noted.vhost, message, noted.route, outcome)
        name = f"{describing.ROUTE} {describing.published_to(message)}"
        self._record(
            Span(name, INTERNAL, below(noted.context), noted.context, noted.start_ns, end_ns, found, None, error)
        )

    def delivering(
        self, queue: Queue, message: Message, client: Client | None, consumer: Consumer | None, redelivered: bool
    ) -> object | None:
        first = self._first(message)
        if first is None:
            return None
        attributes = describing.of_delivery(queue, message, client, consumer)
        attributes["warren.redelivered"] = redelivered
        attributes["warren.queued_ms"] = max(queue.vhost.broker.now_ms - message.published_at_ms, 0)
        noted = _Delivery(queue, message, first, attributes)
        if not queue.keeps_messages:
            if len(self._out) >= OUT_MAX:
                del self._out[next(iter(self._out))]
            self._out[noted.key] = noted
        if self._rewrites:
            noted.properties = message.properties
            message.properties = carrying(message.properties, noted.context)
        return noted

    def delivered(self, noted: object, *, settled: bool) -> None:
        assert isinstance(noted, _Delivery)
        if noted.properties is not None:
            noted.message.properties = noted.properties
            noted.properties = None
        if settled:
            self._out.pop(noted.key, None)
        noted.is_sent = True
        attributes = noted.attributes
        attributes["warren.no_ack"] = settled or not (noted.key in self._out or noted.key[0].keeps_messages)
        name = f"{attributes['messaging.operation.name']} {noted.key[0].name}"
        self._record(
            Span(name, PRODUCER, noted.context, noted.parent, noted.start_ns, time.time_ns(), dict(attributes))
        )

    def dying(self, queue: Queue, message: Message, reason: str, exchange: str | None) -> object | None:
        out = self._out.pop((queue, message.sequence), None)
        first = out.parent if out is not None else self._first(message)
        if first is None:
            return None
        noted = _Death(queue, message, reason, first, out)
        if exchange is not None:
            noted.exchange = exchange
            noted.letter = below(noted.context)
            message.properties = noting(message.properties, noted.letter)
        return noted

    def died(self, noted: object, *, taken: bool, stays: bool) -> None:
        assert isinstance(noted, _Death)
        message, queue, out = noted.message, noted.queue, noted.out
        message.properties = noted.properties
        if stays:
            if out is not None:
                self._out[out.key] = out
            return
        found = describing.of_settlement(queue, message, noted.reason)
        if noted.letter is not None:
            found["warren.dead_letter.exchange"] = noted.exchange
            found["warren.dead_letter.taken"] = taken
        now_ns = self._settled(queue, noted.reason, noted.context, noted.parent, out, found)
        if noted.letter is not None and taken:
            letter = describing.of_message(queue.vhost.name, message, describing.DEAD_LETTER, describing.SEND)
            letter["messaging.destination.name"] = noted.exchange or "amq.default"
            letter["warren.dead_letter.reason"] = noted.reason
            letter["warren.dead_letter.queue"] = queue.name
            name = f"{describing.DEAD_LETTER} {noted.exchange or queue.name}"
            self._record(Span(name, INTERNAL, noted.letter, noted.context, now_ns, now_ns, letter, noted.first))

    def returned(self, queue: Queue, messages: Sequence[Message], *, failed: bool) -> None:
        for message in messages:
            out = self._out.pop((queue, message.sequence), None)
            if out is not None:
                found = describing.of_settlement(queue, message, describing.REQUEUE)
                found["warren.failed"] = failed
                self._settled(queue, describing.REQUEUE, below(out.context), out.context, out, found)

    def left(self, queue: Queue, sequence: int) -> None:
        out = self._out.pop((queue, sequence), None)
        if out is not None and out.is_sent:  # otherwise it was done with when it was sent
            found = describing.of_settlement(queue, out.message, describing.ACK)
            self._settled(queue, describing.ACK, below(out.context), out.context, out, found)

    @property
    def out_count(self) -> int:
        """Deliveries whose settlement is waited for."""
        return len(self._out)

    def _first(self, message: Message) -> TraceContext | None:
        """The span that everything about the message is below; None for one that isn't traced.

        A message that was published before it was looked at has its publisher's.
        """
        found = own_context(message.properties)
        if found is None:
            parent = published_context(message.properties)
            if parent is not None and self._sampling.begun(parent) is not None:
                found = parent
        return found

    def _settled(
        self,
        queue: Queue,
        outcome: str,
        context: TraceContext,
        parent: TraceContext,
        out: _Delivery | None,
        found: describing.Attributes,
    ) -> int:
        """Note the span of a settlement; when it ended, in nanoseconds."""
        now_ns = time.time_ns()
        found["warren.settle.outcome"] = outcome
        if out is not None:
            found["warren.unsettled_ms"] = (now_ns - out.start_ns) // NS_PER_MS
        self._record(Span(f"{outcome} {queue.name}", INTERNAL, context, parent, now_ns, now_ns, found))
        return now_ns
