"""Thousands of bindings and queues: what goes leads nowhere at once, and costs in proportion, in small turns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise

import pytest

from tests.support.simulated_broker import SimulatedBroker
from warren.core.chores import Slice
from warren.core.declaring.bindings import ROWS_ONE_BY_ONE_MAX, add_binding
from warren.core.declaring.departures import LEAVE_PER_SLICE
from warren.core.declaring.exchanges import add_exchange, remove_exchange
from warren.core.declaring.queues import create_queue, remove_queue
from warren.core.exchanges.base import Exchange
from warren.core.exchanges.binding import Binding, Destination
from warren.core.exchanges.registry import create
from warren.core.exchanges.topic_trie import TopicTrie
from warren.core.policies.policy import POLICY, Policy, policy_from_value
from warren.core.policies.table import OBJECTS_AT_ONCE, PolicyTable
from warren.core.queues.base import Queue
from warren.core.storage.definitions.memory import MemoryDefinitionStore
from warren.core.storage.definitions.store import JSON

MANY = 2 * LEAVE_PER_SLICE + 500


def bound(simulated: SimulatedBroker, name: str, keys: int, exchange: str = "amq.topic") -> Queue:
    queue = create_queue(simulated.vhost, name, durable=True)
    for number in range(keys):
        add_binding(simulated.vhost, simulated.vhost.exchanges[exchange], Binding(exchange, queue, f"k.{number}.*"))
    return queue


def leads_to(simulated: SimulatedBroker, key: str, exchange: str = "amq.topic") -> list[str]:
    return [queue.name for queue in simulated.vhost.route(exchange, key, None, ()).queues]


def turns(simulated: SimulatedBroker, each: Callable[[], None] = lambda: None) -> int:
    count = 1
    while simulated.broker.end_turn():
        each()
        count += 1
    return count


def rows(simulated: SimulatedBroker, kind: str = "binding") -> int:
    return sum(row[0] == kind for row in simulated.broker.definitions.load())


@pytest.fixture
def removed(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often what was done: patterns taken out of a trie, statements that delete rows."""
    counted: Counter[str] = Counter()
    remove, delete = TopicTrie.remove, MemoryDefinitionStore.delete
    delete_beginning = MemoryDefinitionStore.delete_beginning

    def counting_remove(self: TopicTrie[object], words: Sequence[str], value: object) -> bool:
        counted["patterns"] += 1
        return remove(self, words, value)

    def counting_delete(self: MemoryDefinitionStore, kind: str, vhost: str, name: str) -> None:
        counted["statements"] += 1
        delete(self, kind, vhost, name)

    def counting_delete_beginning(self: MemoryDefinitionStore, kind: str, vhost: str, beginning: str) -> Slice | None:
        counted["statements"] += 1
        return delete_beginning(self, kind, vhost, beginning)

    monkeypatch.setattr(TopicTrie, "remove", counting_remove)
    monkeypatch.setattr(MemoryDefinitionStore, "delete", counting_delete)
    monkeypatch.setattr(MemoryDefinitionStore, "delete_beginning", counting_delete_beginning)
    return counted


@pytest.mark.interpreted("counts calls that the compiled form makes directly")
def test_a_queue_with_many_bindings_goes_at_once_and_leaves_the_index_bit_by_bit(removed: Counter[str]) -> None:
    simulated = SimulatedBroker()
    gone = bound(simulated, "gone", MANY)
    bound(simulated, "stays", 1)
    assert rows(simulated) == MANY + 1
    remove_queue(simulated.vhost, gone)
    assert removed["patterns"] == 0
    assert removed["statements"] == 2, "the queue, and all its bindings"
    assert rows(simulated) == 1
    assert leads_to(simulated, "k.0.x") == ["stays"]
    assert leads_to(simulated, f"k.{MANY - 1}.x") == []
    assert len(simulated.vhost.exchanges["amq.topic"].bindings) == 1
    done = [0]
    turns(simulated, lambda: done.append(removed["patterns"]))
    done.append(removed["patterns"])
    assert done[-1] == MANY
    assert max(after - before for before, after in pairwise(done)) <= LEAVE_PER_SLICE
    assert leads_to(simulated, "k.0.x") == ["stays"]


