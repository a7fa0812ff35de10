"""A queue or exchange that goes with very many bindings, in exchanges of every type, and in very many exchanges."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest

from tests.support.simulated_broker import SimulatedBroker
from warren.core.declaring.bindings import add_binding
from warren.core.declaring.departures import AT_ONCE_MAX, DEPARTED, LEAVE_PER_SLICE, SOURCES_AT_ONCE
from warren.core.declaring.exchanges import EMPTIED_PER_SLICE, add_exchange, remove_exchange
from warren.core.declaring.queues import create_queue, remove_queue
from warren.core.exchanges.base import Exchange
from warren.core.exchanges.binding import Binding
from warren.core.exchanges.registry import create
from warren.core.messages.field_table import FieldValue, encode_table
from warren.core.messages.properties import EMPTY
from warren.core.queues.base import Queue

MANY = 2 * LEAVE_PER_SLICE + 500

KEYED = ("direct", "topic", "headers", "x-delayed-message")
"""Types whose bindings say for which messages."""

PICKING = ("x-consistent-hash", "x-modulus-hash", "x-random")
"""Types that pick one of the targets."""

TYPES = (*KEYED, "fanout", "x-recent-history", *PICKING)


def exchange_of(simulated: SimulatedBroker, type_name: str, name: str = "x", *, auto_delete: bool = False) -> Exchange:
    arguments: dict[str, FieldValue] = {"x-delayed-type": "direct"} if type_name == "x-delayed-message" else {}
    exchange = create(
        type_name,
        name,
        durable=True,
        auto_delete=auto_delete,
        arguments=arguments,
        arguments_raw=encode_table(arguments),
    )
    add_exchange(simulated.vhost, exchange)
    return exchange


def bind(simulated: SimulatedBroker, exchange: Exchange, target: Queue | Exchange, numbers: range) -> None:
    for number in numbers:
        arguments: dict[str, FieldValue] = {"n": number} if exchange.type_name == "headers" else {}
        key = str(number + 1)
        binding = Binding(exchange.name, target, key, arguments, encode_table(arguments))
        add_binding(simulated.vhost, exchange, binding)


def leads_to(simulated: SimulatedBroker, number: int, exchange: str = "x") -> set[str]:
    properties = EMPTY.with_header_entries({"n": number})
    route = simulated.vhost.route(exchange, str(number + 1), {"n": number}, (), properties)
    return {queue.name for queue in route.queues}


def turns(simulated: SimulatedBroker) -> int:
    count = 1
    while simulated.broker.end_turn():
        count += 1
    return count


def binding_rows(simulated: SimulatedBroker) -> int:
    return sum(row[0] == "binding" for row in simulated.broker.definitions.load())


@pytest.mark.interpreted("counts calls that the compiled form makes directly")
@pytest.mark.parametrize("type_name", TYPES)
def test_it_leads_nowhere_at_once_and_the_bindings_leave_bit_by_bit(
    type_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulated = SimulatedBroker()
    exchange = exchange_of(simulated, type_name)
    gone = create_queue(simulated.vhost, "gone", durable=True)
    stays = create_queue(simulated.vhost, "stays", durable=True)
    bind(simulated, exchange, gone, range(MANY))
    bind(simulated, exchange, stays, range(7, 9))
    left: Counter[str] = Counter()
    removed = type(exchange).binding_removed

    def counting(self: Exchange, binding: Binding) -> None:
        left["all"] += 1
        removed(self, binding)

    monkeypatch.setattr(type(exchange), "binding_removed", counting)
    remove_queue(simulated.vhost, gone)
    done = [0, left["all"]]
    expected = [{"stays"} if number in (7, 8) or type_name not in KEYED else set() for number in range(MANY)]
    has_more = True
    while has_more:
        for number in (0, 7, 8, MANY - 1):
            assert leads_to(simulated, number) == expected[number]
        assert [binding.target for binding in exchange.bindings] == [stays, stays]
        assert len(exchange.bindings) == 2
        assert exchange.bindings
        assert binding_rows(simulated) == 2
        has_more = simulated.broker.end_turn()
        done.append(left["all"])
    assert done[-1] == MANY
    assert max(after - before for before, after in pairwise(done)) <= LEAVE_PER_SLICE
    assert not simulated.vhost.departing
    assert not exchange.bindings_to(gone)


@pytest.mark.parametrize("type_name", TYPES)
@pytest.mark.parametrize("turns_between", [0, 1, 2])
def test_a_queue_of_the_same_name_may_be_bound_meanwhile(type_name: str, turns_between: int) -> None:
    simulated = SimulatedBroker()
    exchange = exchange_of(simulated, type_name)
    gone = create_queue(simulated.vhost, "q", durable=True)
    bind(simulated, exchange, gone, range(MANY))
    remove_queue(simulated.vhost, gone)
    for _ in range(turns_between):
        simulated.broker.end_turn()
    again = create_queue(simulated.vhost, "q", durable=True)
    assert list(exchange.bindings_to(again)) == []
    assert exchange.get(Binding("x", again, "1").key) is None
    bind(simulated, exchange, again, range(3))
    assert len(exchange.bindings_to(again)) == 3
    for _ in range(2):
        assert leads_to(simulated, 1) == {"q"}
        assert [binding.target for binding in exchange.bindings] == [again] * 3
        assert leads_to(simulated, MANY - 1) == (set() if type_name in KEYED else {"q"})
        turns(simulated)
    route = simulated.vhost.route("x", "2", {"n": 1}, (), EMPTY.with_header_entries({"n": 1}))
    assert route.queues == (again,)
    assert binding_rows(simulated) == 3
    simulated.settle()
    simulated.crash()
    assert binding_rows(simulated) == 3
    assert leads_to(simulated, 1) == {"q"}
    assert leads_to(simulated, MANY - 1) == (set() if type_name in KEYED else {"q"})
    remove_queue(simulated.vhost, simulated.vhost.queues["q"])
    assert leads_to(simulated, 1) == set()


def test_a_queue_may_go_again_and_again_meanwhile() -> None:
    simulated = SimulatedBroker()
    exchange = exchange_of(simulated, "direct")
    for _ in range(3):
        queue = create_queue(simulated.vhost, "q", durable=True)
        bind(simulated, exchange, queue, range(MANY))
        assert leads_to(simulated, 5) == {"q"}
        remove_queue(simulated.vhost, queue)
        assert leads_to(simulated, 5) == set()
    assert len(simulated.vhost.departing) == 3
    turns(simulated)
    assert not exchange.bindings
    assert not simulated.vhost.departing
    assert binding_rows(simulated) == 0


@pytest.mark.interpreted("counts calls that the compiled form makes directly")
@pytest.mark.parametrize("type_name", TYPES)
def test_an_exchange_that_is_deleted_lets_go_of_its_bindings_bit_by_bit(
    type_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulated = SimulatedBroker()
    exchange = exchange_of(simulated, type_name)
    queue = create_queue(simulated.vhost, "q", durable=True)
    bind(simulated, exchange, queue, range(MANY))
    other = exchange_of(simulated, "fanout", "other")
    bind(simulated, other, queue, range(1))
    left: Counter[str] = Counter()
    removed = type(exchange).binding_removed

    def counting(self: Exchange, binding: Binding) -> None:
        left["all"] += 1
        removed(self, binding)

    monkeypatch.setattr(type(exchange), "binding_removed", counting)
    remove_exchange(simulated.vhost, exchange)
    done = [0, left["all"]]
    assert binding_rows(simulated) == 1
    while simulated.broker.end_turn():
        done.append(left["all"])
    done.append(left["all"])
    assert done[-1] == MANY
    assert max(after - before for before, after in pairwise(done)) <= AT_ONCE_MAX
    assert list(simulated.vhost.sources["queue", "q"]) == [other]


def test_exchanges_that_come_and_go_are_not_remembered_by_what_they_led_to() -> None:
    simulated = SimulatedBroker()
    queue = create_queue(simulated.vhost, "q")
    for _ in range(5):
        exchange = exchange_of(simulated, "direct")
        bind(simulated, exchange, queue, range(2))
        remove_exchange(simulated.vhost, exchange)
    assert not simulated.vhost.sources


def many_sources(simulated: SimulatedBroker, count: int, *, auto_delete: bool = False) -> Queue:
    queue = create_queue(simulated.vhost, "q", durable=True)
    for number in range(count):
        bind(simulated, exchange_of(simulated, "fanout", f"x{number}", auto_delete=auto_delete), queue, range(1))
    return queue


SOURCES = AT_ONCE_MAX + 2 * SOURCES_AT_ONCE


@pytest.mark.interpreted("counts calls that the compiled form makes directly")
def test_a_queue_that_very_many_exchanges_lead_to(monkeypatch: pytest.MonkeyPatch) -> None:
    simulated = SimulatedBroker()
    gone = many_sources(simulated, SOURCES)
    told: Counter[str] = Counter()
    target_gone = Exchange.target_gone

    def counting(self: Exchange, target: Queue) -> None:
        told["all"] += 1
        target_gone(self, target)

    monkeypatch.setattr(Exchange, "target_gone", counting)
    remove_queue(simulated.vhost, gone)
    assert {name for number in range(SOURCES) for name in leads_to(simulated, 0, f"x{number}")} == set()
    assert not any(simulated.vhost.exchanges[f"x{number}"].bindings for number in range(SOURCES))
    done = [0, told["all"]]
    while simulated.broker.end_turn():
        done.append(told["all"])
    done.append(told["all"])
    assert done[-1] == SOURCES
    assert max(after - before for before, after in pairwise(done)) <= SOURCES_AT_ONCE
    assert binding_rows(simulated) == 0
    assert not any(row[0] == DEPARTED for row in simulated.broker.definitions.load())


@pytest.mark.parametrize("done", [0, 1, 3])
def test_a_crash_meanwhile_leaves_no_binding_for_the_next_queue_of_the_name(done: int) -> None:
    """What was bound anew before the crash stays, and what lost an end by damage waits for that as before."""
    simulated = SimulatedBroker()
    gone = many_sources(simulated, SOURCES)
    simulated.settle()
    remove_queue(simulated.vhost, gone)
    for _ in range(done):
        simulated.broker.end_turn()
    again = create_queue(simulated.vhost, "q", durable=True)
    last = simulated.vhost.exchanges[f"x{SOURCES - 1}"]
    bind(simulated, last, again, range(1))
    simulated.broker.definitions.commit()
    simulated.crash()
    assert leads_to(simulated, 0, f"x{SOURCES - 1}") == {"q"}
    assert sum(len(exchange.bindings) for exchange in simulated.vhost.exchanges.values()) == 1
    assert not simulated.broker.quarantine.bindings
    assert binding_rows(simulated) == 1
    assert not any(row[0] == DEPARTED for row in simulated.broker.definitions.load())


def test_auto_delete_exchanges_that_lose_their_last_binding_go_some_at_a_time() -> None:
    simulated = SimulatedBroker()
    gone = many_sources(simulated, SOURCES, auto_delete=True)
    predeclared = len(simulated.vhost.exchanges) - SOURCES
    remove_queue(simulated.vhost, gone)
    left = [len(simulated.vhost.exchanges) - predeclared]
    assert left[0] >= SOURCES - SOURCES_AT_ONCE
    while simulated.broker.end_turn():
        left.append(len(simulated.vhost.exchanges) - predeclared)
    left.append(len(simulated.vhost.exchanges) - predeclared)
    assert left[-1] == 0
    assert max(before - after for before, after in pairwise(left)) <= SOURCES_AT_ONCE + EMPTIED_PER_SLICE


def test_a_chain_of_auto_delete_exchanges_goes_link_by_link() -> None:
    """However long it is: neither at once, nor deeper and deeper."""
    length = 5000
    simulated = SimulatedBroker()
    following: Queue | Exchange = create_queue(simulated.vhost, "end", durable=True)
    for number in range(length):
        exchange = exchange_of(simulated, "fanout", f"x{number}", auto_delete=True)
        bind(simulated, exchange, following, range(1))
        following = exchange
    remove_queue(simulated.vhost, simulated.vhost.queues["end"])
    assert len(simulated.vhost.exchanges) >= length - EMPTIED_PER_SLICE
    turns(simulated)
    assert not any(name.startswith("x") for name in simulated.vhost.exchanges)
    assert not simulated.vhost.emptied
    assert binding_rows(simulated) == 0


def test_an_exchange_that_is_bound_again_before_its_turn_comes_stays() -> None:
    simulated = SimulatedBroker()
    gone = many_sources(simulated, SOURCES, auto_delete=True)
    other = create_queue(simulated.vhost, "other", durable=True)
    remove_queue(simulated.vhost, gone)
    waiting = [name for name in simulated.vhost.exchanges if name.startswith("x")]
    bind(simulated, simulated.vhost.exchanges[waiting[-1]], other, range(1))
    turns(simulated)
    assert [name for name in simulated.vhost.exchanges if name.startswith("x")] == [waiting[-1]]


@pytest.mark.parametrize("type_name", PICKING)
def test_types_that_pick_one_never_pick_what_has_gone(type_name: str) -> None:
    """Also while they haven't been told, being one of very many that led there."""
    simulated = SimulatedBroker()
    gone = many_sources(simulated, SOURCES)
    picking = exchange_of(simulated, type_name)
    stays = create_queue(simulated.vhost, "stays", durable=True)
    bind(simulated, picking, gone, range(1))
    bind(simulated, picking, stays, range(1))
    remove_queue(simulated.vhost, gone)
    assert {name for number in range(100) for name in leads_to(simulated, number)} == {"stays"}
    turns(simulated)
    assert {name for number in range(100) for name in leads_to(simulated, number)} == {"stays"}
