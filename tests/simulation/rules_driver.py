"""Drives queues with rules and their model (`rules_model`) with the same random doings, and compares both at rest.

What is compared, of every queue: which messages are ready, in which order, with which flags, histories of deaths and
counts of failures; what the broker says of its size; and who was delivered what.  Time moves from one deadline of the
broker to the next, so that nothing happens earlier or later than the model says.

Longer than 400 lines because each doing is drawn, done on both sides and compared in one place.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

from tests.simulation.rules_model import NO_LIMIT, Death, Entry, ModelConsumer, ModelQueue, Policy, RulesModel, Shape
from tests.support import core_clients
from tests.support.simulated_broker import START_MS, SimulatedBroker
from tests.support.simulated_consumer import SimulatedConsumer
from warren.core.declaring.bindings import unbind
from warren.core.declaring.queues import end_consumer, remove_queue
from warren.core.messages.field_table import Encodable, FieldValue
from warren.core.messages.message import Message
from warren.core.messages.properties import Properties, encode_properties
from warren.core.policies.policy import make_policy
from warren.core.queues.backlog import USUAL_PAGING, Paging
from warren.core.queues.classic.queue import ClassicQueue
from warren.core.routing.publish import publish
from warren.core.routing.vhost import Outcome
from warren.core.storage.definitions.store import JSON

QUEUES = ("a", "b", "c", "d", "e")
KEYS = ("one", "two")
TIES_MAX = 4
"""Queues that expire at one moment, of which all orders are tried."""


class Taker(SimulatedConsumer):
    """A consumer that tells what it gets, in the order in which all of them get it."""

    __slots__ = ("log", "model")

    def deliver(self, message: Message, redelivered: bool) -> bool:
        self.log.append((self, message, redelivered))
        return super().deliver(message, redelivered)

    log: list[tuple[Taker, Message, bool]]
    model: ModelConsumer


@dataclass(eq=False)
class Holding:
    """A delivery that isn't settled, on both sides."""

    queue: ClassicQueue
    message: Message
    model_queue: ModelQueue
    entry: Entry
    consumer: Taker | None