def test_a_queue_of_the_same_name_may_come_meanwhile() -> None:
    simulated = SimulatedBroker()
    remove_queue(simulated.vhost, bound(simulated, "q", MANY))
    again = bound(simulated, "q", 3)
    assert leads_to(simulated, "k.1.x") == ["q"]
    assert leads_to(simulated, "k.7.x") == []
    turns(simulated)
    assert leads_to(simulated, "k.1.x") == ["q"]
    assert simulated.vhost.route("amq.topic", "k.1.x", None, ()).queues == (again,)
    assert rows(simulated) == 3
    simulated.broker.definitions.commit()
    simulated.crash()
    assert leads_to(simulated, "k.1.x") == ["q"]
    assert leads_to(simulated, "k.7.x") == []


def test_what_is_still_to_leave_is_no_binding_any_more() -> None:
    """Of the exchange's own: not by its key, nor in their order, nor in their number; an equal one may come."""
    simulated = SimulatedBroker()
    stays = bound(simulated, "stays", 2)
    gone = bound(simulated, "q", MANY)
    exchange = simulated.vhost.exchanges["amq.topic"]
    old = list(exchange.bindings_to(gone))
    remove_queue(simulated.vhost, gone)
    assert [each.target for each in exchange.bindings] == [stays, stays]
    assert exchange.get(old[0].key) is None
    assert old[0] not in exchange.bindings
    assert not exchange.remove(old[0].key)
    again = bound(simulated, "q", 2)
    assert [each.target for each in exchange.bindings] == [stays, stays, again, again]
    assert len(exchange.bindings) == 4
    new = exchange.get(old[0].key)
    assert new is not None
    assert new.target is again
    assert new in exchange.bindings
    turns(simulated)
    assert [each.target for each in exchange.bindings] == [stays, stays, again, again]
    assert exchange.get(old[0].key) is new
    assert exchange.get(old[9].key) is None
    assert exchange.remove(new.key)
    assert len(exchange.bindings) == 3
    assert leads_to(simulated, "k.0.x") == ["stays"]


def test_several_may_leave_at_once() -> None:
    simulated = SimulatedBroker()
    queues = [bound(simulated, f"q{number}", MANY) for number in range(2)]
    for queue in queues:
        remove_queue(simulated.vhost, queue)
    exchange = simulated.vhost.exchanges["amq.topic"]
    assert list(exchange.bindings) == []
    assert leads_to(simulated, "k.0.x") == []
    turns(simulated)
    assert not exchange.bindings
    assert len(exchange.bindings) == 0


@pytest.mark.interpreted("counts calls that the compiled form makes directly")
def test_few_bindings_go_at_once(removed: Counter[str]) -> None:
    simulated = SimulatedBroker()
    queue = bound(simulated, "q", ROWS_ONE_BY_ONE_MAX)
    remove_queue(simulated.vhost, queue)
    assert removed["patterns"] == ROWS_ONE_BY_ONE_MAX
    assert rows(simulated) == 0
    assert not simulated.broker.chores


@pytest.mark.parametrize("names", [("q", "q2"), ('q"', 'q",'), ("q\\", "q"), ("ä", "ä,")], ids=ascii)
def test_no_other_queues_rows_go_with_it(names: tuple[str, str]) -> None:
    simulated = SimulatedBroker()
    gone, stays = (bound(simulated, name, ROWS_ONE_BY_ONE_MAX + 1) for name in names)
    remove_queue(simulated.vhost, gone)
    assert rows(simulated) == ROWS_ONE_BY_ONE_MAX + 1
    simulated.broker.definitions.commit()
    simulated.crash()
    assert leads_to(simulated, "k.0.x") == [stays.name]


