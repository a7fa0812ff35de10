"""The clients of a crash test: who publishes, consumes, moves and declares while the broker is about to be killed.

Each role owns a connection, tells the history what it sends before sending it and what it got when it came.  `pump`
sends as much as its window allows; `handle` takes one event.  All randomness comes from the generator passed in.

The topology: `crash.all` is a fanout exchange in front of `work.0` to `work.2`, which have consumers; `work.3` has
none.  Publishers feed all of these and `move.in`, from which movers take messages, and in one transaction
acknowledge them and publish as many to `move.left` and `move.right`.  Fences (see `Consumer`) go to `fence`.
Clients of AMQP 1.0 (crash_amqp10.py) publish to the exchange and to `move.in`, and share `work.0` with its consumer.
The declarer makes `extra.*` exchanges and queues and deletes the oldest again.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Collection

from tests.support import amqp_bytes as wire
from tests.support import crash_definitions
from tests.support import crash_link as link
from tests.support.crash_definitions import Definition, Definitions
from tests.support.crash_history import History, Transaction
from tests.support.crash_link import CrashLink, Event

WORK = ("work.0", "work.1", "work.2", "work.3")
FANOUT = "crash.all"
FANNED = WORK[:3]
MOVE_IN, MOVE_LEFT, MOVE_RIGHT = "move.in", "move.left", "move.right"
FENCE = "fence"
TARGETS = ((f"/exchanges/{FANOUT}/any", FANNED), (f"/queues/{MOVE_IN}", (MOVE_IN,)))
"""Where publishers of AMQP 1.0 publish to, and the queues behind that (crash_amqp10.py)."""

QUEUES = (*WORK, MOVE_IN, MOVE_LEFT, MOVE_RIGHT, FENCE)

WINDOW = 300
"""Unconfirmed messages of a publisher: several group commits are never far away."""

PREFETCH = 100
HELD_MAX = 60
"""Deliveries a consumer sits on at most; below the prefetch, so that it never starves."""

FENCE_EVERY = 25
FLOW_EVERY = 10
ROLLBACK_SHARE = 0.1
"""Of the transactions."""

DECLARE_SHARE = 0.4
"""Of the turns of the loop: more would be a test of declarations alone, as each drops the broker's cached routes."""

EXTRAS_MAX = 6
"""Additional queues and exchanges at a time."""

_TX_ANSWERS = ("tx.select-ok", "tx.rollback-ok")


def random_size(chance: random.Random) -> int:
    """A body size in bytes, mostly small, up to 200 KiB."""
    kind = chance.random()
    if kind < 0.06:
        return 0
    if kind < 0.55:
        return chance.randint(1, 200)
    if kind < 0.80:
        return 1024
    if kind < 0.96:
        return chance.randint(1024, 16 * 1024)
    return chance.randint(16 * 1024, 200 * 1024)


class Role:
    """A client; `numbers` makes message ids that no earlier run has used."""

    def __init__(self, connection: CrashLink, history: History, chance: random.Random, numbers: Numbers) -> None:
        self.link = connection
        self.history = history
        self.chance = chance
        self.numbers = numbers
        self.unconfirmed: deque[tuple[int, str]] = deque()
        self._publish_tag = 0

    def pump(self) -> None:
        """Send what may be sent now."""

    def handle(self, event: Event) -> None:
        """Take an event; what it is not concerned with is an error."""
        if event.name == "basic.ack":
            tag, multiple = event.arguments.longlong(), bool(event.arguments.octet())
            while self.unconfirmed and (self.unconfirmed[0][0] == tag or (multiple and self.unconfirmed[0][0] < tag)):
                self.history.confirm(self.unconfirmed.popleft()[1])
        elif event.name not in ("confirm.select-ok", "basic.qos-ok", "basic.consume-ok", *_TX_ANSWERS):
            raise AssertionError(f"{self.link.name} got {event.name}")

    def publish(
        self, exchange: str, routing_key: str, queues: tuple[str, ...], size: int, *, persistent: bool = True
    ) -> str:
        """Publish on a confirm channel."""
        message_id = self.numbers.next_id(self.publisher, size)
        self.history.publish(self.publisher, message_id, queues, persistent=persistent)
        self._publish_tag += 1
        self.unconfirmed.append((self._publish_tag, message_id))
        self.link.send(link.publish_frames(exchange, routing_key, message_id, persistent=persistent))
        return message_id

    @property
    def publisher(self) -> str:
        """Who publishes, for the history."""
        return self.link.name


