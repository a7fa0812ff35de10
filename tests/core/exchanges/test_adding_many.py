"""Bindings that are added together are what they are one by one, of every type."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.exchanges.targets import Target
from tests.support.simulated_broker import SimulatedBroker
from warren.core.declaring.bindings import add_binding
from warren.core.declaring.departures import AT_ONCE_MAX
from warren.core.declaring.queues import create_queue, remove_queue
from warren.core.errors import PreconditionFailed
from warren.core.exchanges.binding import Binding
from warren.core.exchanges.registry import create

TYPES = ("direct", "fanout", "topic", "headers", "x-random", "x-modulus-hash", "x-consistent-hash")

keys = st.lists(st.sampled_from(["1", "2", "3", "4"]), max_size=6)


@pytest.mark.parametrize("type_name", TYPES)
@given(before=keys, together=keys)
def test_together_is_one_by_one(type_name: str, before: list[str], together: list[str]) -> None:
    alone, all_at_once = (create(type_name, "x", durable=True) for _ in range(2))
    target = Target("q")
    for exchange in (alone, all_at_once):
        for key in before:
            exchange.add(Binding("x", target, key))
    added = [key for key in together if alone.add(Binding("x", target, key))]
    given_back = all_at_once.add_all(target, [Binding("x", target, key) for key in together])
    assert [binding.routing_key for binding in given_back] == added
    for found in (exchange.bindings for exchange in (alone, all_at_once)):
        assert [(each.sequence, each.source_durable) for each in found] == [
            (number, True) for number in range(1, len(found) + 1)
        ]
    assert [each.key for each in all_at_once.bindings] == [each.key for each in alone.bindings]
    assert list(all_at_once.bindings_to(target)) == list(all_at_once.bindings)
    for key in ("1", "2", "3", "4"):
        if type_name != "x-random":
            assert all_at_once.targets(key, {}) == alone.targets(key, {})


def test_one_that_is_refused_has_none_of_them_added() -> None:
    exchange, target = create("x-consistent-hash", "x"), Target("q")
    with pytest.raises(PreconditionFailed):
        exchange.add_all(target, [Binding("x", target, key) for key in ("1", "not a weight")])
    assert not exchange.bindings


def test_those_of_a_queue_that_is_leaving_make_way() -> None:
    simulated = SimulatedBroker()
    vhost = simulated.vhost
    exchange = vhost.exchanges["amq.topic"]
    gone = create_queue(vhost, "q", durable=True)
    many = [f"k.{number}" for number in range(2 * AT_ONCE_MAX)]
    for key in many:
        add_binding(vhost, exchange, Binding("amq.topic", gone, key))
    remove_queue(vhost, gone)
    assert vhost.departing, "its bindings are still to leave"
    queue = create_queue(vhost, "q", durable=True)
    bindings = [Binding("amq.topic", queue, key) for key in many]
    assert exchange.add_all(queue, bindings) == bindings
    vhost.leads(exchange, queue)
    simulated.settle()
    assert not vhost.departing
    assert list(exchange.bindings) == bindings
    assert vhost.route("amq.topic", many[0], None, ()).queues == (queue,)
