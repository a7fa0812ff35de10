"""A broker in a hundred lines: lists per queue, and who holds what.

It shares nothing with the broker under test.  Of what a broker may decide itself, only the choice among several
consumers of a queue is left open: the model then checks each delivery as it is seen (`delivered`), and foretells none.
What a delivery must be follows from the model alone: with messages ready in order of their numbers, the next one
given to anybody is the first.
"""

from __future__ import annotations

from bisect import insort
from dataclasses import dataclass, field, replace


@dataclass(order=True)
class Entry:
    """A message in a queue, in its place by `number`; `returned`: it was delivered before.

    note: what a receiver of AMQP 1.0 has written on it.  stored: its place after a restart, if that is another one.
    """

    number: int
    body: bytes = field(compare=False)
    persistent: bool = field(compare=False)
    returned: bool = field(compare=False, default=False)
    note: int | None = field(compare=False, default=None)
    stored: int | None = field(compare=False, default=None)

    def recovered(self) -> Entry:
        """As a start finds it, delivered before."""
        return replace(self, number=self.number if self.stored is None else self.stored, returned=True, stored=None)


@dataclass
class ModelConsumer:
    """Where a consumer is, and how much it may hold.

    link_credit: how many more messages it takes, however many of them are settled, as links of AMQP 1.0 say; None for
    consumers that have a prefetch instead.
    """

    queue: str
    channel: tuple[int, int]
    prefetch: int
    no_ack: bool
    link_credit: int | None = None


@dataclass
class ModelQueue:
    """`ready` in order; `durable`: survives; `auto_delete` once it had a consumer."""

    durable: bool
    auto_delete: bool
    ready: list[Entry] = field(default_factory=list)


@dataclass
class Held:
    """A delivery that is not settled."""

    queue: str
    entry: Entry
    tag: str | None
    generation: int


@dataclass
class Settlement:
    """Deliveries that a transaction is to settle, with what the receiver writes on them.

    by_receiver: it has settled them already, so that they return to their queues if the transaction is given up.
    """

    channel: tuple[int, int]
    deliveries: dict[int, Held]
    requeue: bool
    note: int | None
    by_receiver: bool


@dataclass
class ModelTransaction:
    """publishes: exchange, key, body and whether it is persistent, with the channel.  doomed: it can't be committed."""

    publishes: list[tuple[tuple[int, int], str, str, bytes, bool]] = field(default_factory=list)
    settlements: list[Settlement] = field(default_factory=list)
    doomed: bool = False


Snapshot = dict[tuple[str, int], list[Entry]]
"""Entries by queue name and generation (a queue deleted and declared anew is another one)."""


