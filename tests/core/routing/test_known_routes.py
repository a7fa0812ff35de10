"""The memory of a session for routes: bounded, and void as soon as the virtual host's version says so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.simulated_broker import SimulatedBroker
from warren.core.counters import SessionCounts
from warren.core.routing.known_routes import KnownRoute, KnownRoutes, may_be_remembered


@pytest.fixture
def simulated() -> Iterator[SimulatedBroker]:
    broker = SimulatedBroker()
    broker.connect().declare("q", durable=True)
    yield broker
    broker.close()


@pytest.fixture
def durable(tmp_path: Path) -> Iterator[SimulatedBroker]:
    broker = SimulatedBroker(tmp_path)
    broker.connect().declare("q", durable=True)
    yield broker
    broker.close()


def known_route(simulated: SimulatedBroker) -> KnownRoute:
    return KnownRoute(simulated.vhost.route("", "q"), SessionCounts(simulated.vhost))


def test_it_is_bounded(simulated: SimulatedBroker) -> None:
    memory: KnownRoutes[KnownRoute] = KnownRoutes(simulated.vhost, 3)
    route = known_route(simulated)
    for key in (b"a", b"b", b"c"):
        memory.remember(key, route)
    assert list(memory.now()) == [b"a", b"b", b"c"]
    memory.remember(b"d", route)
    assert list(memory.now()) == [b"d"]


def test_what_is_remembered_after_a_change_is_kept(simulated: SimulatedBroker) -> None:
    memory: KnownRoutes[KnownRoute] = KnownRoutes(simulated.vhost, 3)
    memory.remember(b"old", known_route(simulated))
    simulated.vhost.changed()
    memory.remember(b"new", known_route(simulated))
    assert list(memory.now()) == [b"new"]
    memory.forget()
    assert not memory.now()


def test_what_may_be_remembered(simulated: SimulatedBroker) -> None:
    vhost = simulated.vhost
    assert may_be_remembered(vhost, vhost.route("", "q"))
    assert may_be_remembered(vhost, vhost.route("", "nowhere"))
    assert not may_be_remembered(vhost, vhost.route("amq.headers", "q", {"a": 1}))
    simulated.broker.alarms.set("disk", True)
    assert not may_be_remembered(vhost, vhost.route("", "q"))
    simulated.broker.alarms.set("disk", False)
    vhost.tracing = True
    assert not may_be_remembered(vhost, vhost.route("", "q"))


def test_what_is_stored(simulated: SimulatedBroker, durable: SimulatedBroker) -> None:
    assert known_route(durable).store_ids == (durable.queue("q").store_id,)
    assert simulated.vhost.route("", "q").store_ids
    assert known_route(simulated).store_ids == (), "the store keeps nothing"
