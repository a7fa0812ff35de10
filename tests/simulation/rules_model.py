"""A broker whose queues have rules (TTL, lengths, priorities, dead-lettering), as a model of lists and loops.

It shares nothing with the broker under test, and says what the specification (A.7) says, one rule per method.  Where a
broker may choose, which of several equal consumers gets a message, the model is told the choice (`deliveries`) and
checks that it was allowed.  Time is a number that only `at` moves.

Work happens in rounds, as in any broker: what a command touches is looked at in the order of touching, what that
touches afterwards.  Several queues whose heads expire at the same moment have no order that anybody promises; the
driver tries all of them.

Longer than 400 lines because the rules of a queue refer to each other, and a model split in two is harder to check.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

NO_LIMIT = 1 << 60


@dataclass(frozen=True)
class Death:
    """One table of x-death."""

    queue: str
    reason: str
    exchange: str
    keys: tuple[str, ...]
    expiration: str | None
    count: int = 1


@dataclass(order=True)
class Entry:
    """A message in a queue, in its place by `number`.  own: so many of the latest deaths came after its publish."""

    number: int
    body: bytes = field(compare=False)
    exchange: str = field(compare=False)
    key: str = field(compare=False)
    born_ms: int = field(compare=False)
    priority: int = field(compare=False, default=0)
    expiration: str | None = field(compare=False, default=None)
    persistent: bool = field(compare=False, default=False)
    copies: tuple[str, ...] = field(compare=False, default=())
    deaths: tuple[Death, ...] = field(compare=False, default=())
    own: int = field(compare=False, default=0)
    returned: bool = field(compare=False, default=False)
    failures: int = field(compare=False, default=0)


@dataclass(frozen=True)
class Shape:
    """The arguments of a queue."""

    ttl: int | None = None
    expires: int | None = None
    max_length: int | None = None
    max_bytes: int | None = None
    overflow: str | None = None
    dead_exchange: str | None = None
    dead_key: str | None = None
    priorities: int = 0
    limit: int | None = None
    quorum: bool = False
    single: bool = False


@dataclass(frozen=True)
class Policy:
    """What a policy adds: the smaller number counts, and what an argument says of the rest."""

    ttl: int | None = None
    expires: int | None = None
    max_length: int | None = None
    limit: int | None = None
    overflow: str | None = None
    dead_exchange: str | None = None
    dead_key: str | None = None


NO_POLICY = Policy()


@dataclass(eq=False)
class ModelConsumer:
    """Who takes messages of a queue, and how many more."""

    name: str
    queue: ModelQueue
    priority: int
    credit: int
    no_ack: bool


class ModelQueue:
    """`levels`: ready entries by priority, the highest first.  held: entries that are delivered and not settled.

    active: the single active consumer.  successor: who becomes that when nothing is held any more.
    """

    def __init__(self, name: str, shape: Shape, policy: Policy, now_ms: int) -> None:
        self.name = name
        self.shape = shape
        self.policy = policy
        self.levels: list[list[Entry]] = [[] for _ in range(2 if shape.quorum else shape.priorities + 1)]
        self.turn = 0
        self.had_urgent = False
        self.consumers: list[ModelConsumer] = []
        self.active: ModelConsumer | None = None
        self.successor: ModelConsumer | None = None
        self.held = 0
        self.used_ms = now_ms
        self.gone = False
        self.touched = False
        self.busy = False

    @property
    def ready(self) -> list[Entry]:
        """In the order of their levels."""
        return [entry for level in self.levels for entry in level]

    @property
    def next(self) -> Entry:
        """Who is delivered next: a quorum queue gives two urgent ones, then an ordinary one, if there are both."""
        levels = self.levels[::-1] if self.shape.quorum and self.turn == 2 else self.levels
        return next(level[0] for level in levels if level)

    @property
    def surplus(self) -> Entry:
        """Who goes when there are too many: the first, of a quorum queue's ordinary ones if there are such."""
        return self.next if not self.shape.quorum else next(level[0] for level in self.levels[::-1] if level)

    def given(self) -> None:
        """A message was given out."""
        if self.had_urgent:
            self.turn = (self.turn + 1) % 3

    @property
    def ready_bytes(self) -> int:
        return sum(len(entry.body) for entry in self.ready)

    @property
    def ttl(self) -> int | None:
        return _least(self.shape.ttl, self.policy.ttl)

    @property
    def expires(self) -> int | None:
        return _least(self.shape.expires, self.policy.expires)

    @property
    def overflow(self) -> str:
        return self.shape.overflow or self.policy.overflow or "drop-head"

    @property
    def dead_exchange(self) -> str | None:
        return self.policy.dead_exchange if self.shape.dead_exchange is None else self.shape.dead_exchange

    @property
    def dead_key(self) -> str | None:
        return self.policy.dead_key if self.shape.dead_key is None else self.shape.dead_key

    @property
    def max_length(self) -> int | None:
        return _least(self.shape.max_length, self.policy.max_length)

    @property
    def limit(self) -> int | None:
        given = [each for each in (self.shape.limit, self.policy.limit) if each is not None]
        bounded = [each for each in given if each >= 0]
        return min(bounded) if bounded else given[0] if given else 20 if self.shape.quorum else None

    def stores(self, entry: Entry) -> bool:
        """It is there after a restart."""
        return entry.persistent or self.shape.quorum

    def put(self, entry: Entry) -> None:
        """Into its place."""
        if self.shape.quorum:
            self.had_urgent |= entry.priority >= 5
            insort(self.levels[0 if entry.priority >= 5 else 1], entry)
        else:
            insort(self.levels[self.shape.priorities - min(entry.priority, self.shape.priorities)], entry)

    def take(self, entry: Entry) -> None:
        """Out of it."""
        for level in self.levels:
            if entry in level:
                level.remove(entry)

    def deadline(self, entry: Entry) -> int | None:
        """When it expires."""
        lives = _least(self.ttl, None if entry.expiration is None else int(entry.expiration))
        return None if lives is None else entry.born_ms + lives

    def exceeds(self, count: int, size: int) -> bool:
        """With so much in it, the queue would be too long."""
        return (self.max_length is not None and count > self.max_length) or (
            self.shape.max_bytes is not None and size > self.shape.max_bytes
        )

    @property
    def takers(self) -> list[ModelConsumer]:
        """Consumers that could take a message now: the most urgent of those with credit."""
        if self.successor is not None:
            return []
        able = [each for each in self.consumers if each.credit and (not self.shape.single or each is self.active)]
        top = max((each.priority for each in able), default=0)
        return [each for each in able if each.priority == top]


