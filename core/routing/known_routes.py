"""Routes that a session remembers, so that the next message on the same way is neither parsed nor checked again.

What is remembered, by the raw bytes that a client names its address with, is what came of them: where they lead, and
that the client may publish there.  That rests on more than the topology of the virtual host, and one place decides
whether it still holds: `VirtualHost.version`.  Whatever a remembered route rests on counts it up when it changes, by

    VirtualHost.changed()            one virtual host: exchanges, queues, bindings, tracing, observers
    Broker.forget_known_routes()     all of them: users and their permissions, alarms

and that is all that a further cause has to do: sessions compare that one number, once per batch, and start over.

What may be remembered at all is decided here too, in `may_be_remembered`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from warren.core.counters import SessionCounts
    from warren.core.routing.route import Route
    from warren.core.routing.vhost import VirtualHost

SPARE_ROUTES_MAX: Final = 256 * 1024
"""What sessions may remember beyond their own, all together: some hundred bytes each."""

LENT_AT_ONCE: Final = 1024

MANY_QUEUES: Final = 32
"""What goes to more queues isn't remembered, so that each message counts as the work that it is
(core.routing.publish.slow_down): a row of thousands would be given to each of them in one turn."""


class KnownRoute:
    """Where messages of one way go; a protocol adds what else it knows of them.

    queues: each gets the message.  store_ids: what a persistent message is stored under then; empty when none of the
    queues stores it, or the store keeps nothing.  The two stand in the protocols' loops as VirtualHost.deliver has
    them, without a call in between.  kept: one of the queues keeps its messages by itself, persistent or not, so that a
    confirm waits for a flush whatever is stored.  routed: see Route.  counts: of who publishes; the loops call
    `published` once for all that has gone this way one after the other, which the broker's sequence numbers tell.
    """

    __slots__ = ("_exchange_counts", "address", "counts", "kept", "queues", "routed", "store_ids")

    def __init__(self, route: Route, counts: SessionCounts) -> None:
        vhost = counts.vhost
        self.address = route.address
        self.queues = route.queues
        self.store_ids = route.store_ids if vhost.broker.store.durable else ()
        self.kept = route.kept and vhost.broker.store.durable
        self.routed = route.routed
        self.counts = counts
        self._exchange_counts = vhost.exchange_counts(route.address.exchange)

    def published(self, count: int) -> int:
        """So many messages have gone this way; gives the number back, for whoever adds up."""
        counts, exchange_counts = self.counts, self._exchange_counts
        vhost_counts = counts.vhost.counts
        counts.publish += count
        vhost_counts.publish += count
        exchange_counts.publish_in += count
        exchange_counts.publish_out += count * len(self.queues)
        if not self.routed:
            counts.drop_unroutable += count
            vhost_counts.drop_unroutable += count
            exchange_counts.dropped += count
        return count

    def counts_as(self, other: KnownRoute) -> bool:
        """True when what goes this way is counted where the other's is, and in the same manner."""
        return (
            self._exchange_counts is other._exchange_counts
            and self.counts is other.counts
            and len(self.queues) == len(other.queues)
            and self.routed == other.routed
        )


Known = TypeVar("Known", bound=KnownRoute)


class SpareRoutes:
    """What all sessions together may remember beyond what each may by itself.

    left: so many are left of them.
    """

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = SPARE_ROUTES_MAX

    def lend(self) -> int:
        """Some more for a session, which gives them back when it forgets; 0 when there are none."""
        if self.left < LENT_AT_ONCE:
            return 0
        self.left -= LENT_AT_ONCE
        return LENT_AT_ONCE


class KnownRoutes(Generic[Known]):
    """What one session remembers of one virtual host; made when it has entered it.

    entries_max: so many may be remembered.  spare: where more are to be had; None for none.

    Who uses more than that in turn finds none of those that have just been forgotten, so that what is known is kept at
    first; it starts over when as many others have come.
    """

    __slots__ = ("_borrowed", "_entries", "_own_max", "_passed_over", "_spare", "_version", "_vhost")

    def __init__(self, vhost: VirtualHost, entries_max: int, spare: SpareRoutes | None = None) -> None:
        self._vhost = vhost
        self._own_max = entries_max
        self._spare = spare
        self._borrowed = 0
        self._passed_over = 0
        self._entries: dict[bytes, Known] = {}
        self._version = vhost.version

    @property
    def entries_max(self) -> int:
        """So many may be remembered at present."""
        return self._own_max + self._borrowed

    def now(self) -> dict[bytes, Known]:
        """The remembered routes, all of which hold until something else than a publish is done."""
        if self._vhost.version != self._version:
            self.forget()
        return self._entries

    def remember(self, key: bytes, known: Known) -> None:
        """Keep what `may_be_remembered` says may be."""
        entries = self.now()
        if len(entries) >= self.entries_max:
            if self._spare is not None:
                self._borrowed += self._spare.lend()
            if len(entries) >= self.entries_max:
                self._passed_over += 1
                if self._passed_over <= self.entries_max:
                    return
                self.forget()
        entries[key] = known

    def forget(self) -> None:
        """Start over: something in the session itself has changed that its routes rest on."""
        self._version = self._vhost.version
        self._entries.clear()
        self._passed_over = 0
        if self._spare is not None:
            self._spare.left += self._borrowed
            self._borrowed = 0


def may_be_remembered(vhost: VirtualHost, route: Route) -> bool:
    """Whether every message that goes this way is handled alike, without asking anybody, and is little work.

    Not while somebody looks, since the firehose or an observer sees each message, nor under an alarm, which holds
    publishes back.
    """
    return route.plain and len(route.queues) <= MANY_QUEUES and _nobody_looks(vhost)


def may_be_remembered_late(vhost: VirtualHost, route: Route) -> bool:
    """The same, by who waits for queues that answer later, a row at a time."""
    return route.alike and len(route.queues) <= MANY_QUEUES and _nobody_looks(vhost)


def _nobody_looks(vhost: VirtualHost) -> bool:
    return not vhost.observed and vhost.broker.alarms.blocked is None
