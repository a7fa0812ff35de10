"""The exchanges x-random and x-local-random."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from tests.core.exchanges.targets import Target, names
from tests.support.core_clients import bind, bound_queue, exchange, publish, queue, take
from tests.support.simulated_broker import SimulatedBroker
from warren.core.errors import PreconditionFailed
from warren.core.exchanges.binding import Binding
from warren.core.exchanges.registry import create


@pytest.fixture
def broker() -> Iterator[SimulatedBroker]:
    made = SimulatedBroker()
    yield made
    made.settle()
    made.check()


@pytest.mark.parametrize("type_name", ["x-random", "x-local-random"])
def test_each_message_goes_to_any_one_target(type_name: str) -> None:
    made = create(type_name, "x")
    assert names(made.targets("k", None)) == []
    for name in "abcd":
        made.add(Binding("x", Target(name), ""))
    found = [names(made.targets(str(number), None)) for number in range(4000)]
    assert all(len(each) == 1 for each in found)
    counts = Counter(each[0] for each in found)
    assert all(800 < counts[name] < 1200 for name in "abcd"), counts
    for binding in list(made.bindings):
        made.remove(binding.key)
    assert names(made.targets("k", None)) == []


def test_keys_are_ignored_and_bindings_to_one_target_count_once() -> None:
    one = Target("one")
    fair = create("x-random", "y")
    for key in ("1", "2", "3"):
        fair.add(Binding("y", one, key))
    fair.add(Binding("y", Target("other"), ""))
    counts = Counter(names(fair.targets("k", None))[0] for _ in range(2000))
    assert 800 < counts["one"] < 1200


@pytest.mark.parametrize("type_name", ["x-random", "x-local-random"])
def test_one_message_one_queue_through_the_broker(broker: SimulatedBroker, type_name: str) -> None:
    exchange(broker, "x", type_name)
    queues = [bound_queue(broker, f"q{number}", "x") for number in range(4)]
    for number in range(200):
        assert publish(broker, "x", b"m", None, f"k{number % 3}", ["copy", "another"])[0]
    counts = [len(take(each)) for each in queues]
    assert sum(counts) == 200
    assert min(counts) > 10


def test_local_random_refuses_binding_keys(broker: SimulatedBroker) -> None:
    exchange(broker, "x", "x-local-random")
    queue(broker, "q")
    with pytest.raises(PreconditionFailed) as caught:
        bind(broker, "q", "x", "key")
    assert caught.value.text == "Non empty binding 'key' key not permitted; bind with an empty key"


def test_local_random_refuses_exchanges_and_other_queue_types(broker: SimulatedBroker) -> None:
    declared = exchange(broker, "x", "x-local-random")
    exchange(broker, "behind", "fanout")
    with pytest.raises(PreconditionFailed) as caught:
        bind(broker, "behind", "x", kind="exchange")
    assert caught.value.text.startswith("exchange 'behind' not valid for this exchange type")
    queue(broker, "q", {"x-queue-type": "quorum"}, durable=True)
    with pytest.raises(PreconditionFailed) as caught:
        bind(broker, "q", "x")
    assert caught.value.text.startswith("Queue type quorum not valid for this exchange type")
    assert not declared.bindings