class Model:
    """Channels are (connection, number); consumers are known by (connection, number, tag)."""

    def __init__(self) -> None:
        self.queues: dict[str, ModelQueue] = {}
        self.generations: dict[str, int] = {}
        self.bindings: set[tuple[str, str]] = set()
        self.consumers: dict[tuple[int, int, str], ModelConsumer] = {}
        self.held: dict[tuple[int, int], dict[int, Held]] = {}
        self.next_tags: dict[tuple[int, int], int] = {}
        self.global_limits: dict[tuple[int, int], int] = {}
        self.transactions: dict[tuple[int, bytes], ModelTransaction] = {}
        self.number = 0

    # Topology

    def declare(self, name: str, *, durable: bool, auto_delete: bool) -> bool:
        """False when it is there and differs."""
        found = self.queues.get(name)
        if found is None:
            self.queues[name] = ModelQueue(durable, auto_delete)
            self.generations[name] = self.generations.get(name, 0) + 1
            return True
        return (found.durable, found.auto_delete) == (durable, auto_delete)

    def delete(self, name: str) -> list[tuple[int, int, str]]:
        """Take a queue away; the consumers that it had."""
        gone = [key for key, consumer in self.consumers.items() if consumer.queue == name]
        for key in gone:
            del self.consumers[key]
        self.queues.pop(name, None)
        self.bindings = {binding for binding in self.bindings if binding[1] != name}
        return gone

    # Publishing

    def publish(self, exchange: str, key: str, body: bytes, *, persistent: bool) -> list[Entry]:
        """The entries that a message becomes, one per queue; none when it is unroutable."""
        self.number += 1
        entries = []
        for name in self.targets(exchange, key):
            entry = Entry(self.number, body, persistent)
            self.queues[name].ready.append(entry)
            entries.append(entry)
        return entries

    def targets(self, exchange: str, key: str) -> list[str]:
        """The queues that a message goes to."""
        if exchange:
            return [name for bound_key, name in sorted(self.bindings) if bound_key == key]
        return [key] if key in self.queues else []

    # Consuming

    def credit(self, key: tuple[int, int, str]) -> bool:
        """True when this consumer could take a message."""
        consumer = self.consumers[key]
        if consumer.link_credit is not None:
            return consumer.link_credit > 0
        held = [each for each in self.held[consumer.channel].values() if each.tag is not None]
        limit = self.global_limits.get(consumer.channel, 0)
        if limit and len(held) >= limit:
            return False
        own = sum(1 for each in held if each.tag == key[2])
        return consumer.no_ack or not consumer.prefetch or own < consumer.prefetch

    def delivered(
        self, key: tuple[int, int, str], number: int, redelivered: bool, body: bytes, note: int | None = None
    ) -> None:
        """A consumer got this: it must be the head of its queue, on credit, with the right tag and flag.

        note: on it, as clients of AMQP 1.0 see it.
        """
        consumer = self.consumers[key]
        queue = self.queues[consumer.queue]
        assert queue.ready, f"{key} got {body!r} from an empty queue"
        assert self.credit(key), f"{key} got {body!r} without credit"
        if consumer.link_credit is not None:
            consumer.link_credit -= 1
            assert note == queue.ready[0].note, f"{body!r} should have the note {queue.ready[0].note}, not {note}"
        self._take(
            consumer.channel, queue.ready.pop(0), consumer.queue, number, redelivered, body, key[2], consumer.no_ack
        )

    def got(
        self, channel: tuple[int, int], name: str, number: int, redelivered: bool, body: bytes, no_ack: bool
    ) -> None:
        """basic.get-ok: the same for a poll."""
        self._take(channel, self.queues[name].ready.pop(0), name, number, redelivered, body, None, no_ack)

    def _take(
        self,
        channel: tuple[int, int],
        entry: Entry,
        name: str,
        number: int,
        redelivered: bool,
        body: bytes,
        tag: str | None,
        no_ack: bool,
    ) -> None:
        assert body == entry.body, f"expected {entry.body!r} from {name}, got {body!r}"
        assert redelivered == entry.returned, f"{body!r} redelivered={redelivered}"
        self.next_tags[channel] += 1
        assert number == self.next_tags[channel], "delivery tags count up"
        if not no_ack:
            self.held[channel][number] = Held(name, entry, tag, self.generations[name])

    def starving(self) -> list[tuple[int, int, str]]:
        """Consumers that could take a message of their queue, which has some."""
        return [
            key for key, consumer in self.consumers.items() if self.queues[consumer.queue].ready and self.credit(key)
        ]

    # Settling

    def settle(self, channel: tuple[int, int], number: int, *, multiple: bool, requeue: bool) -> bool:
        """False for a tag that is not outstanding."""
        held = self.held[channel]
        if multiple and not number:
            chosen = list(held)
        elif number not in held:
            return False
        else:
            chosen = [each for each in held if each <= number] if multiple else [number]
        for each in chosen:
            taken = held.pop(each)
            if requeue:
                self._give_back(taken)
        return True

    def amend(self, taken: Held, note: int) -> None:
        """A receiver writes on a message that it has; stored, it is another record, behind all that there are."""
        self.number += 1
        taken.entry = replace(taken.entry, note=note, stored=self.number)

    def recover(self, channel: tuple[int, int]) -> None:
        """Everything that is held on the channel returns."""
        self.settle(channel, 0, multiple=True, requeue=True)

    def _give_back(self, taken: Held) -> None:
        queue = self._queue_of(taken)
        if queue is not None:
            taken.entry.returned = True
            insort(queue.ready, taken.entry)

    def _queue_of(self, taken: Held) -> ModelQueue | None:
        queue = self.queues.get(taken.queue)
        return queue if queue is not None and self.generations[taken.queue] == taken.generation else None

    # Transactions

    def enlist(
        self,
        id: tuple[int, bytes],
        channel: tuple[int, int],
        numbers: list[int],
        *,
        requeue: bool,
        note: int | None,
        by_receiver: bool,
    ) -> None:
        """A transaction is to settle these."""
        deliveries = {number: self.held[channel].pop(number) for number in numbers}
        settlement = Settlement(channel, deliveries, requeue, note, by_receiver)
        self.transactions[id].settlements.append(settlement)

    def commit(self, id: tuple[int, bytes]) -> bool:
        """Do all of it; whether any of that is to be stored."""
        transaction = self.transactions.pop(id)
        stored = False
        for _, exchange, key, body, persistent in transaction.publishes:
            self.publish(exchange, key, body, persistent=persistent)
            stored = stored or (persistent and any(self.queues[name].durable for name in self.targets(exchange, key)))
        first_of = [each.channel for each in transaction.settlements]
        for settlement in sorted(transaction.settlements, key=lambda each: first_of.index(each.channel)):
            for taken in settlement.deliveries.values():
                stored = stored or (taken.entry.persistent and self._is_durable(taken))
                if settlement.note is not None:
                    self.amend(taken, settlement.note)
                if settlement.requeue:
                    self._give_back(taken)
        return stored

    def _is_durable(self, taken: Held) -> bool:
        queue = self._queue_of(taken)
        return queue is not None and queue.durable

    def give_up(self, id: tuple[int, bytes]) -> None:
        """None of it is done: what it was to settle is held again, or returns."""
        for settlement in self.transactions.pop(id).settlements:
            if settlement.by_receiver:
                for taken in settlement.deliveries.values():
                    self._give_back(taken)
            else:
                self.held[settlement.channel].update(settlement.deliveries)

    def doom(self, channel: tuple[int, int]) -> None:
        """A session ends with its part of transactions: they are void, and what they were to settle returns."""
        for (connection, _), transaction in self.transactions.items():
            parts = [each for each in transaction.settlements if each.channel == channel]
            if connection == channel[0] and (parts or any(each[0] == channel for each in transaction.publishes)):
                transaction.doomed = True
                transaction.publishes.clear()
                transaction.settlements = [each for each in transaction.settlements if each.channel != channel]
                for settlement in parts:
                    for taken in settlement.deliveries.values():
                        self._give_back(taken)

    # Ends

    def open(self, channel: tuple[int, int]) -> None:
        """A fresh channel."""
        self.held[channel] = {}
        self.next_tags[channel] = 0
        self.global_limits[channel] = 0

    def cancel(self, key: tuple[int, int, str]) -> None:
        """A consumer ends; an auto-delete queue without any goes with it."""
        name = self.consumers.pop(key).queue
        still = any(consumer.queue == name for consumer in self.consumers.values())
        if self.queues[name].auto_delete and not still:
            self.delete(name)

    def close(self, channel: tuple[int, int]) -> None:
        """Consumers go first, then what is held returns."""
        for key in [key for key in self.consumers if key[:2] == channel]:
            if key in self.consumers:
                self.cancel(key)
        self.recover(channel)

    def held_of(self, name: str) -> list[Held]:
        """What somebody has of a queue and hasn't settled, also of what a transaction is to settle."""
        everything = [each for channel in self.held.values() for each in channel.values()]
        for transaction in self.transactions.values():
            for settlement in transaction.settlements:
                everything += settlement.deliveries.values()
        return [each for each in everything if each.queue == name and each.generation == self.generations[name]]

    def snapshot(self) -> Snapshot:
        """What a commit that begins now makes survive a crash: what is ready or held, if it is stored at all."""
        found: Snapshot = {}
        for name, queue in self.queues.items():
            if queue.durable:
                held = [each.entry for each in self.held_of(name)]
                stored = sorted(entry for entry in [*queue.ready, *held] if entry.persistent)
                found[name, self.generations[name]] = stored
        return found

    def stop(self) -> None:
        """A clean stop and start: only up to the last message that was delivered, messages are marked."""
        for id in list(self.transactions):
            self.give_up(id)
        for channel in list(self.held):
            self.close(channel)
        for queue in self._start().values():
            marked = [(entry.recovered(), entry.returned) for entry in queue.ready if entry.persistent]
            queue.ready = sorted(replace(entry, returned=returned) for entry, returned in marked)
            last = max((entry.number for entry in queue.ready if entry.returned), default=0)
            for entry in queue.ready:
                entry.returned = entry.number <= last

    def crash(self, snapshot: Snapshot) -> None:
        """Everything but the definitions is as the snapshot says, and all of it is marked."""
        self.consumers.clear()
        for name, queue in self._start().items():
            stored = snapshot.get((name, self.generations[name]), [])
            queue.ready = sorted(entry.recovered() for entry in stored)

    def _start(self) -> dict[str, ModelQueue]:
        self.held.clear()
        self.transactions.clear()
        self.next_tags.clear()
        self.global_limits.clear()
        self.queues = {name: queue for name, queue in self.queues.items() if queue.durable}
        self.bindings = {binding for binding in self.bindings if binding[1] in self.queues}
        return self.queues
