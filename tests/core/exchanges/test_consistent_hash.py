"""The exchange x-consistent-hash, and the hashes it stands on."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.exchanges.targets import Target, names
from tests.support.core_clients import (
    advance,
    bind,
    bound_queue,
    delayed,
    exchange,
    guest,
    properties,
    publish,
    take,
    with_headers,
)
from tests.support.simulated_broker import SimulatedBroker
from tests.support.warren_process import PYTHON_PATH
from warren.core.declaring.bindings import unbind
from warren.core.errors import PreconditionFailed
from warren.core.exchanges.base import Exchange
from warren.core.exchanges.binding import Binding
from warren.core.exchanges.consistent_hash import WEIGHT_MAX
from warren.core.exchanges.registry import create
from warren.core.exchanges.stable_hash import jump_bucket, stable_hash
from warren.core.messages.field_table import Encodable, FieldValue
from warren.core.messages.properties import Properties

KEYS = [f"customer-{number}" for number in range(4000)]


def ring(*weights: int) -> Exchange:
    """An exchange with targets q0, q1... of these weights."""
    made = create("x-consistent-hash", "x")
    for number, weight in enumerate(weights):
        made.add(Binding("x", Target(f"q{number}"), str(weight)))
    return made


def placed(made: Exchange) -> dict[str, str]:
    """Where each of `KEYS` goes."""
    found = {}
    for key in KEYS:
        (found[key],) = names(made.targets(key, None))
    return found


def test_every_message_goes_to_one_target() -> None:
    assert names(create("x-consistent-hash", "x").targets("k", None)) == []
    assert set(placed(ring(1))) == set(KEYS)
    assert set(placed(ring(1, 1, 1)).values()) == {"q0", "q1", "q2"}


@pytest.mark.parametrize("weights", [(1, 1), (1, 3), (10, 10, 20), (5, 1, 1, 1, 2)])
def test_shares_are_as_the_weights(weights: tuple[int, ...]) -> None:
    counts = Counter(placed(ring(*weights)).values())
    for number, weight in enumerate(weights):
        assert counts[f"q{number}"] / len(KEYS) == pytest.approx(weight / sum(weights), abs=0.04)


@given(st.integers(1, 12))
def test_a_further_target_takes_its_share_and_nothing_else_moves(count: int) -> None:
    made = ring(*[1] * count)
    before = placed(made)
    made.add(Binding("x", Target("new"), "1"))
    after = placed(made)
    moved = [key for key in KEYS if before[key] != after[key]]
    assert {after[key] for key in moved} == {"new"}
    assert len(moved) / len(KEYS) == pytest.approx(1 / (count + 1), abs=0.05)


@given(st.integers(2, 10), st.data())
def test_without_a_target_few_others_move(count: int, data: st.DataObject) -> None:
    made = ring(*[1] * count)
    before = placed(made)
    gone = data.draw(st.integers(0, count - 1))
    (binding,) = [each for each in made.bindings if each.target.name == f"q{gone}"]
    made.remove(binding.key)
    after = placed(made)
    assert f"q{gone}" not in after.values()
    moved = [key for key in KEYS if before[key] != after[key]]
    assert {before[key] for key in moved} == {f"q{gone}"}


@given(st.integers(3, 8), st.data())
def test_where_a_key_goes_depends_on_the_slots_alone(count: int, data: st.DataObject) -> None:
    """Not on what came and went before, nor on the order of building the row again."""
    made = ring(*[data.draw(st.integers(1, 5)) for _ in range(count)])
    for number in data.draw(st.lists(st.integers(0, count - 1), max_size=count - 1, unique=True)):
        (binding,) = [each for each in made.bindings if each.target.name == f"q{number}"]
        made.remove(binding.key)
        if data.draw(st.booleans()):
            made.add(Binding("x", Target(f"new{number}"), str(data.draw(st.integers(1, 5)))))
    again = create("x-consistent-hash", "x")
    for binding in data.draw(st.permutations(list(made.bindings))):
        copy = Binding("x", binding.target, binding.routing_key)
        copy.slots = binding.slots
        again.add(copy)
        assert copy.slots == binding.slots
    assert placed(again) == placed(made)


def test_a_row_of_holes_leads_somewhere_and_is_filled_before_it_grows() -> None:
    made = ring(*[1] * 8)
    for number in range(200):
        made.add(Binding("x", Target(f"further{number}"), "1"))
        (oldest, *_) = made.bindings
        made.remove(oldest.key)
    assert len(made._slots) <= 9  # type: ignore[attr-defined]
    while len(made.bindings) > 1:
        made.remove(next(iter(made.bindings)).key)
    assert len(set(placed(made).values())) == 1
    made.remove(next(iter(made.bindings)).key)
    assert names(made.targets("k", None)) == []


def test_a_row_that_is_nearly_all_holes_is_shared_by_who_is_left() -> None:
    made = ring(*[1] * 2000)
    for binding in list(made.bindings)[:-3]:
        made.remove(binding.key)
    shares = Counter(placed(made).values())
    assert len(shares) == 3
    assert min(shares.values()) / len(KEYS) > 0.25


@pytest.mark.parametrize("inner", [False, True], ids=["plain", "delaying"])
def test_a_restart_moves_nothing(tmp_path: Path, inner: bool) -> None:
    """After bindings have come and gone, a weight has changed, and a transient queue has had its share."""
    broker = SimulatedBroker(tmp_path)
    if inner:
        delayed(broker, "x-consistent-hash", durable=True)
    else:
        exchange(broker, "x", "x-consistent-hash", durable=True)
    for number in range(6):
        bound_queue(broker, f"q{number}", "x", str(number + 1), durable=number != 2)
    bind(broker, "q4", "x", "3")
    for name, weight in (("q0", "1"), ("q4", "5"), ("q3", "4")):
        unbind(guest(broker), "queue", name, "x", weight, {})
    bound_queue(broker, "late", "x", "2", durable=True)
    before = {key: name for key, name in placed(broker.vhost.exchanges["x"]).items() if name != "q2"}
    for how in (broker.restart, broker.crash, broker.restart):
        how()
        after = placed(broker.vhost.exchanges["x"])
        assert {key: after[key] for key in before} == before
    broker.close()


def test_rows_of_an_older_version_get_their_slots_once(tmp_path: Path) -> None:
    broker = SimulatedBroker(tmp_path)
    exchange(broker, "x", "x-consistent-hash", durable=True)
    for number in range(3):
        bound_queue(broker, f"q{number}", "x", "1", durable=True)
    definitions = broker.broker.definitions
    for kind, vhost, name, value in list(definitions.load()):
        if kind == "binding":
            definitions.put(kind, vhost, name, {key: each for key, each in value.items() if key != "slots"})
    broker.restart()
    before = placed(broker.vhost.exchanges["x"])
    unbind(guest(broker), "queue", "q0", "x", "1", {})
    left = placed(broker.vhost.exchanges["x"])
    broker.restart()
    assert placed(broker.vhost.exchanges["x"]) == left
    assert {key for key in before if before[key] != left[key]} == {key for key in before if before[key] == "q0"}
    broker.close()


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(1, 5), st.booleans()), max_size=30),
)
def test_buckets_are_those_of_the_earliest_binding_to_each_target(steps: list[tuple[int, int, bool]]) -> None:
    made = create("x-consistent-hash", "x")
    targets = [Target(f"q{number}") for number in range(4)]
    for number, weight, adds in steps:
        binding = Binding("x", targets[number], str(weight))
        if adds:
            made.add(binding)
        else:
            made.remove(binding.key)
        expected: dict[str, int] = {}
        for bound in made.bindings:
            expected.setdefault(bound.target.name, int(bound.routing_key))
        row = made._slots  # type: ignore[attr-defined]
        slots = [
            row._targets[first]
            for first, count in zip(row._taken.firsts, row._taken.counts, strict=True)
            for _ in range(count)
        ]
        assert Counter(target.name for target in slots) == expected


def test_only_the_first_binding_of_a_target_counts() -> None:
    made = create("x-consistent-hash", "x")
    one, other = Target("one"), Target("other")
    bindings = [Binding("x", one, "1"), Binding("x", one, "1000"), Binding("x", other, "1")]
    for binding in bindings:
        made.add(binding)
    assert Counter(placed(made).values())["one"] == pytest.approx(len(KEYS) / 2, rel=0.1)
    made.remove(bindings[0].key)
    assert Counter(placed(made).values())["one"] > 0.99 * len(KEYS)
    made.remove_target(one)
    assert set(placed(made).values()) == {"other"}


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("", "The binding key must be an integer: <<>>"),
        ("heavy", 'The binding key must be an integer: <<"heavy">>'),
        ("1.5", 'The binding key must be an integer: <<"1.5">>'),
        ("\u0661", "The binding key must be an integer"),
        ("0", "The binding key must be greater than 0"),
        ("-3", "The binding key must be greater than 0"),
        (str(WEIGHT_MAX + 1), f"The binding key must not be greater than {WEIGHT_MAX}"),
        ("9" * 5000, "The binding key must not be greater than"),
    ],
)
def test_binding_keys_that_are_no_weight_are_refused(key: str, text: str) -> None:
    made = ring(1)
    with pytest.raises(PreconditionFailed) as caught:
        made.add(Binding("x", Target("q"), key))
    assert caught.value.text.startswith(text)
    assert len(made.bindings) == 1


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (
            {"hash-header": "h", "hash-property": "message_id"},
            "hash-header and hash-property are mutually exclusive",
        ),
        ({"hash-property": "priority"}, "Unsupported property: priority; use one of correlation_id, message_id"),
        ({"hash-property": 1}, "invalid type 'signedint' for arg 'hash-property' of an exchange: expected longstr"),
        ({"hash-header": True}, "invalid type 'bool' for arg 'hash-header' of an exchange: expected longstr"),
    ],
)
def test_arguments_that_are_refused(arguments: dict[str, FieldValue], text: str) -> None:
    with pytest.raises(PreconditionFailed) as caught:
        create("x-consistent-hash", "x", arguments=arguments)
    assert caught.value.text.startswith(text)


def test_hashing_is_the_same_in_every_process() -> None:
    assert [stable_hash(text) for text in ("", "a", "\udcff")] == [
        16476032584258269876,
        4681665781835383343,
        12046828671236620177,
    ]
    script = (
        "from warren.core.exchanges.stable_hash import *\n"
        "print([jump_bucket(stable_hash(str(n)), 50) for n in range(99)])"
    )
    environment = {**os.environ, "PYTHONPATH": PYTHON_PATH, "PYTHONHASHSEED": "12345"}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stdout.strip() == str([jump_bucket(stable_hash(str(n)), 50) for n in range(99)])


@given(st.integers(0, 2**64 - 1), st.integers(1, 10_000))
def test_a_jump_stays_or_goes_to_the_new_bucket(key: int, count: int) -> None:
    bucket = jump_bucket(key, count)
    assert 0 <= bucket < count
    assert jump_bucket(key, count + 1) in (bucket, count)


@pytest.fixture
def broker() -> Iterator[SimulatedBroker]:
    made = SimulatedBroker()
    yield made
    made.settle()
    made.check()


def spread(broker: SimulatedBroker, arguments: dict[str, Encodable], sent: list[tuple[str, Properties]]) -> list[str]:
    """The queues that messages with these keys and properties went to."""
    exchange(broker, "x", "x-consistent-hash", arguments)
    queues = [bound_queue(broker, f"q{number}", "x", "1") for number in range(8)]
    found = []
    for key, message_properties in sent:
        assert publish(broker, "x", b"", message_properties, key)[0]
        (reached,) = [queue.name for queue in queues if take(queue)]
        found.append(reached)
    return found


BY_PROPERTY = [
    ({"hash-header": "h"}, lambda value: with_headers(h=value)),
    ({"hash-property": "message_id"}, lambda value: properties(message_id=str(value))),
    ({"hash-property": "correlation_id"}, lambda value: properties(correlation_id=str(value))),
    ({"hash-property": "timestamp"}, lambda value: properties(timestamp=value)),
]


@pytest.mark.parametrize(("arguments", "made_of"), BY_PROPERTY)
def test_what_is_hashed(broker: SimulatedBroker, arguments: dict[str, Encodable], made_of: object) -> None:
    assert callable(made_of)
    values = [*range(40), *range(40)]
    found = spread(broker, arguments, [(str(index), made_of(value)) for index, value in enumerate(values)])
    assert found[:40] == found[40:]
    assert len(set(found)) > 4


@pytest.mark.parametrize(("arguments", "made_of"), BY_PROPERTY)
def test_messages_without_it_go_to_one_target(
    broker: SimulatedBroker, arguments: dict[str, Encodable], made_of: object
) -> None:
    found = spread(broker, arguments, [(str(number), with_headers()) for number in range(20)])
    assert len(set(found)) == 1


def test_by_routing_key_even_with_copies(broker: SimulatedBroker) -> None:
    """Further routing keys in CC or BCC don't make further targets."""
    exchange(broker, "x", "x-consistent-hash")
    queues = [bound_queue(broker, f"q{number}", "x", "1") for number in range(8)]
    for number in range(20):
        publish(broker, "x", b"m", None, f"k{number}", [f"cc{other}" for other in range(10)])
    assert sum(len(take(queue)) for queue in queues) == 20


def test_an_exchange_can_be_a_target(broker: SimulatedBroker) -> None:
    exchange(broker, "x", "x-consistent-hash")
    exchange(broker, "behind", "fanout")
    bind(broker, "behind", "x", "1", kind="exchange")
    target = bound_queue(broker, "q", "behind")
    publish(broker, "x", b"m", None, "k")
    assert take(target) == [b"m"]


def test_routes_by_key_are_remembered_and_those_by_header_are_not(broker: SimulatedBroker) -> None:
    for name, arguments in (("keys", {}), ("headers", {"hash-header": "h"})):
        exchange(broker, name, "x-consistent-hash", arguments)
        bound_queue(broker, f"q-{name}", name, "1")
    assert broker.vhost.route("keys", "k") is broker.vhost.route("keys", "k")
    assert not broker.vhost.route("headers", "k").cacheable
    advance(broker, 0)
