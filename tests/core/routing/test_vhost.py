"""Routing within a virtual host: walks, cycles, alternates, the default exchange, the cache (spec A.6)."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.support.simulated_broker import SimulatedBroker
from warren.core.chores import LET_GO_PER_SLICE
from warren.core.clients.client import Client
from warren.core.declaring.bindings import bind, unbind
from warren.core.declaring.exchanges import declare_exchange, delete_exchange, remove_emptied
from warren.core.declaring.queues import declare_queue, delete_queue
from warren.core.errors import NotFound
from warren.core.messages.field_table import FieldTable, encode_table
from warren.core.routing.vhost import ROUTES_MAX, VirtualHost


class Topology:
    """Declares as one client, in short."""

    def __init__(self) -> None:
        simulated = SimulatedBroker()
        self.vhost: VirtualHost = simulated.vhost
        self.client = Client("tester", simulated.broker.users["guest"], self.vhost, "test", {})

    def queues(self, *names: str) -> None:
        for name in names:
            declare_queue(self.client, name)

    def exchange(self, name: str, kind: str, alternate: str | None = None, *, auto_delete: bool = False) -> None:
        arguments: FieldTable = {} if alternate is None else {"alternate-exchange": alternate}
        declare_exchange(
            self.client,
            name,
            kind,
            auto_delete=auto_delete,
            arguments=arguments,
            arguments_raw=encode_table(arguments),
        )

    def bind(self, source: str, destination: str, key: str = "", *, exchange: bool = False, **match: str) -> None:
        arguments: FieldTable = {name.replace("_", "-"): value for name, value in match.items()}
        kind = "exchange" if exchange else "queue"
        bind(self.client, kind, destination, source, key, arguments, encode_table(arguments))  # type: ignore[arg-type]

    def unbind(self, source: str, destination: str, key: str = "", *, exchange: bool = False) -> None:
        kind = "exchange" if exchange else "queue"
        remove_emptied(self.vhost, unbind(self.client, kind, destination, source, key, {}))  # type: ignore[arg-type]

    def reached(self, exchange: str, key: str, **headers: str) -> list[str]:
        return sorted(queue.name for queue in self.vhost.route(exchange, key, headers or None).queues)


@pytest.fixture
def topology() -> Topology:
    return Topology()


def test_the_default_exchange_leads_to_the_queue_of_that_name(topology: Topology) -> None:
    topology.queues("a", "b")
    assert topology.reached("", "a") == ["a"]
    assert topology.reached("", "missing") == []
    assert not topology.vhost.route("", "missing").routed
    route = topology.vhost.route("", "a", None, ["b", "a", "missing", "b"])
    assert sorted(queue.name for queue in route.queues) == ["a", "b"]
    assert not route.cacheable


def test_an_unknown_exchange_is_an_error(topology: Topology) -> None:
    with pytest.raises(NotFound, match="no exchange 'x' in vhost '/'"):
        topology.vhost.route("x", "a")


def test_a_queue_reached_twice_gets_a_message_once(topology: Topology) -> None:
    topology.queues("a")
    topology.exchange("x", "topic")
    topology.exchange("y", "fanout")
    for key in ("#", "k", "*"):
        topology.bind("x", "a", key)
    topology.bind("x", "y", "k", exchange=True)
    topology.bind("y", "a")
    assert topology.reached("x", "k") == ["a"]


def test_cycles_of_exchanges_are_harmless(topology: Topology) -> None:
    topology.queues("a")
    for name, following in [("x", "y"), ("y", "z"), ("z", "x")]:
        topology.exchange(name, "fanout", alternate=following)
    for name, following in [("x", "y"), ("y", "z"), ("z", "x"), ("z", "z")]:
        topology.bind(name, following, exchange=True)
    topology.bind("z", "a")
    for name in "xyz":
        assert topology.reached(name, "k") == ["a"]


def test_the_alternate_takes_what_nothing_else_does(topology: Topology) -> None:
    topology.queues("a", "rest")
    topology.exchange("last", "fanout")
    topology.exchange("middle", "direct", alternate="last")
    topology.exchange("x", "direct", alternate="middle")
    topology.bind("x", "a", "k")
    topology.bind("last", "rest")
    assert topology.reached("x", "k") == ["a"]
    assert topology.reached("x", "other") == ["rest"]
    assert topology.vhost.route("x", "other").routed
    delete_exchange(topology.client, "last")
    assert topology.reached("x", "other") == []
    assert not topology.vhost.route("x", "other").routed


def test_results_that_depend_on_headers_are_not_cached(topology: Topology) -> None:
    topology.queues("a", "b")
    topology.exchange("x", "direct")
    topology.exchange("h", "headers")
    topology.bind("x", "h", "k", exchange=True)
    topology.bind("h", "a", "", colour="red")
    topology.bind("h", "b", "", colour="blue")
    assert topology.reached("x", "k", colour="red") == ["a"]
    assert topology.reached("x", "k", colour="blue") == ["b"]
    assert topology.reached("x", "k") == []
    assert topology.vhost.route("x", "other").cacheable


@pytest.mark.parametrize("change", ["bind", "unbind", "declare", "delete", "delete exchange"])
def test_the_cache_follows_every_change(topology: Topology, change: str) -> None:
    topology.queues("a", "b")
    topology.exchange("x", "fanout", alternate="alternate")
    topology.bind("x", "a")
    version = topology.vhost.version
    assert topology.reached("x", "k") == ["a"]
    assert topology.reached("", "new") == []
    assert topology.vhost.route("x", "k") is topology.vhost.route("x", "k")
    if change == "bind":
        topology.bind("x", "b")
        assert topology.reached("x", "k") == ["a", "b"]
    elif change == "unbind":
        topology.unbind("x", "a")
        assert topology.reached("x", "k") == []
    elif change == "declare":
        topology.queues("new")
        assert topology.reached("", "new") == ["new"]
    elif change == "delete":
        delete_queue(topology.client, "a")
        assert topology.reached("x", "k") == []
    else:
        delete_exchange(topology.client, "x")
        with pytest.raises(NotFound):
            topology.vhost.route("x", "k")
    assert topology.vhost.version > version


def test_the_cache_is_bounded(topology: Topology) -> None:
    for number in range(ROUTES_MAX + 10):
        topology.vhost.route("", str(number))
    assert len(topology.vhost._routes) <= ROUTES_MAX


def test_very_many_routes_are_void_at_once_and_leave_bit_by_bit(topology: Topology) -> None:
    topology.queues("a")
    for number in range(3 * LET_GO_PER_SLICE):
        topology.vhost.route("", str(number))
    left = topology.vhost._routes
    counts = [len(left)]
    topology.queues("1")
    assert topology.reached("", "1") == ["1"]
    assert len(left) == counts[0], "nothing leaves within the turn that asks"
    while topology.vhost.broker.end_turn():
        counts.append(len(left))
    counts.append(len(left))
    assert counts[-1] == 0
    assert max(before - after for before, after in pairwise(counts)) <= LET_GO_PER_SLICE


def test_auto_delete_exchanges_go_in_a_chain(topology: Topology) -> None:
    topology.queues("a")
    topology.exchange("x", "fanout", auto_delete=True)
    topology.exchange("y", "fanout", auto_delete=True)
    topology.exchange("z", "fanout", auto_delete=True)
    topology.bind("x", "y", exchange=True)
    topology.bind("y", "z", exchange=True)
    topology.bind("z", "a")
    delete_queue(topology.client, "a")
    assert not {"x", "y", "z"} & set(topology.vhost.exchanges)


def test_an_auto_delete_exchange_lives_on_its_bindings_as_a_source(topology: Topology) -> None:
    topology.queues("a")
    topology.exchange("x", "fanout", auto_delete=True)
    topology.bind("amq.fanout", "x", exchange=True)
    topology.unbind("amq.fanout", "x", exchange=True)
    assert "x" in topology.vhost.exchanges
    topology.bind("x", "a")
    topology.bind("x", "a", "second")
    topology.unbind("x", "a")
    assert "x" in topology.vhost.exchanges
    topology.unbind("x", "a", "second")
    assert "x" not in topology.vhost.exchanges
