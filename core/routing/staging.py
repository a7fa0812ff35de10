"""Messages that are published together, though to prepare that takes several turns: others see all of them or none.

Each message's way is found beforehand, and what is stored of it is collected (`StorageEngine.long_group`).  A queue
that may refuse a message is asked beforehand, too, and keeps its place (`Queue.reserve`).  To publish them then is
little for each: its number, its time, and its place at the end of its queues.  What was found holds for as long as
nothing that it rests on has changed (known_routes.py).

What an exchange holds back or remembers is prepared, too (`Exchange.prepare_hold`), and what it drops as a duplicate is
found out (staged_duplicates.py).  All that goes for all but queues that can't say beforehand whether they take a
message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.core.errors import NotFound
from warren.core.queues.base import Admission
from warren.core.routing import firehose, observing
from warren.core.routing.publish import QUEUES_PER_COMMAND
from warren.core.routing.staged_duplicates import StagedDuplicates
from warren.core.routing.vhost import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Iterator, Sequence

    from warren.core.clients.client import Client
    from warren.core.counters import SessionCounts
    from warren.core.exchanges.base import Exchange
    from warren.core.exchanges.duplicates import DuplicateFilter
    from warren.core.messages.message import Message
    from warren.core.queues.base import Queue
    from warren.core.queues.dead_letter import Letter
    from warren.core.routing.route import Route
    from warren.core.routing.vhost import VirtualHost

STAGED_PER_SLICE: Final = 500
"""Publishes that are prepared in one turn: a few microseconds each, or some more by way of a headers exchange.  What
goes to very many queues counts as several."""

TRIES: Final = 3
"""So often publishes are prepared, where something changes meanwhile."""

TRACED_PER_SLICE: Final = 100
"""Publishes that the firehose or an observer is shown in one turn: each is another publish, some 30 µs."""


class _Row:
    """The messages for one row of a queue."""

    __slots__ = ("expires", "messages", "number", "queue", "reserved_bytes", "reserved_count", "size_bytes")

    def __init__(self, queue: Queue, number: int) -> None:
        self.queue = queue
        self.number = number
        self.messages: list[Message] = []
        self.size_bytes = 0
        self.expires = False
        self.reserved_count = 0
        self.reserved_bytes = 0

    def release(self) -> None:
        """The places that are reserved are free."""
        self.queue.release(self.reserved_count, self.reserved_bytes)
        self.reserved_count = self.reserved_bytes = 0


class _Way:
    """What is counted of messages to one exchange."""

    __slots__ = ("appended", "messages")

    def __init__(self) -> None:
        self.messages = self.appended = 0


class Staged:
    """Of one transaction.

    group: what the store has of it, for the caller to add when it is published.  refused: the publishes that some queue
    has no room for, by their numbers from 0 on; others have them.  unroutable: those that nothing takes.
    refused_letters: dead letters that some queue has no room for.  client: who publishes, for an observer of messages.
    """

    __slots__ = (
        "_away",
        "_client",
        "_duplicates",
        "_held",
        "_messages",
        "_nowhere",
        "_observed",
        "_published",
        "_rows",
        "_seen",
        "_sizes",
        "_version",
        "_vhost",
        "_ways",
        "group",
        "refused",
        "refused_letters",
        "unroutable",
    )

    def __init__(self, vhost: VirtualHost, client: Client | None = None) -> None:
        self.group = vhost.broker.store.long_group()
        self.refused: list[int] = []
        self.unroutable: list[int] = []
        self.refused_letters: list[Letter] = []
        self._vhost = vhost
        self._client = client
        self._version = vhost.version
        self._messages: list[Message] = []
        self._published = 0
        self._sizes: dict[int, int] = {}
        self._rows: dict[tuple[int, int], _Row] = {}
        self._away: dict[Queue, int] = {}
        self._duplicates: StagedDuplicates | None = None
        self._held: dict[Exchange, list[Message]] = {}
        self._observed: list[tuple[Exchange, Message]] = []
        self._ways: dict[str, _Way] = {}
        self._nowhere: dict[str, int] = {}
        self._seen: list[tuple[Message, Route, object | None]] = []

    @property
    def holds(self) -> bool:
        """False when something has changed: it is to be done anew."""
        return self._vhost.version == self._version

    @property
    def may_be_published(self) -> bool:
        """Whether it holds in all it says, looked at once."""
        return self.holds and (self._duplicates is None or self._duplicates.hold(self._vhost.broker.now_ms))

    def add(self, message: Message, route: Route) -> bool:
        """One more publish, behind the others; False when it is none of those that can be prepared.

        To be called while the store is `collecting` the group.
        """
        noted = observing.prepare(self._vhost, route, message, self._client) if self._vhost.observed else None
        admission = self._add(message, route, ())
        if admission is None:
            return False
        if admission is Admission.REFUSE:
            self.refused.append(self._published)
        if not route.routed:
            self.unroutable.append(self._published)
            exchange = message.address.exchange
            self._nowhere[exchange] = self._nowhere.get(exchange, 0) + 1
        self._published += 1
        self._sizes[message.body_size] = self._sizes.get(message.body_size, 0) + 1
        if self._vhost.observed:
            self._seen.append((message, route, noted))
        return True

    def add_letter(self, letter: Letter) -> bool:
        """The same of a dead letter."""
        try:
            route = letter.route()
        except NotFound:
            return False
        admission = self._add(letter.message, route, letter.barred)
        if admission is Admission.REFUSE:
            self.refused_letters.append(letter)
        return admission is not None

    def drop(self) -> None:
        """It isn't published: queues have their places back."""
        for row in self._rows.values():
            row.release()

    def publish(self, counts: SessionCounts, returned_count: int = 0) -> None:
        """Now.  counts: of who publishes.  returned_count: so many go back to him, as nothing takes them."""
        broker = self._vhost.broker
        sequence, now_ms = broker.sequence, broker.now_ms
        for message in self._messages:
            sequence += 1
            message.sequence = sequence
            message.published_at_ms = now_ms
        broker.sequence = sequence
        for row in self._rows.values():
            row.release()
            row.queue.append_all(row.messages, row.size_bytes, row.number)
            if row.expires:
                row.queue.expects_expiry()
        for queue, count in self._away.items():
            queue.turned_away(count)
        if self._duplicates is not None:
            self._duplicates.remember(now_ms)
        for holder, held in self._held.items():
            holder.hold_prepared(held)
        for observer, message in self._observed:
            observer.routed(message)
            for watcher in observer.watchers:
                watcher(message)
        for name, way in self._ways.items():
            of_exchange = self._vhost.exchange_counts(name)
            of_exchange.publish_in += way.messages
            of_exchange.publish_out += way.appended
        if not returned_count:  # of which exchange those are that went back isn't known here
            for name, count in self._nowhere.items():
                self._vhost.exchange_counts(name).dropped += count
        counts.sizes.add_all(self._sizes)
        for each in (counts, self._vhost.counts):
            each.publish += self._published
            each.return_unroutable += returned_count
            each.drop_unroutable += len(self.unroutable) - returned_count

    def trace(self, client: Client, channel_number: int) -> Iterator[None]:
        """Show whoever looks what was published, in slices; nothing where nobody does."""
        refused = set(self.refused)
        for number, (message, route, noted) in enumerate(self._seen, 1):
            if self._vhost.tracing:
                firehose.trace_publish(self._vhost, route, message, client, channel_number)
            observer = self._vhost.broker.observer
            if observer is not None and noted is not None:
                observer.published(noted, (Outcome.REFUSED if number - 1 in refused else Outcome.TAKEN).value)
            if number % TRACED_PER_SLICE == 0:
                yield

    def _add(self, message: Message, route: Route, barred: Collection[str]) -> Admission | None:
        """REFUSE when some queue has no room, TAKE otherwise; None when that can't be said yet."""
        if route.answers_late:
            return None
        if route.next_to_ask(()) is not None:
            return self._add_unless_duplicate(message, route, barred)
        return self._add_by(message, route, barred)

    def _add_unless_duplicate(self, message: Message, route: Route, barred: Collection[str]) -> Admission | None:
        """As VirtualHost.deliver: by what remains of the way where an exchange has seen the message before."""
        if self._duplicates is None:
            self._duplicates = StagedDuplicates(self._vhost.broker.now_ms)
        asked: list[Exchange] = []
        passed: list[DuplicateFilter] = []
        closed: set[str] = set()
        while (observer := route.next_to_ask(asked)) is not None and observer.duplicates is not None:
            asked.append(observer)
            is_duplicate = self._duplicates.ask(observer.duplicates, message)
            if is_duplicate is None:
                return None
            if is_duplicate:
                closed.add(observer.name)
                route = self._vhost.reroute(route, message, closed)
            else:
                passed.append(observer.duplicates)
        admission = self._add_by(message, route, barred)
        if admission is Admission.REFUSE or not (route.routed or closed):
            for duplicates in passed:
                self._duplicates.forget(duplicates, message)
        return admission

    def _add_by(self, message: Message, route: Route, barred: Collection[str]) -> Admission | None:
        admission = Admission.TAKE
        queues = route.queues
        persistent = message.properties.persistent
        store_ids = route.store_ids if persistent else route.transient_ids
        if route.guarded or barred:
            admitted = self._admitted(message, route, barred)
            if admitted is None:
                return None
            queues, admission = admitted
            stored = [
                queue
                for queue in queues
                if queue.store_id and not queue.keeps_messages and (persistent or queue.stores_transient)
            ]
            store_ids = tuple(queue.store_id for queue in stored)
        self._messages.append(message)
        way = self._ways.get(route.address.exchange)
        if way is None:
            way = self._ways[route.address.exchange] = _Way()
        way.messages += 1
        way.appended += len(queues)
        for queue in queues:
            row = self._row(queue, message)
            row.messages.append(message)
            row.size_bytes += message.body_size
            row.expires |= message.properties.expiration is not None
        if store_ids:
            self._vhost.broker.store.append(message, store_ids)
        for holder in route.holders:
            self._held.setdefault(holder, []).append(holder.prepare_hold(message, route.extra_keys))
        self._observed += [(observer, message) for observer in route.observers]
        return admission

    def _admitted(
        self, message: Message, route: Route, barred: Collection[str]
    ) -> tuple[tuple[Queue, ...], Admission] | None:
        """The queues that take a message of a way that isn't free to all."""
        admitted: list[Queue] = []
        outcome = Admission.TAKE
        for queue in route.queues:
            if queue.name in barred:
                continue
            admission = queue.reserve(message) if queue.guarded else Admission.TAKE
            if admission is None:
                return None
            if admission is not Admission.TAKE:
                self._away[queue] = self._away.get(queue, 0) + 1
                if admission is Admission.REFUSE:
                    outcome = Admission.REFUSE
            else:
                admitted.append(queue)
                if queue.guarded:
                    row = self._row(queue, message)
                    row.reserved_count += 1
                    row.reserved_bytes += message.body_size
        return tuple(admitted), outcome

    def _row(self, queue: Queue, message: Message) -> _Row:
        number = queue.row_of(message)
        row = self._rows.get((id(queue), number))
        if row is None:
            row = self._rows[id(queue), number] = _Row(queue, number)
        return row