class RulesSimulation:
    """One history: `step` as often as wanted.  `directory`: on disk, with restarts and crashes now and then."""

    def __init__(self, seed: int, directory: Path | None = None, *, paging: Paging = USUAL_PAGING) -> None:
        self.chance = random.Random(seed)
        self.simulated = SimulatedBroker(directory, backlog_bytes_max=0, paging=paging)
        self.model = RulesModel(START_MS)
        self.history: list[str] = []
        self.holdings: list[Holding] = []
        self.takers: list[Taker] = []
        self.log: list[tuple[Taker, Message, bool]] = []
        self.deaths = 0
        self._bodies = 0
        for name, kind in (("x", "direct"), ("f", "fanout")):
            core_clients.exchange(self.simulated, name, kind, durable=True)
            self.model.bindings[name] = []
        self.doings: list[tuple[int, Callable[[], None]]] = [
            (30, self._publish),
            (10, self._declare),
            (8, self._bind),
            (2, self._unbind),
            (8, self._consume),
            (4, self._cancel),
            (12, self._ack),
            (9, self._requeue),
            (9, self._discard),
            (4, self._republish),
            (6, self._get),
            (12, self._advance),
            (4, self._policy),
            (2, self._delete),
            (2, self._purge),
            (1, self._restart if directory is not None else self._advance),
            (1, self._crash if directory is not None else self._advance),
        ]
        for _ in QUEUES:
            self._declare()

    def step(self) -> None:
        """One random doing, and everything that follows from it."""
        weights = [weight for weight, _ in self.doings]
        [(_, doing)] = self.chance.choices(self.doings, weights)
        doing()
        self._rest()

    # Comparing

    def _rest(self) -> None:
        """Both come to rest; the model is shown who was delivered what."""
        self.simulated.settle()
        self._show_deliveries()
        self.model.settle()
        self._book_deliveries()
        self._compare()

    def _show_deliveries(self) -> None:
        for taker, message, redelivered in self.log:
            seen = self.model.deliveries.setdefault(taker.queue.name, [])
            seen.append((taker.model, message.body, redelivered))

    def _book_deliveries(self) -> None:
        left = {name: seen for name, seen in self.model.deliveries.items() if seen}
        assert not left, f"nobody should have been delivered {left}"
        # A consumer's deliveries come in one order on both sides; among consumers it doesn't matter.
        entries: dict[str, list[Entry]] = {taker.model.name: [] for taker, _, _ in self.log}
        for consumer, entry in self.model.delivered:
            entries[consumer.name].append(entry)
        self.model.delivered.clear()
        for taker, message, _ in self.log:
            taker.taken.clear()
            if not taker.no_ack:
                entry = entries[taker.model.name].pop(0)
                queue = taker.queue
                assert isinstance(queue, ClassicQueue)
                self._check_message(message, entry)
                self.holdings.append(Holding(queue, message, taker.model.queue, entry, taker))
        self.log.clear()

    def _compare(self) -> None:
        actual = set(self.simulated.vhost.queues)
        assert actual == set(self.model.queues), f"queues {actual}"
        for name, model in self.model.queues.items():
            self._compare_queue(self.simulated.queue(name), model)

    def _compare_queue(self, queue: ClassicQueue, model: ModelQueue) -> None:
        messages = list(queue.browse(0, NO_LIMIT))
        found = [message.body for message in messages]
        expected = model.ready
        assert found == [entry.body for entry in expected], f"{queue.name}: {found}"
        assert queue.ready_count == len(expected), queue.name
        assert queue.ready_bytes == model.ready_bytes, queue.name
        held = sum(1 for holding in self.holdings if holding.queue is queue)
        assert queue.unacked_count == held, queue.name
        for message, entry in zip(messages, expected, strict=True):
            assert queue.was_delivered(message) == entry.returned, f"{queue.name}: {entry}"
            if model.limit is not None:
                assert queue.failures(message) == entry.failures, f"{queue.name}: {entry}"
            self._check_message(message, entry)

    def _check_message(self, message: Message, entry: Entry) -> None:
        assert (message.address.exchange, message.address.routing_key) == (entry.exchange, entry.key), entry
        assert message.published_at_ms == entry.born_ms, entry
        assert message.properties.expiration == entry.expiration, entry
        headers = message.properties.headers or {}
        assert _deaths_in(headers) == entry.deaths, f"{headers} instead of {entry.deaths}"
        if entry.deaths:
            self.deaths += 1
            last = entry.deaths[0]
            assert (headers["x-last-death-queue"], headers["x-last-death-reason"]) == (last.queue, last.reason)

    # Publishing

    def _publish(self) -> None:
        chance = self.chance
        exchange, key = chance.choice([*[("", name) for name in QUEUES], *[("x", key) for key in KEYS], ("f", "")])
        copies = (chance.choice(QUEUES),) if chance.random() < 0.1 else ()
        self._bodies += 1
        entry = Entry(
            0,
            b"%d" % self._bodies + b"." * chance.randrange(20),
            exchange,
            key,
            0,
            priority=chance.choice((0, 0, 1, 3, 9)),
            expiration=chance.choice((None, None, None, "0", "40", "500")),
            persistent=chance.random() < 0.7,
            copies=copies,
        )
        self._send(entry, _headers_for(copies))

    def _republish(self) -> None:
        """What applications do that retry by publishing again what they got, history and all."""
        holding = self._holding()
        if holding is None:
            return
        name = self.chance.choice(QUEUES)
        old = holding.entry
        entry = Entry(
            0, old.body, "", name, 0, old.priority, old.expiration, old.persistent, old.copies, deaths=old.deaths
        )
        self._send(entry, dict(holding.message.properties.headers or {}))
        self._settled(holding)
        holding.queue.acknowledge(holding.message)
        self.model.ack(holding.model_queue)

    def _send(self, entry: Entry, headers: dict[str, FieldValue]) -> None:
        self.history.append(f"publish {entry}")
        client = core_clients.guest(self.simulated)
        outcome, _ = publish(client, entry.exchange, entry.key, _properties_of(entry, headers), entry.body)
        client.close()
        assert (outcome is not Outcome.REFUSED) == self.model.publish(entry), outcome

    # Queues

    def _declare(self) -> None:
        chance = self.chance
        name = chance.choice(QUEUES)
        known = self.model.queues.get(name)
        shape = known.shape if known is not None else self._shape(name)
        self.history.append(f"declare {name} {shape}")
        core_clients.queue(self.simulated, name, _arguments_of(shape), durable=True)
        self.model.declare(name, shape)

    def _shape(self, name: str) -> Shape:
        chance = self.chance
        quorum = chance.random() < 0.2
        dead_exchange, dead_key = chance.choice(
            [
                (None, None),
                *[("", each) for each in QUEUES],
                ("f", None),
                ("x", "one"),
                ("x", None),
                ("", None),
                ("nowhere", "k"),
            ]
        )
        return Shape(
            ttl=chance.choice((None, None, 0, 30, 300)),
            expires=chance.choice((None, None, None, 2000)),
            max_length=chance.choice((None, None, 0, 1, 3, 6)),
            max_bytes=chance.choice((None, None, None, 0, 40)),
            overflow=chance.choice((None, None, "drop-head", "reject-publish", "reject-publish-dlx")),
            dead_exchange=dead_exchange,
            dead_key=dead_key,
            priorities=0 if quorum else chance.choice((0, 0, 0, 1, 5)),
            limit=chance.choice((None, None, -1, 0, 2)),
            quorum=quorum,
            single=chance.random() < (0.4 if quorum else 0.1),
        )

    def _bind(self) -> None:
        if not self.model.queues:
            return
        name = self.chance.choice(sorted(self.model.queues))
        exchange, key = self.chance.choice([("x", key) for key in KEYS] + [("f", "")])
        if (key, name) in self.model.bindings[exchange]:
            return
        self.history.append(f"bind {name} to {exchange} {key}")
        core_clients.bind(self.simulated, name, exchange, key)
        self.model.bindings[exchange].append((key, name))

    def _unbind(self) -> None:
        bound = [(exchange, *each) for exchange in ("x", "f") for each in self.model.bindings[exchange]]
        if not bound:
            return
        exchange, key, name = self.chance.choice(bound)
        self.history.append(f"unbind {name} from {exchange} {key}")
        client = core_clients.guest(self.simulated)
        unbind(client, "queue", name, exchange, key, {})
        self.model.bindings[exchange].remove((key, name))

    def _policy(self) -> None:
        chance = self.chance
        name = chance.choice(QUEUES)
        policy = Policy(
            ttl=chance.choice((None, None, 20, 200)),
            expires=chance.choice((None, None, None, 1200)),
            max_length=chance.choice((None, None, 2)),
            limit=chance.choice((None, None, -1, 1)),
            overflow=chance.choice((None, None, "reject-publish")),
            dead_exchange=chance.choice((None, None, "", "f")),
            dead_key=chance.choice((None, None, *QUEUES)),
        )
        self.history.append(f"policy of {name}: {policy}")
        vhost, policies = self.simulated.vhost, self.simulated.broker.policies
        definition = _definition_of(policy)
        if definition:
            policies.set(vhost, make_policy("policy", name, f"^{name}$", definition))
        elif name in self.model.policies and _definition_of(self.model.policies[name]):
            policies.clear(vhost, "policy", name)
        self.model.policy(name, policy)

    def _delete(self) -> None:
        name = self._name()
        if name is not None:
            self.history.append(f"delete {name}")
            remove_queue(self.simulated.vhost, self.simulated.queue(name))
            self.model.delete(name)

    def _purge(self) -> None:
        name = self._name()
        if name is not None:
            self.history.append(f"purge {name}")
            assert self.simulated.queue(name).drop_ready() == self.model.purge(name)

    def _name(self) -> str | None:
        return self.chance.choice(sorted(self.model.queues)) if self.model.queues else None

    # Consumers

    def _consume(self) -> None:
        name = self._name()
        if name is None or len(self.takers) > 8:
            return
        chance = self.chance
        priority, credit, no_ack = chance.choice((0, 0, 5, -1)), chance.randint(0, 4), chance.random() < 0.2
        queue = self.simulated.queue(name)
        self._bodies += 1
        tag = f"t{self._bodies}"
        self.history.append(f"consume {name} as {tag} priority {priority} credit {credit} no_ack {no_ack}")
        taker = Taker(queue, credit=credit, no_ack=no_ack, tag=tag, arguments={"x-priority": priority})
        taker.log = self.log
        taker.model = ModelConsumer(tag, self.model.queues[name], priority, credit, no_ack)
        queue.add_consumer(taker)
        self.takers.append(taker)
        self.model.consume(taker.model)

    def _cancel(self) -> None:
        if not self.takers:
            return
        taker = self.chance.choice(self.takers)
        self.history.append(f"cancel {taker.tag}")
        self.takers.remove(taker)
        end_consumer(taker)
        self.model.cancel(taker.model)

    def _get(self) -> None:
        name = self._name()
        if name is None or self.model.queues[name].shape.single:
            return
        self.history.append(f"get {name}")
        queue = self.simulated.queue(name)
        no_ack = self.chance.random() < 0.5
        found = queue.poll(no_ack=no_ack)
        entry = self.model.get(name, held=not no_ack)
        assert (found is None) == (entry is None), f"got {found} instead of {entry}"
        if found is not None and entry is not None:
            message, redelivered = found
            assert (message.body, redelivered) == (entry.body, entry.returned)
            self._check_message(message, entry)
            if not no_ack:
                self.holdings.append(Holding(queue, message, self.model.queues[name], entry, None))

    # Settling

    def _holding(self) -> Holding | None:
        return self.chance.choice(self.holdings) if self.holdings else None

    def _settled(self, holding: Holding) -> None:
        self.holdings.remove(holding)

    def _credit(self, holding: Holding) -> None:
        """A consumer that settled may have another."""
        taker = holding.consumer
        if taker is not None and taker in self.takers and taker.active:
            taker.model.credit += 1
            self.model.touch(taker.model.queue)
            taker.give(1)

    def _ack(self) -> None:
        holding = self._holding()
        if holding is not None:
            self.history.append(f"ack {holding.entry}")
            self._settled(holding)
            holding.queue.acknowledge(holding.message)
            self.model.ack(holding.model_queue)
            self._credit(holding)

    def _discard(self) -> None:
        holding = self._holding()
        if holding is not None:
            self.history.append(f"discard {holding.entry}")
            self._settled(holding)
            holding.queue.discard(holding.message)
            self.model.discard(holding.model_queue, holding.entry)
            self._credit(holding)

    def _requeue(self) -> None:
        holding = self._holding()
        if holding is not None:
            failed = self.chance.random() < 0.6
            self.history.append(f"requeue failed={failed} {holding.entry}")
            self._settled(holding)
            holding.queue.requeue([holding.message], failed=failed)
            self.model.requeue(holding.model_queue, holding.entry, failed=failed)
            self._credit(holding)

    # Time

    def _advance(self) -> None:
        end_ms = self.model.now_ms + self.chance.choice((1, 10, 40, 350, 2500))
        self.history.append(f"time until {end_ms}")
        while (at_ms := self.simulated.broker.deadlines.next_at_ms) is not None and at_ms <= end_ms:
            self._pass(at_ms)
        self._pass(end_ms)

    def _pass(self, at_ms: int) -> None:
        """Time moves to a moment."""
        self.simulated.advance(at_ms - self.simulated.broker.now_ms)
        self.model.at(at_ms)
        self._expire()

    def _expire(self) -> None:
        """Queues whose heads have expired at one moment may be looked at in any order."""
        self._show_deliveries()
        due = self.model.due()
        orders = list(permutations(range(len(due)))) if 1 < len(due) <= TIES_MAX else [tuple(range(len(due)))]
        kept = deepcopy(self._both()) if len(orders) > 1 else None
        log, holdings = list(self.log), list(self.holdings)
        for index, order in enumerate(orders):
            due = self.model.due()
            try:
                for each in order:
                    self.model.touch(due[each])
                self.model.settle()
                self._book_deliveries()
                self._compare()
                return
            except AssertionError:
                if index + 1 == len(orders) or kept is None:
                    raise
                self.log[:], self.holdings = log, holdings[:]
                self._restore(deepcopy(kept))

    def _both(self) -> tuple[RulesModel, list[Entry], list[ModelQueue], list[ModelConsumer]]:
        """All of the model that the driver holds on to, copied together so that it stays in one piece."""
        return (
            self.model,
            [holding.entry for holding in self.holdings],
            [holding.model_queue for holding in self.holdings],
            [taker.model for taker in self.takers],
        )

    def _restore(self, kept: tuple[RulesModel, list[Entry], list[ModelQueue], list[ModelConsumer]]) -> None:
        self.model, entries, queues, consumers = kept
        for holding, entry, queue in zip(self.holdings, entries, queues, strict=True):
            holding.entry, holding.model_queue = entry, queue
        for taker, consumer in zip(self.takers, consumers, strict=True):
            taker.model = consumer

    def _restart(self) -> None:
        """A clean one: consumers go, and what they hold comes back as failed."""
        self.history.append("restart")
        for taker in self.takers:
            end_consumer(taker)
            self.model.cancel(taker.model)
        self.takers.clear()
        for holding in self.holdings:
            holding.queue.requeue([holding.message])
            self.model.requeue(holding.model_queue, holding.entry, failed=True)
        self.holdings.clear()
        self._rest()
        self.simulated.restart()
        self.simulated.settle()
        self.model.restart()
        self._expire()

    def _crash(self) -> None:
        """Everything is on disk; nobody is told, and what consumers hold has failed."""
        self.history.append("crash")
        self.simulated.crash()
        self.model.crash([(holding.model_queue, holding.entry) for holding in self.holdings])
        self.takers.clear()
        self.holdings.clear()
        self._rest()


