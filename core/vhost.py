"""A virtual host: the exchanges, queues and bindings of one namespace, and the walk from an address to queues.

Routing walks from the exchange that was published to along exchange-to-exchange bindings, visiting each exchange
once, so that cycles are harmless; an exchange whose own bindings yield nothing hands over to its alternate exchange.
The result is cached per address as a Route until anything in the topology changes (`changed`), except where headers
take part in the decision.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from enum import Enum
from typing import TYPE_CHECKING

from core.address import Address
from core.errors import NotFound
from core.exchanges.base import Exchange
from core.firehose import trace_publish
from core.queues.base import Admission, Queue
from core.route import Route

if TYPE_CHECKING:
    from core.broker import Broker
    from core.field_table import FieldValue
    from core.message import Message

DEFAULT_EXCHANGE = ""
"""The nameless exchange that every queue is bound to by its own name (AMQP 0-9-1, 3.1.3.1)."""

REPLY_PREFIX = "amq.rabbitmq.reply-to."
"""Routing keys of the default exchange that lead to a direct reply-to consumer."""

ROUTES_MAX = 50_000
"""Cached routes; a publisher with ever new routing keys must not fill the memory with them."""


class Outcome(Enum):
    """What became of a publish; REFUSED means basic.nack or its like."""

    TAKEN = "taken"
    STORED = "stored"
    REFUSED = "refused"


class VirtualHost:
    """One namespace of exchanges and queues; made by the broker, which keeps it durable."""

    __slots__ = (
        "_routes",
        "broker",
        "client_count",
        "exchanges",
        "limits",
        "metadata",
        "name",
        "queues",
        "reply_queues",
        "tracing",
        "version",
    )

    def __init__(self, broker: Broker, name: str, metadata: Mapping[str, object] | None = None) -> None:
        self.broker = broker
        self.name = name
        self.metadata = dict(metadata or {})
        self.exchanges: dict[str, Exchange] = {}
        self.queues: dict[str, Queue] = {}
        self.reply_queues: dict[str, Queue] = {}
        self.version = 0
        self.tracing = bool(self.metadata.get("tracing", False))
        self.limits: Mapping[str, int] = {}
        self.client_count = 0
        self._routes: dict[tuple[str, str], Route] = {}

    def changed(self) -> None:
        """Something that routing depends on changed: cached routes, here and in sessions, are void."""
        self.version += 1
        self._routes.clear()

    def queue(self, name: str) -> Queue:
        """The queue of this name; NotFound (404) says so."""
        queue = self.queues.get(name) or self.reply_queues.get(name)
        if queue is None:
            raise NotFound(f"no queue '{name}' in vhost '{self.name}'")
        return queue

    def exchange(self, name: str) -> Exchange:
        """The exchange of this name; NotFound (404) says so. The default exchange is not one of them."""
        exchange = self.exchanges.get(name)
        if exchange is None:
            raise NotFound(f"no exchange '{name}' in vhost '{self.name}'")
        return exchange

    def route(
        self,
        exchange_name: str,
        routing_key: str,
        headers: Mapping[str, FieldValue] | None = None,
        extra_keys: Iterable[str] = (),
    ) -> Route:
        """The Route of an address.

        headers: of the message, None for "has none".  extra_keys: the further routing keys of CC and BCC, which make
        the result good for this message only.  Raises NotFound when there is no such exchange.
        """
        extra = list(extra_keys)
        if not extra:
            cached = self._routes.get((exchange_name, routing_key))
            if cached is not None:
                return cached
        address = Address(exchange_name, routing_key)
        keys = [routing_key, *(key for key in dict.fromkeys(extra) if key != routing_key)]
        found: dict[int, Queue] = {}
        routed = False
        cacheable = not extra
        observer = None
        if exchange_name == DEFAULT_EXCHANGE:
            for key in keys:
                queue = self.queues.get(key)
                if queue is None and key.startswith(REPLY_PREFIX):
                    routed = True
                    queue = self.reply_queues.get(key)
                if queue is not None:
                    found[id(queue)] = queue
        else:
            exchange = self.exchange(exchange_name)
            cacheable &= self._walk(exchange, keys, headers, found)
            if exchange.observes:
                observer = exchange
        queues = tuple(found.values())
        route = Route(address, queues, routed=routed or bool(queues), cacheable=cacheable, observer=observer)
        if cacheable:
            if len(self._routes) >= ROUTES_MAX:
                self._routes.clear()
            self._routes[exchange_name, routing_key] = route
        return route

    def _walk(
        self,
        start: Exchange,
        keys: list[str],
        headers: Mapping[str, FieldValue] | None,
        found: dict[int, Queue],
    ) -> bool:
        """Collect the queues reachable from `start` into `found`; False when headers took part in the decision."""
        cacheable = True
        seen = {start.name}
        to_visit = [start]
        while to_visit:
            exchange = to_visit.pop()
            cacheable &= not exchange.depends_on_headers
            matched = False
            for key in keys:
                for target in exchange.targets(key, headers):
                    matched = True
                    if isinstance(target, Queue):
                        found[id(target)] = target
                    elif isinstance(target, Exchange) and target.name not in seen:
                        seen.add(target.name)
                        to_visit.append(target)
            if not matched and exchange.alternate is not None:
                alternate = self.exchanges.get(exchange.alternate)
                if alternate is not None and alternate.name not in seen:
                    seen.add(alternate.name)
                    to_visit.append(alternate)
        return cacheable

    def publish(self, route: Route, message: Message) -> Outcome:
        """Publish `message` by `route`: what the exchange's type wants to see first, then `deliver`."""
        observer = route.observer
        if self.tracing:
            trace_publish(self, route, message)
        if observer is None:
            return self.deliver(route, message)
        if observer.take_over(message):
            return Outcome.STORED if observer.store_id and self.broker.store.durable else Outcome.TAKEN
        outcome = self.deliver(route, message)
        observer.routed(message)
        return outcome

    def deliver(self, route: Route, message: Message, barred: Collection[str] = ()) -> Outcome:
        """Append `message` to the queues of `route`, except those named in `barred`, and to the store.

        STORED: a confirm must wait for the next flush.  REFUSED: a queue was full and said so; others have it.
        """
        outcome = Outcome.TAKEN
        queues: Iterable[Queue] = route.queues
        if route.guarded or barred:
            taken = []
            for queue in route.queues:
                if queue.name in barred:
                    continue
                admission = queue.admit(message) if queue.guarded else Admission.TAKE
                if admission is Admission.TAKE:
                    taken.append(queue)
                elif admission is Admission.REFUSE:
                    outcome = Outcome.REFUSED
            queues = taken
            if message.properties.persistent:
                store_ids = tuple(queue.store_id for queue in taken if queue.store_id)
            else:
                store_ids = tuple(queue.store_id for queue in taken if queue.store_id and queue.stores_transient)
        else:
            store_ids = route.store_ids if message.properties.persistent else route.transient_ids
        for queue in queues:
            queue.append(message)
        if message.properties.expiration is not None:
            for queue in queues:
                queue.expects_expiry()
        if store_ids:
            store = self.broker.store
            store.append(message, store_ids)
            if store.durable and outcome is Outcome.TAKEN:
                outcome = Outcome.STORED
        return outcome