def stage(
    vhost: VirtualHost,
    count: int,
    publish: Callable[[int], tuple[Message, Route]],
    letters: Sequence[Letter],
    client: Client | None = None,
) -> Generator[None, None, Staged | None]:
    """Prepare publishes and the dead letters behind them, in slices; None when that can't be, or never lasts.

    publish: gives each by its number, with its way as it is now.  What it gives is to be published in the same turn, or
    `drop` is to be called.  client: who publishes, for an observer.
    """
    for _ in range(TRIES):
        staged = Staged(vhost, client)
        if not (yield from _try(staged, vhost, count, publish, letters)):
            staged.drop()
            return None
        if staged.may_be_published:
            return staged
        staged.drop()
    return None


def _try(
    staged: Staged,
    vhost: VirtualHost,
    count: int,
    publish: Callable[[int], tuple[Message, Route]],
    letters: Sequence[Letter],
) -> Generator[None, None, bool]:
    """False when it can't be; True when all is there, or something has changed."""
    store = vhost.broker.store
    number = 0
    while number < count:
        work = 0
        with store.collecting(staged.group):
            while number < count and work < STAGED_PER_SLICE:
                message, route = publish(number)
                if not staged.add(message, route):
                    return False
                number += 1
                work += 1 + len(route.queues) // QUEUES_PER_COMMAND
        yield
        if not staged.holds:
            return True
    for at in range(0, len(letters), STAGED_PER_SLICE):
        with store.collecting(staged.group):
            if not all(staged.add_letter(letter) for letter in letters[at : at + STAGED_PER_SLICE]):
                return False
        yield
    return True