def test_an_exchange_with_many_bindings_takes_their_rows_in_one_statement(removed: Counter[str]) -> None:
    simulated = SimulatedBroker()
    exchange = create("topic", "x", durable=True)
    add_exchange(simulated.vhost, exchange)
    bound(simulated, "q", MANY, "x")
    bound(simulated, "other", 2)
    remove_exchange(simulated.vhost, exchange)
    assert removed["statements"] <= 2
    assert rows(simulated) == 2


def test_a_queue_that_goes_asks_the_exchanges_that_lead_to_it_and_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    simulated = SimulatedBroker()
    vhost = simulated.vhost
    for number in range(200):
        exchange = create("fanout", f"x{number}")
        add_exchange(vhost, exchange)
        add_binding(vhost, exchange, Binding(exchange.name, create_queue(vhost, f"q{number}"), ""))
    asked: list[str] = []
    remove_target = Exchange.remove_target

    def asking(self: Exchange, target: Destination) -> list[Binding]:
        asked.append(self.name)
        return remove_target(self, target)

    monkeypatch.setattr(Exchange, "remove_target", asking)
    for number in range(200):
        remove_queue(vhost, vhost.queues[f"q{number}"])
        assert set(asked) == {f"x{number}"}
        asked.clear()
        assert not vhost.exchanges[f"x{number}"].bindings


def test_an_exchange_that_goes_with_its_last_binding() -> None:
    simulated = SimulatedBroker()
    add_exchange(simulated.vhost, create("topic", "x", auto_delete=True))
    queue = bound(simulated, "q", MANY, "x")
    remove_queue(simulated.vhost, queue)
    assert "x" not in simulated.vhost.exchanges
    turns(simulated)


# Policies


def policy(limit: int) -> Policy:
    value: dict[str, JSON] = {"pattern": ".*", "apply-to": "queues", "priority": 0, "definition": {"max-length": limit}}
    return policy_from_value(POLICY, "p", value)


def test_a_policy_reaches_many_queues_some_in_each_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    simulated = SimulatedBroker()
    for number in range(2 * OBJECTS_AT_ONCE):
        create_queue(simulated.vhost, f"q{number}")
    looked_at: Counter[str] = Counter()
    apply_to = PolicyTable.apply_to

    def counting(self: PolicyTable, vhost: str, target: Queue) -> bool:
        looked_at["all"] += 1
        return apply_to(self, vhost, target)

    monkeypatch.setattr(PolicyTable, "apply_to", counting)
    simulated.broker.policies.set(simulated.vhost, policy(5))
    done = [0, looked_at["all"]]
    turns(simulated, lambda: done.append(looked_at["all"]))
    done.append(looked_at["all"])
    assert max(after - before for before, after in pairwise(done)) <= OBJECTS_AT_ONCE
    assert {queue.effective_policy.get("max-length") for queue in simulated.vhost.queues.values()} == {5}


def test_the_last_of_several_policies_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    simulated = SimulatedBroker()
    for number in range(2 * OBJECTS_AT_ONCE):
        create_queue(simulated.vhost, f"q{number}")
    for limit in (5, 6, 7):
        simulated.broker.policies.set(simulated.vhost, policy(limit))
        simulated.broker.end_turn()
    remove_queue(simulated.vhost, simulated.vhost.queues[f"q{2 * OBJECTS_AT_ONCE - 1}"])
    created = create_queue(simulated.vhost, "new")
    assert created.effective_policy["max-length"] == 7
    turns(simulated)
    assert {queue.effective_policy.get("max-length") for queue in simulated.vhost.queues.values()} == {7}


def test_all_policies_are_there_when_the_broker_starts() -> None:
    simulated = SimulatedBroker()
    for number in range(2 * OBJECTS_AT_ONCE):
        create_queue(simulated.vhost, f"q{number}", durable=True)
    simulated.broker.policies.set(simulated.vhost, policy(5))
    simulated.broker.definitions.commit()
    simulated.crash()
    assert {queue.effective_policy.get("max-length") for queue in simulated.vhost.queues.values()} == {5}