class Numbers:
    """Message numbers of one crash test."""

    def __init__(self) -> None:
        self.last = 0

    def next_id(self, publisher: str, size: int) -> str:
        """`PUBLISHER~NUMBER~SIZE`, unique."""
        self.last += 1
        return f"{publisher}~{self.last}~{size}"


class Publisher(Role):
    """Keeps a window of unconfirmed messages; one in fifty is transient."""

    def __init__(self, connection: CrashLink, history: History, chance: random.Random, numbers: Numbers) -> None:
        super().__init__(connection, history, chance, numbers)
        self.link.method("confirm.select", wire.bits(False))

    def pump(self) -> None:
        while len(self.unconfirmed) < WINDOW and self.link.may_send:
            size = random_size(self.chance)
            where = self.chance.random()
            persistent = self.chance.random() >= 0.02
            if where < 0.4:
                self.publish(FANOUT, "", FANNED, size, persistent=persistent)
            else:
                queue = MOVE_IN if where < 0.6 else self.chance.choice(WORK)
                self.publish("", queue, (queue,), size, persistent=persistent)


class Consumer(Role):
    """Acknowledges some deliveries, returns a few, and sits on others for a while.

    So that acknowledgements are known to be flushed, it publishes a fence with confirms on the same channel now and
    then; and asks channel.flow, whose answer says that they were handled.
    """

    def __init__(
        self, connection: CrashLink, history: History, chance: random.Random, numbers: Numbers, queue: str
    ) -> None:
        super().__init__(connection, history, chance, numbers)
        self.queue = queue
        self._held: deque[tuple[int, str]] = deque()
        self._flows: deque[int] = deque()
        self._count = 0
        self._order: dict[str, int] = {}
        connection.method("confirm.select", wire.bits(False))
        connection.method("basic.qos", wire.long(0), wire.short(PREFETCH), wire.bits(False))
        connection.send(link.consume(queue))

    def handle(self, event: Event) -> None:
        if event.name == "basic.deliver":
            self._delivered(event)
        elif event.name == "channel.flow-ok":
            self.history.answered(self.link.name, self._flows.popleft())
        else:
            super().handle(event)

    def _delivered(self, event: Event) -> None:
        event.arguments.shortstr()
        tag, redelivered = event.arguments.longlong(), bool(event.arguments.octet())
        message_id = event.message_id
        self.history.deliver(self.queue, message_id, redelivered=redelivered, intact=event.intact)
        if not redelivered:
            self._check_order(message_id)
        fate = self.chance.random()
        if fate < 0.65:
            self._acknowledge(tag, message_id)
        elif fate < 0.70:
            self.history.requeue(self.queue, message_id)
            self.link.send(link.requeue(tag))
        else:
            self._held.append((tag, message_id))
            if len(self._held) > HELD_MAX:
                self._release()

    def _check_order(self, message_id: str) -> None:
        publisher, number, _ = message_id.rsplit("~", 2)
        if int(number) < self._order.get(publisher, 0):
            self.history.violations.append(f"{self.queue}: {message_id} was delivered out of order")
        self._order[publisher] = int(number)

    def _acknowledge(self, tag: int, message_id: str) -> None:
        self.history.acknowledge(self.link.name, self.queue, message_id)
        self.link.send(link.acknowledge(tag))
        self._after_acknowledging(1)

    def _release(self) -> None:
        """Acknowledge half of what is held, at once."""
        last = 0
        for _ in range(HELD_MAX // 2):
            last, message_id = self._held.popleft()
            self.history.acknowledge(self.link.name, self.queue, message_id)
        self.link.send(link.acknowledge(last, multiple=True))
        self._after_acknowledging(HELD_MAX // 2)

    def _after_acknowledging(self, count: int) -> None:
        before, self._count = self._count, self._count + count
        if before // FLOW_EVERY != self._count // FLOW_EVERY:
            self._flows.append(self.history.acknowledged_count(self.link.name))
            self.link.method("channel.flow", wire.bits(True))
        if before // FENCE_EVERY != self._count // FENCE_EVERY:
            self.publish("", FENCE, (FENCE,), 8)


class Mover(Role):
    """Moves messages in transactions of one to five, one after the other; rolls a few back."""

    def __init__(self, connection: CrashLink, history: History, chance: random.Random, numbers: Numbers) -> None:
        super().__init__(connection, history, chance, numbers)
        self._waiting: deque[tuple[int, str]] = deque()
        self._commits: deque[Transaction] = deque()
        connection.method("tx.select")
        connection.method("basic.qos", wire.long(0), wire.short(PREFETCH), wire.bits(False))
        connection.send(link.consume(MOVE_IN))

    def handle(self, event: Event) -> None:
        if event.name == "basic.deliver":
            event.arguments.shortstr()
            tag, redelivered = event.arguments.longlong(), bool(event.arguments.octet())
            self.history.deliver(MOVE_IN, event.message_id, redelivered=redelivered, intact=event.intact)
            self._waiting.append((tag, event.message_id))
        elif event.name == "tx.commit-ok":
            self.history.committed(self._commits.popleft())
        else:
            super().handle(event)

    def pump(self) -> None:
        while not self._commits and len(self._waiting) >= 5 and self.link.may_send:
            self._move([self._waiting.popleft() for _ in range(self.chance.randint(1, 5))])

    def _move(self, deliveries: list[tuple[int, str]]) -> None:
        transaction = self.history.begin()
        for tag, message_id in deliveries:
            self.history.acknowledge(self.link.name, MOVE_IN, message_id, transaction)
            self.link.send(link.acknowledge(tag))
            for queue in (MOVE_LEFT, MOVE_RIGHT):
                moved = self.numbers.next_id(self.publisher, random_size(self.chance))
                self.history.publish(self.publisher, moved, (queue,), transaction=transaction)
                self.link.send(link.publish_frames("", queue, moved))
        if self.chance.random() < ROLLBACK_SHARE:
            self.history.roll_back(transaction)
            self._waiting.extend(deliveries)
            self.link.method("tx.rollback")
        else:
            self.history.commit(transaction)
            self._commits.append(transaction)
            self.link.method("tx.commit")


class Declarer(Role):
    """Makes an exchange, a queue and a binding, sends a message through them, and deletes the oldest such group."""

    def __init__(
        self,
        connection: CrashLink,
        history: History,
        chance: random.Random,
        numbers: Numbers,
        definitions: Definitions,
        queues: Collection[str],
    ) -> None:
        """queues: names of all queues that are there already."""
        super().__init__(connection, history, chance, numbers)
        self.definitions = definitions
        extras = sorted(int(name.rpartition(".")[2]) for name in queues if name.startswith("extra."))
        self._extras = deque(extras)
        self._expected: deque[tuple[str, tuple[Definition, ...], bool]] = deque()
        connection.method("confirm.select", wire.bits(False))

    def pump(self) -> None:
        if not self._expected and self.chance.random() < DECLARE_SHARE:
            self._make()
            if len(self._extras) > EXTRAS_MAX:
                self._remove(self._extras.popleft())

    def handle(self, event: Event) -> None:
        if not event.name.startswith(("queue.", "exchange.")):
            super().handle(event)
            return
        name, definitions, made = self._expected.popleft()
        if event.name != name:
            raise AssertionError(f"{self.link.name} got {event.name} instead of {name}")
        for definition in definitions:
            (self.definitions.made if made else self.definitions.removed)(definition)

    def _make(self) -> None:
        self.numbers.last += 1
        number = self.numbers.last
        exchange, queue, key = f"extra.exchange.{number}", f"extra.queue.{number}", f"key.{number}"
        exchange_type = self.chance.choice(["direct", "topic", "fanout"])
        made = crash_definitions.exchange(exchange)
        self._ask(link.declare_exchange(exchange, exchange_type), "exchange.declare-ok", made)
        self._ask(link.declare_queue(queue), "queue.declare-ok", crash_definitions.queue(queue))
        bound = crash_definitions.binding(exchange, queue, key)
        self._ask(link.bind_queue(queue, exchange, key), "queue.bind-ok", bound)
        self.publish(exchange, key, (queue,), 100)
        self._extras.append(number)

    def _remove(self, number: int) -> None:
        exchange, queue, key = f"extra.exchange.{number}", f"extra.queue.{number}", f"key.{number}"
        bound = crash_definitions.binding(exchange, queue, key)
        self.history.forget(queue)
        delete_queue = wire.method(
            link.CHANNEL, "queue.delete", wire.short(0), wire.shortstr(queue), wire.bits(False, False, False)
        )
        self._ask(delete_queue, "queue.delete-ok", crash_definitions.queue(queue), bound, made=False)
        delete_exchange = wire.method(
            link.CHANNEL, "exchange.delete", wire.short(0), wire.shortstr(exchange), wire.bits(False, False)
        )
        self._ask(delete_exchange, "exchange.delete-ok", crash_definitions.exchange(exchange), made=False)

    def _ask(self, method: bytes, answer: str, *definitions: Definition, made: bool = True) -> None:
        for definition in definitions:
            self.definitions.ask(definition)
        self._expected.append((answer, definitions, made))
        self.link.send(method)