def _arguments_of(shape: Shape) -> dict[str, Encodable]:
    arguments: dict[str, Encodable | None] = {
        "x-message-ttl": shape.ttl,
        "x-expires": shape.expires,
        "x-max-length": shape.max_length,
        "x-max-length-bytes": shape.max_bytes,
        "x-overflow": shape.overflow,
        "x-dead-letter-exchange": shape.dead_exchange,
        "x-dead-letter-routing-key": shape.dead_key,
        "x-max-priority": shape.priorities or None,
        "x-delivery-limit": shape.limit,
        "x-queue-type": "quorum" if shape.quorum else "classic",
        "x-single-active-consumer": shape.single,
    }
    return {name: value for name, value in arguments.items() if value is not None}


def _definition_of(policy: Policy) -> dict[str, JSON]:
    definition: dict[str, JSON] = {
        "message-ttl": policy.ttl,
        "expires": policy.expires,
        "max-length": policy.max_length,
        "delivery-limit": policy.limit,
        "overflow": policy.overflow,
        "dead-letter-exchange": policy.dead_exchange,
        "dead-letter-routing-key": policy.dead_key,
    }
    return {name: value for name, value in definition.items() if value is not None}


def _properties_of(entry: Entry, headers: dict[str, FieldValue]) -> Properties:
    return encode_properties(
        delivery_mode=2 if entry.persistent else 1,
        priority=entry.priority,
        expiration=entry.expiration,
        headers=headers or None,
    )


def _headers_for(copies: tuple[str, ...]) -> dict[str, FieldValue]:
    return {"CC": list(copies)} if copies else {}


def _deaths_in(headers: Mapping[str, FieldValue]) -> tuple[Death, ...]:
    tables = headers.get("x-death", [])
    assert isinstance(tables, list)
    deaths = []
    for table in tables:
        assert isinstance(table, dict)
        keys, count, expiration = table["routing-keys"], table["count"], table.get("original-expiration")
        assert isinstance(keys, list)
        assert isinstance(count, int)
        deaths.append(
            Death(
                str(table["queue"]),
                str(table["reason"]),
                str(table["exchange"]),
                tuple(str(key) for key in keys),
                None if expiration is None else str(expiration),
                count,
            )
        )
    return tuple(deaths)
