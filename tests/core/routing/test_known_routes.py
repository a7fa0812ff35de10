"""The memory of a session for routes: bounded, and void as soon as the virtual host's version says so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_client import publish_frames
from warren.adapters.amqp091.known_publishes import KNOWN_PUBLISHES_MAX
from warren.core.counters import SessionCounts
from warren.core.routing.known_routes import (
    LENT_AT_ONCE,
    SPARE_ROUTES_MAX,
    KnownRoute,
    KnownRoutes,
    SpareRoutes,
    may_be_remembered,
)


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
    for key in (b"d", b"e", b"f"):
        memory.remember(key, route)
        assert list(memory.now()) == [b"a", b"b", b"c"]
    memory.remember(b"g", route)
    assert list(memory.now()) == [b"g"]


def test_more_is_lent_while_there_is_some_to_spare(simulated: SimulatedBroker) -> None:
    spare = SpareRoutes()
    spare.left = 2 * LENT_AT_ONCE
    memories: list[KnownRoutes[KnownRoute]] = [KnownRoutes(simulated.vhost, 3, spare) for _ in range(2)]
    route = known_route(simulated)
    for memory in memories:
        for number in range(LENT_AT_ONCE + 4):
            memory.remember(b"%d" % number, route)
    # The first has borrowed twice, and nothing was left for the second.
    assert len(memories[0].now()) == LENT_AT_ONCE + 4
    assert memories[1].entries_max == 3
    assert spare.left == 0
    memories[0].forget()
    assert spare.left == 2 * LENT_AT_ONCE
    assert memories[0].entries_max == 3
    for number in range(5):
        memories[1].remember(b"more %d" % number, route)
    assert memories[1].entries_max == 3 + LENT_AT_ONCE


def test_a_connection_gives_back_what_it_was_lent(simulated: SimulatedBroker) -> None:
    client = simulated.connect()
    for number in range(KNOWN_PUBLISHES_MAX + 2):
        client.send_bytes(publish_frames(f"nowhere {number}", b"x"))
        client.settle()
    assert len(client.connection.known.now()) == KNOWN_PUBLISHES_MAX + 2
    assert simulated.broker.spare_routes.left == SPARE_ROUTES_MAX - LENT_AT_ONCE
    client.close()
    assert simulated.broker.spare_routes.left == SPARE_ROUTES_MAX


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
