"""A virtual host: the exchanges, queues and bindings of one namespace, and the walk from an address to queues.

Routing walks (`core.routing.walk`) from the exchange that was published to along exchange-to-exchange bindings.  The
result is cached per address as a Route until anything in the topology changes (`changed`), except where headers take
part in the decision.  Exchanges on the way may drop a message that they have seen before, hold it for later, or
remember it; `deliver` asks those that want to be asked, and costs the others nothing.

Longer than 400 lines because routes are found, kept and served in one place.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from warren.core.chores import let_go
from warren.core.counters import ExchangeCounts, VhostCounts
from warren.core.errors import NotFound, PreconditionFailed
from warren.core.exchanges.base import Exchange
from warren.core.messages.address import Address, fits_key, short_key
from warren.core.queues.base import Admission, Queue
from warren.core.routing import firehose, observing
from warren.core.routing.receipt import Receipt
from warren.core.routing.route import Route
from warren.core.routing.walk import Visit, Walk

if TYPE_CHECKING:
    from warren.core.broker import Broker
    from warren.core.clients.client import Client
    from warren.core.cluster.beyond import Beyond
    from warren.core.exchanges.binding import Binding, BindingKey, Destination, DestinationKind
    from warren.core.messages.field_table import FieldValue
    from warren.core.messages.message import Message
    from warren.core.messages.properties import Properties
    from warren.core.queues.buffer import Buffer
    from warren.core.queues.dead_letter import Letter

DEFAULT_EXCHANGE = ""
"""The nameless exchange that every queue is bound to by its own name (AMQP 0-9-1, 3.1.3.1)."""

REPLY_PREFIX = "amq.rabbitmq.reply-to."
"""Routing keys of the default exchange that lead to a direct reply-to consumer."""

ROUTES_MAX = 50_000
"""Cached routes; a publisher with ever new routing keys must not fill the memory with them."""


class Outcome(Enum):
    """What became of a publish, as far as it is known at once; REFUSED means basic.nack or its like."""

    TAKEN = "taken"
    STORED = "stored"
    REFUSED = "refused"


class Departing(Protocol):
    """What sees to it that the bindings to something deleted leave (core.declaring.departures)."""

    def take_over(self, exchange: Exchange, bindings: dict[BindingKey, Binding]) -> None:
        """These, too, are to leave the exchange."""


class VirtualHost:
    """One namespace of exchanges and queues; made by the broker, which keeps it durable.

    buffers: what is asked of queues, by name; set by core.queues.buffer alone.
    counts, default_exchange_counts: of its messages (core/counters.py).  sources: by kind and name of a target, all
    exchanges that lead there, and maybe some that don't any more, so that whoever goes needn't ask every exchange.
    departing: queues and exchanges that are deleted, but have had so many bindings that these leave bit by bit.
    deleting: it is being deleted, and nobody may make anything in it.
    emptied, removes_emptied: auto-delete exchanges that are to go, and whether that is under way.
    observed: somebody looks at each message, the firehose or an observer (core.message_observer).
    beyond: where messages go on other nodes of a cluster; None without one.
    letters: takes the dead letters of what is discarded while somebody collects them; None: they are published.
    """

    __slots__ = (
        "_routes",
        "_tracing",
        "beyond",
        "broker",
        "buffers",
        "client_count",
        "counts",
        "default_exchange_counts",
        "deleting",
        "departing",
        "emptied",
        "exchanges",
        "letters",
        "limits",
        "metadata",
        "name",
        "observed",
        "queues",
        "removes_emptied",
        "reply_queues",
        "sources",
        "version",
    )

    def __init__(self, broker: Broker, name: str, metadata: Mapping[str, object] | None = None) -> None:
        self.broker = broker
        self.name = name
        self.metadata = dict(metadata or {})
        self.exchanges: dict[str, Exchange] = {}
        self.queues: dict[str, Queue] = {}
        self.buffers: dict[str, Buffer] = {}
        self.reply_queues: dict[str, Queue] = {}
        self.sources: dict[tuple[DestinationKind, str], dict[Exchange, None]] = {}
        self.departing: dict[Destination, Departing] = {}
        self.deleting = False
        self.emptied: dict[Exchange, None] = {}
        self.removes_emptied = False
        self.version = 0
        self.beyond: Beyond | None = broker.cluster.beyond_of(self) if broker.cluster is not None else None
        self.letters: list[Letter] | None = None
        self._tracing = bool(self.metadata.get("tracing", False))
        self.observed = self._tracing or broker.observer is not None
        self.limits: Mapping[str, int] = {}
        self.client_count = 0
        self.counts = VhostCounts()
        self.default_exchange_counts = ExchangeCounts()
        self._routes: dict[tuple[str, str], Route] = {}

    @property
    def tracing(self) -> bool:
        """Whether its firehose is on."""
        return self._tracing

    @tracing.setter
    def tracing(self, tracing: bool) -> None:
        self._tracing = tracing
        self.look_who_observes()

    def look_who_observes(self) -> None:
        """The firehose is turned on or off, or an observer comes or goes; `changed` has to follow."""
        self.observed = self._tracing or self.broker.observer is not None

    def check_stays(self) -> None:
        """PreconditionFailed (406) while it is being deleted: nothing new is made in it."""
        if self.deleting:
            raise PreconditionFailed(f"vhost '{self.name}' is being deleted")

    def exchange_counts(self, name: str) -> ExchangeCounts:
        """The counts of an exchange, the default one too; new ones, which nobody sees, where there is none."""
        if name == DEFAULT_EXCHANGE:
            return self.default_exchange_counts
        exchange = self.exchanges.get(name)
        return exchange.counts if exchange is not None else ExchangeCounts()

    def changed(self) -> None:
        """Something that routing depends on changed: routes that are kept here and that sessions remember are void."""
        self.version += 1
        if self._routes:
            self._forget_routes()

    def _forget_routes(self) -> None:
        """Those that are kept here, of which there may be very many."""
        routes, self._routes = self._routes, {}
        let_go(routes, self.broker.chores)

    def leads(self, source: Exchange, target: Destination) -> None:
        """The exchange `source` has a binding to `target`."""
        self.sources.setdefault((target.kind, target.name), {})[source] = None

    def queue(self, name: str) -> Queue:
        """The queue of this name; NotFound (404) says so."""
        queue = self.queues.get(name)
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
        properties: Properties | None = None,
    ) -> Route:
        """The Route of an address.

        headers: of the message, None for "has none".  extra_keys: the further routing keys of CC and BCC, which make
        the result good for this message only.  properties: all of the message's, for exchanges that look at others
        than the headers.  A key that is too long for an address (MQTT's may be) counts as a whole here, and its
        beginning is in the Route's address.  Raises NotFound when there is no such exchange.
        """
        extra = list(extra_keys)
        if not extra:
            cached = self._routes.get((exchange_name, routing_key))
            if cached is not None:
                return cached
        address = Address(exchange_name, short_key(routing_key))
        if exchange_name == DEFAULT_EXCHANGE:
            route = self._default_route(address, routing_key, extra)
        else:
            route = self._walk(self.exchange(exchange_name), address, routing_key, extra, headers, properties)
        if route.cacheable and fits_key(routing_key):
            if len(self._routes) >= ROUTES_MAX:
                self._forget_routes()
            self._routes[exchange_name, routing_key] = route
        return route

    def route_behind(
        self, exchange: Exchange, routing_key: str, properties: Properties, extra_keys: Iterable[str]
    ) -> Route:
        """The Route of a message that `exchange` has held until now, from there on."""
        address = Address(exchange.name, routing_key)
        return self._walk(
            exchange, address, routing_key, list(extra_keys), properties.headers, properties, behind=exchange
        )

    def route_with_visits(
        self,
        exchange_name: str,
        routing_key: str,
        extra_keys: Collection[str],
        properties: Properties,
        visits: list[Visit],
        *,
        behind: Exchange | None = None,
        closed: Collection[str] = (),
    ) -> Route:
        """As `route`, found anew, with what each exchange on the way said added to `visits`; nothing is published.

        behind, closed: as in core.routing.walk.  Raises NotFound when there is no such exchange.
        """
        address = Address(exchange_name, short_key(routing_key))
        extra = list(extra_keys)
        if exchange_name == DEFAULT_EXCHANGE:
            return self._default_route(address, routing_key, extra)
        start = self.exchange(exchange_name)
        headers = properties.headers
        return self._walk(
            start, address, routing_key, extra, headers, properties, behind=behind, closed=closed, visits=visits
        )

    def _default_route(self, address: Address, routing_key: str, extra_keys: list[str]) -> Route:
        found: dict[int, Queue] = {}
        routed = False
        for key in (routing_key, *extra_keys):
            queue = self.queues.get(key)
            if queue is None and key.startswith(REPLY_PREFIX):
                routed = True
                queue = self.reply_queues.get(key)
            if queue is None and self.beyond is not None:
                queue = self.beyond.named(key)
            if queue is not None:
                found[id(queue)] = queue
        return Route(
            address,
            tuple(found.values()),
            routed=routed or bool(found),
            cacheable=not extra_keys,
            extra_keys=tuple(extra_keys),
        )

    def _walk(
        self,
        start: Exchange,
        address: Address,
        routing_key: str,
        extra_keys: list[str],
        headers: Mapping[str, FieldValue] | None,
        properties: Properties | None,
        *,
        behind: Exchange | None = None,
        closed: Collection[str] = (),
        visits: list[Visit] | None = None,
    ) -> Route:
        keys = [routing_key, *(key for key in dict.fromkeys(extra_keys) if key != routing_key)]
        walk = Walk(self.exchanges, self.departing.keys(), keys, headers, properties)
        walk.visits = visits
        walk.beyond = self.beyond
        walk.run(start, behind=behind, closed=closed)
        queues = tuple((walk.queues | walk.history if walk.history else walk.queues).values())
        return Route(
            address,
            queues,
            routed=bool(walk.queues or walk.holders),
            cacheable=walk.cacheable and not extra_keys,
            observers=tuple(walk.observers),
            holders=tuple(walk.holders),
            extra_keys=tuple(extra_keys),
            behind=behind,
        )

    def publish(
        self,
        route: Route,
        message: Message,
        client: Client | None = None,
        channel_number: int = 0,
        receipt: Receipt | None = None,
    ) -> Outcome:
        """Publish `message` by `route`, as `deliver` does; whoever looks sees it, and who published it."""
        if self.observed:
            return observing.publish(self, route, message, client, channel_number, receipt)
        return self.deliver(route, message, (), receipt)

    def trace_delivery(
        self, queue: Queue, message: Message, client: Client | None, channel_number: int, *, redelivered: bool
    ) -> None:
        """Show a delivery to the firehose; asked only while `tracing`."""
        firehose.trace_delivery(queue, message, client, channel_number, redelivered=redelivered)

    def deliver_to(self, queue: Queue, message: Message, receipt: Receipt | None = None) -> Outcome:
        """Give `message`, which its exchange has had before, to one queue, past all bindings.

        receipt: as in `deliver`.
        """
        route = Route(message.address, (queue,), routed=True, cacheable=False)
        return self._append(route, message, (), receipt)

    def deliver_within(self, route: Route, message: Message, receipt: Receipt | None = None) -> Outcome:
        """Give `message`, which its exchange has had on another node, to the queues of `route`, and to nobody else.

        receipt: as in `deliver`.
        """
        outcome = self._append(route, message, (), receipt)
        if receipt is not None:
            receipt.stored = outcome is Outcome.STORED
        return outcome

    def add_reply_queue(self, queue: Queue) -> None:
        """A consumer of direct replies is there; its queue has no other name than that in `reply_to`."""
        self.reply_queues[queue.name] = queue
        cluster = self.broker.cluster
        if cluster is not None:
            cluster.queue_named(self, queue.name)

    def remove_reply_queue(self, name: str) -> None:
        """It is gone; nothing happens if it was before."""
        cluster = self.broker.cluster
        if self.reply_queues.pop(name, None) is not None and cluster is not None:
            cluster.queue_unnamed(self, name)

    def deliver(
        self, route: Route, message: Message, barred: Collection[str] = (), receipt: Receipt | None = None
    ) -> Outcome:
        """Give `message` to the queues of `route`, except those named in `barred`, and to exchanges that ask for it.

        STORED: a confirm must wait for the next flush.  REFUSED: a queue was full and said so; others have it.
        receipt: `route.receipt` of who wants to know what queues say that answer later; unless the outcome is REFUSED,
        a confirm must wait for it, too.
        """
        if route.behind is None:
            self.exchange_counts(route.address.exchange).publish_in += 1
        if route.observers or route.holders:
            outcome = self._deliver_observed(route, message, barred, receipt)
        else:
            outcome = self._append(route, message, barred, receipt)
        if receipt is not None:
            receipt.stored = outcome is Outcome.STORED
        return outcome

    def _deliver_observed(
        self, route: Route, message: Message, barred: Collection[str], receipt: Receipt | None
    ) -> Outcome:
        """Drop duplicates first, and let the exchanges on what remains of the way hold or remember the message."""
        asked: list[Exchange] = []
        closed: set[str] = set()
        while (observer := route.next_to_ask(asked)) is not None:
            asked.append(observer)
            if observer.is_duplicate(message):
                closed.add(observer.name)
                route = self.reroute(route, message, closed)
        outcome = self._append(route, message, barred, receipt)
        for holder in route.holders:
            holder.hold(message, route.extra_keys)
        for observer in route.observers:
            observer.routed(message)
            for watcher in observer.watchers:
                watcher(message)
        if outcome is Outcome.REFUSED or not (route.routed or closed):
            for observer in asked:
                if observer.name not in closed:
                    observer.forget(message)
        elif outcome is Outcome.TAKEN and (route.holders or closed) and self.broker.store.durable:
            # A duplicate, too, is confirmed only when what it duplicates is on disk.
            return Outcome.STORED if message.properties.persistent else outcome
        return outcome

    def reroute(self, route: Route, message: Message, closed: Collection[str]) -> Route:
        """The way of a message that these exchanges have seen before, as they don't let it pass."""
        start = route.behind or self.exchanges.get(route.address.exchange)
        if start is None or start.name in closed:
            return Route(route.address, (), routed=False, cacheable=False, extra_keys=route.extra_keys)
        properties = message.properties
        return self._walk(
            start,
            route.address,
            route.address.routing_key,
            list(route.extra_keys),
            properties.headers,
            properties,
            behind=route.behind,
            closed=closed,
        )

    def _append(self, route: Route, message: Message, barred: Collection[str], receipt: Receipt | None) -> Outcome:
        """Append `message` to the queues of `route`, except those named in `barred`, and to the store."""
        outcome = Outcome.TAKEN
        waits_for_flush = route.kept and self.broker.store.durable
        if route.answers_late:
            receipt = receipt or Receipt()
        queues: Iterable[Queue] = route.queues
        queue_count = len(route.queues)
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
                else:
                    if receipt is not None and queue.answers_late:
                        queue.drop_with(message, receipt)
                    # What it duplicates may not be on disk yet; it is confirmed no sooner.
                    stored = queue.store_id and message.properties.persistent and self.broker.store.durable
                    waits_for_flush = waits_for_flush or bool(stored)
            queues = taken
            queue_count = len(taken)
            logged = [queue for queue in taken if queue.store_id and not queue.keeps_messages]
            if message.properties.persistent:
                store_ids = tuple(queue.store_id for queue in logged)
            else:
                store_ids = tuple(queue.store_id for queue in logged if queue.stores_transient)
        else:
            store_ids = route.store_ids if message.properties.persistent else route.transient_ids
        if store_ids:
            # First, so that a queue which refuses at once has an entry to settle.
            self.broker.store.append(message, store_ids)
            waits_for_flush |= self.broker.store.durable
        if receipt is not None and route.answers_late:
            for queue in queues:
                if queue.answers_late:
                    queue.append_with(message, receipt)
                else:
                    queue.append(message)
            if receipt.refused:
                outcome = Outcome.REFUSED
        else:
            for queue in queues:
                queue.append(message)
        if message.properties.expiration is not None:
            for queue in queues:
                queue.expects_expiry()
        self.exchange_counts(route.address.exchange).publish_out += queue_count
        return Outcome.STORED if waits_for_flush and outcome is Outcome.TAKEN else outcome