class RulesModel:
    """See the head of this file.

    deliveries: (consumer, body, redelivered) as they were seen, by queue; the model takes them off as it agrees.
    """

    def __init__(self, now_ms: int) -> None:
        self.now_ms = now_ms
        self.queues: dict[str, ModelQueue] = {}
        self.policies: dict[str, Policy] = {}
        self.bindings: dict[str, list[tuple[str, str]]] = {}
        self.number = 0
        self.deliveries: dict[str, list[tuple[ModelConsumer, bytes, bool]]] = {}
        self.delivered: list[tuple[ModelConsumer, Entry]] = []
        self._dirty: list[ModelQueue] = []
        self._later: list[Callable[[], None]] = []

    # Topology

    def declare(self, name: str, shape: Shape) -> None:
        """A new queue, or the renewal of one of the same shape."""
        if name not in self.queues:
            self.queues[name] = ModelQueue(name, shape, self.policies.get(name, NO_POLICY), self.now_ms)
        elif not self.queues[name].shape.quorum:
            self.queues[name].used_ms = self.now_ms

    def delete(self, name: str) -> None:
        """With its bindings and consumers; nothing is dead-lettered."""
        queue = self.queues.pop(name)
        queue.gone = True
        queue.levels = [[] for _ in queue.levels]
        queue.consumers = []
        for exchange, bound in self.bindings.items():
            self.bindings[exchange] = [each for each in bound if each[1] != name]

    def policy(self, name: str, policy: Policy) -> None:
        """Another policy applies to the queue of this name; another expiry begins now."""
        self.policies[name] = policy
        queue = self.queues.get(name)
        if queue is not None:
            before = queue.expires
            queue.policy = policy
            if queue.expires != before:
                queue.used_ms = self.now_ms
            self.touch(queue)

    # Publishing

    def publish(self, entry: Entry) -> bool:
        """False when a queue refused it."""
        self.number += 1
        entry = replace(entry, number=self.number, born_ms=self.now_ms)
        return self._route(entry, set())

    def _targets(self, entry: Entry) -> list[ModelQueue]:
        found: dict[str, ModelQueue] = {}
        for key in (entry.key, *entry.copies):
            if entry.exchange:
                names = [name for bound, name in self.bindings[entry.exchange] if entry.exchange == "f" or bound == key]
            else:
                names = [key]
            found |= {name: self.queues[name] for name in names if name in self.queues}
        return list(found.values())

    def _route(self, entry: Entry, barred: set[str]) -> bool:
        refused = False
        taking = []
        for queue in self._targets(entry):
            if queue.name in barred:
                continue
            if self._admits(queue, entry):
                taking.append(queue)
            else:
                refused = True
        for queue in taking:
            queue.put(replace(entry))
            self.touch(queue)
        return not refused

    def _admits(self, queue: ModelQueue, entry: Entry) -> bool:
        """A queue that refuses what is too much takes what somebody waits for."""
        if queue.overflow == "drop-head":
            return True
        bounded = queue.max_length is not None or queue.shape.max_bytes is not None
        if bounded and queue.takers and not queue.busy:
            self._work(queue)
        if queue.takers and not queue.ready:
            return True
        if not queue.exceeds(len(queue.ready) + 1, queue.ready_bytes + len(entry.body)):
            return True
        if queue.overflow == "reject-publish-dlx":
            self._later.append(lambda: self._bury(queue, entry, "maxlen"))
        return False

    # Rounds

    def touch(self, queue: ModelQueue) -> None:
        """Something about the queue has changed."""
        if not queue.touched:
            queue.touched = True
            self._dirty.append(queue)

    def settle(self) -> None:
        """Until nothing is left to do."""
        while self._dirty or self._later:
            while self._dirty:
                round_, self._dirty = self._dirty, []
                for queue in round_:
                    queue.touched = False
                    self._work(queue)
            later, self._later = self._later, []
            for call in later:
                call()

    def _work(self, queue: ModelQueue) -> None:
        """Deliver; then expire what is due at the heads; then drop what is too much."""
        queue.busy = True
        self._deliver(queue)
        self._expire(queue)
        if queue.overflow == "drop-head":
            while queue.ready and queue.exceeds(len(queue.ready), queue.ready_bytes):
                first = queue.surplus
                queue.take(first)
                self._bury(queue, first, "maxlen")
            self._expire(queue)
        queue.busy = False

    def _expire(self, queue: ModelQueue) -> None:
        for level in queue.levels:
            while level and self._is_due(queue, level[0]):
                self._bury(queue, level.pop(0), "expired")

    def _deliver(self, queue: ModelQueue) -> None:
        while queue.ready and queue.takers:
            entry = queue.next
            queue.take(entry)
            at_once = queue.deadline(entry) == entry.born_ms == self.now_ms and not entry.returned
            if self._is_due(queue, entry) and not at_once:
                self._bury(queue, entry, "expired")
                continue
            seen = self.deliveries.get(queue.name)
            assert seen, f"{entry.body!r} of {queue.name} should have been delivered to {queue.takers[0].name}"
            consumer, body, redelivered = seen.pop(0)
            assert consumer in queue.takers, f"{consumer.name} got {body!r} out of turn"
            assert (body, redelivered) == (entry.body, entry.returned), f"{consumer.name} on {queue.name}"
            queue.given()
            consumer.credit -= 1
            if not consumer.no_ack:
                queue.held += 1
                self.delivered.append((consumer, entry))

    def _is_due(self, queue: ModelQueue, entry: Entry) -> bool:
        deadline = queue.deadline(entry)
        return deadline is not None and deadline <= self.now_ms

    # Dead letters

    def _bury(self, queue: ModelQueue, entry: Entry, reason: str) -> None:
        exchange = queue.dead_exchange
        if exchange is None:
            return
        same = [each for each in entry.deaths if (each.queue, each.reason) == (queue.name, reason)]
        keys = (entry.key, *entry.copies)
        death = (
            replace(same[0], count=same[0].count + 1)
            if same
            else Death(queue.name, reason, entry.exchange, keys, entry.expiration)
        )
        deaths = (death, *(each for each in entry.deaths if each not in same))
        own = entry.own + (not set(same) & set(entry.deaths[: entry.own]))
        if exchange not in ("", *self.bindings):
            return
        key = queue.dead_key
        self.number += 1
        letter = replace(
            entry,
            number=self.number,
            exchange=exchange,
            key=entry.key if key is None else key,
            copies=entry.copies if key is None else (),
            born_ms=self.now_ms,
            expiration=None,
            deaths=deaths,
            own=own,
            returned=False,
            failures=0,
        )
        barred = {name for name in self.queues if reason != "rejected" and _is_cycle(name, deaths[:own])}
        self._route(letter, barred)

    # Consuming

    def consume(self, consumer: ModelConsumer) -> None:
        """A consumer comes."""
        queue = consumer.queue
        queue.consumers.append(consumer)
        if queue.active is None:
            queue.active = consumer
        if consumer.credit and (not queue.shape.single or queue.active is consumer):
            self.touch(queue)
        active = queue.successor or queue.active
        if queue.shape.quorum and queue.shape.single and consumer.priority > active.priority:
            self._succeed(queue, consumer)

    def _succeed(self, queue: ModelQueue, consumer: ModelConsumer) -> None:
        """On a quorum queue a more urgent consumer becomes the active one, when nothing is held any more."""
        queue.successor = consumer if queue.held else None
        if not queue.held:
            queue.active = consumer
            if consumer.credit:
                self.touch(queue)

    def cancel(self, consumer: ModelConsumer) -> None:
        """A consumer goes; what it holds stays held."""
        queue = consumer.queue
        if queue.gone:
            return
        queue.consumers.remove(consumer)
        queue.used_ms = self.now_ms
        waited = queue.successor is not None
        queue.successor = None
        if waited and queue.active is not consumer and queue.active is not None:
            best = max(queue.consumers, key=lambda each: each.priority)
            if best.priority > queue.active.priority:
                self._succeed(queue, best)
            elif queue.active.credit:
                self.touch(queue)
        if queue.active is consumer:
            queue.active = max(queue.consumers, key=lambda each: each.priority, default=None)
            if queue.shape.single and queue.active is not None and queue.active.credit:
                self.touch(queue)

    def get(self, name: str, *, held: bool) -> Entry | None:
        """A poll of the head, past what has expired."""
        queue = self.queues[name]
        queue.used_ms = self.now_ms
        found = None
        while queue.ready and found is None:
            entry = queue.next
            queue.take(entry)
            if self._is_due(queue, entry):
                self._bury(queue, entry, "expired")
            else:
                found = entry
                queue.held += held
                queue.given()
        self.touch(queue)
        return found

    def ack(self, queue: ModelQueue) -> None:
        """Something that was held is settled."""
        queue.held -= 1
        if queue.successor is not None and not queue.gone:
            self._succeed(queue, queue.successor)

    def discard(self, queue: ModelQueue, entry: Entry) -> None:
        """Rejected for good."""
        if not queue.gone:
            self._bury(queue, entry, "rejected")
        self.ack(queue)

    def requeue(self, queue: ModelQueue, entry: Entry, *, failed: bool) -> None:
        """Back to its place, unless it failed too often."""
        if queue.gone:
            return
        self.ack(queue)
        if failed and queue.limit is not None:
            entry.failures += 1
            if entry.failures > queue.limit >= 0:
                self._bury(queue, entry, "delivery_limit")
                self.touch(queue)
                return
        entry.returned = True
        queue.put(entry)
        self.touch(queue)

    def purge(self, name: str) -> int:
        """Everything ready goes, to nowhere."""
        queue = self.queues[name]
        count = len(queue.ready)
        for level in queue.levels:
            level.clear()
        return count

    # Time

    def due(self) -> list[ModelQueue]:
        """Queues with heads that have expired."""
        return [
            queue
            for queue in self.queues.values()
            if any(level and self._is_due(queue, level[0]) for level in queue.levels)
        ]

    def at(self, now_ms: int) -> None:
        """Time has passed: unused queues go; expired heads wait for `touch`."""
        self.now_ms = now_ms
        for name, queue in list(self.queues.items()):
            expires = queue.expires
            if expires is not None and not queue.consumers and queue.used_ms + expires <= now_ms:
                self.delete(name)

    def restart(self) -> None:
        """A clean stop and start: all queues are durable; up to the last message delivered before, all are marked."""
        for queue in self.queues.values():
            queue.consumers = []
            queue.active = queue.successor = None
            queue.held = 0
            queue.turn = 0
            queue.used_ms = self.now_ms
            for level in queue.levels:
                level[:] = [entry for entry in level if queue.stores(entry)]
            last = max((entry.number for entry in queue.ready if entry.returned), default=0)
            for entry in queue.ready:
                entry.returned = entry.number <= last

    def crash(self, held: list[tuple[ModelQueue, Entry]]) -> None:
        """What was held is back, marked as everything is, and has failed once more as far as that can be told."""
        for queue in self.queues.values():
            first = min((level[0] for level in queue.levels if level), default=None)
            for entry in sorted(entry for of, entry in held if of is queue and queue.stores(entry)):
                if queue.limit is not None and (first is None or (queue.stores(first) and entry < first)):
                    entry.failures += 1
                if queue.limit is not None and entry.failures > queue.limit >= 0:
                    self._later.append(partial(self._bury, queue, entry, "delivery_limit"))
                else:
                    queue.put(entry)
        self.restart()
        for queue in self.queues.values():
            for entry in queue.ready:
                entry.returned = True
            self.touch(queue)


def _is_cycle(name: str, deaths: Sequence[Death]) -> bool:
    """It died there before, and nobody has rejected it since then."""
    for index, death in enumerate(deaths):
        if death.queue == name:
            return all(each.reason != "rejected" for each in deaths[: index + 1])
    return False


def _least(first: int | None, second: int | None) -> int | None:
    given = [each for each in (first, second) if each is not None]
    return min(given) if given else None
