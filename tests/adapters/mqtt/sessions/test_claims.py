"""Claims of client identifiers among simulated nodes: one connection stays, whatever the order of words."""

from __future__ import annotations

import random

import pytest

from tests.support.core_broker import core_broker, core_client
from warren.adapters.mqtt.sessions.claims import WAIT_MS, Asked, Claims, Found, Move
from warren.adapters.mqtt.sessions.holder import Counted
from warren.adapters.mqtt.sessions.session import MqttSession
from warren.adapters.mqtt.sessions.subscription import MqttSubscription
from warren.adapters.mqtt.sessions.world import MqttWorld
from warren.core.access.answers import Unanswered
from warren.core.broker import Broker
from warren.core.errors import AccessRefused


class Connection:
    """A client's connection; a Holder."""

    name = "test"

    def __init__(self, node: Node, *, clean: bool, expiry_s: int) -> None:
        self.node = node
        self.clean = clean
        self.expiry_s = expiry_s
        self.state = "connecting"
        self.was_there = False
        self.session: MqttSession

    def try_in(self) -> None:
        """As Login and Connection do it."""
        node = self.node
        try:
            node.claims.claim("/", "c", "guest", clean=self.clean)
        except Unanswered as unanswered:
            unanswered.then(self.try_in)
            return
        except AccessRefused:
            self.state = "refused"
            return
        user = node.broker.users["guest"]
        self.session, self.was_there = node.registry.attach(
            self, "c", user=user, clean_start=self.clean, expiry_s=self.expiry_s
        )
        self.was_there |= node.claims.adopt(node.registry, self.session, core_client(node.broker))
        self.state = "in"

    def taken_over(self) -> None:
        self.state = "taken over"
        self.session.detach()

    def force_close(self, reason: str) -> None:
        raise AssertionError(reason)

    def rights_withdrawn(self, what: str) -> None:
        raise AssertionError(what)

    def traffic(self) -> Counted:
        return Counted(0, 0, 0)


class Node:
    """One of them."""

    def __init__(self, name: str) -> None:
        def component(broker: Broker) -> MqttWorld:
            world = MqttWorld(broker)
            self.claims: Claims = world.claim_by(name)
            return world

        self.name = name
        self.broker = core_broker(components={"mqtt": component})
        self.moves: list[Move] = []
        self.claims.move = self.moves.append
        world = self.broker.components["mqtt"]
        assert isinstance(world, MqttWorld)
        self.registry = world.of(self.broker.vhosts["/"])

    def connect(self, *, clean: bool = False, expiry_s: int = 60) -> Connection:
        connection = Connection(self, clean=clean, expiry_s=expiry_s)
        connection.try_in()
        return connection


class Cluster:
    """Nodes and what is on its way between them."""

    def __init__(self, count: int = 3, seed: int = 0) -> None:
        self.random = random.Random(seed)
        self.nodes = {name: Node(name) for name in "abc"[:count]}
        self.under_way: list[tuple[str, str, Asked | tuple[int, Found | None, str]]] = []
        for name, node in self.nodes.items():
            node.claims.set_nodes(set(self.nodes) - {name})

    def step(self) -> bool:
        """Deliver a word, any of those that are on their way."""
        for name, node in self.nodes.items():
            for asked in node.claims.to_say():
                self.under_way += [(name, other, asked) for other in self.nodes if other != name]
        if not self.under_way:
            return False
        source, target, word = self.under_way.pop(self.random.randrange(len(self.under_way)))
        claims = self.nodes[target].claims
        if isinstance(word, Asked):
            found = claims.asked(source, word)
            if not word.is_held:
                self.under_way.append((target, source, (word.stamp, found, word.client_id)))
        else:
            stamp, answer, client_id = word
            if answer is None:
                claims.nothing(source, stamp, "/", client_id)
            else:
                claims.answered(source, stamp, answer, is_last=True)
        return True

    def settle(self) -> None:
        while self.step():
            pass


@pytest.mark.parametrize("seed", range(100))
def test_one_connection_stays_of_several_at_once(seed: int) -> None:
    cluster = Cluster(seed=seed)
    connections = []
    for _ in range(cluster.random.randrange(2, 6)):
        connections.append(cluster.random.choice(list(cluster.nodes.values())).connect())
        for _ in range(cluster.random.randrange(4)):
            cluster.step()
    cluster.settle()
    states = [each.state for each in connections]
    assert states.count("in") == 1
    assert "connecting" not in states


def test_a_session_goes_on_at_another_node() -> None:
    cluster = Cluster()
    a, b = cluster.nodes["a"], cluster.nodes["b"]
    first = a.connect()
    cluster.settle()
    first.session.subscribe(core_client(a.broker), MqttSubscription("t/#", "t/#", qos=1))
    second = b.connect()
    cluster.settle()
    assert (first.state, second.state, second.was_there) == ("taken over", "in", True)
    assert list(second.session.subscriptions) == ["t/#"]
    (move,) = b.moves
    assert (move.node, move.is_wanted) == ("a", True)
    a.claims.bound("b", move.stamp[0], "/", "c")
    a.claims.moved("b", move.stamp[0], "/", "c")
    assert a.registry.sessions == {}


def test_what_is_said_late_of_a_move_ends_no_session_that_came_back() -> None:
    cluster = Cluster()
    a, b = cluster.nodes["a"], cluster.nodes["b"]
    a.connect()
    cluster.settle()
    b.connect()
    cluster.settle()
    (move,) = b.moves
    third = a.connect()
    cluster.settle()
    assert third.state == "in"
    assert not move.is_wanted
    a.claims.moved("b", move.stamp[0], "/", "c")
    assert not third.session.ended


def test_a_clean_start_ends_the_session_everywhere() -> None:
    cluster = Cluster()
    a, b = cluster.nodes["a"], cluster.nodes["b"]
    a.connect()
    cluster.settle()
    second = b.connect(clean=True)
    cluster.settle()
    assert not second.was_there
    assert a.registry.sessions == {}


def test_a_node_that_does_not_answer_is_waited_for_a_while_or_until_it_is_gone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    cluster = Cluster()
    a = cluster.nodes["a"]
    first = a.connect()
    a.claims.tick(WAIT_MS - 1)
    assert first.state == "connecting"
    a.claims.tick(WAIT_MS)
    assert first.state == "in"
    assert "the nodes b, c haven't said" in caplog.text
    second = a.connect()
    a.claims.set_nodes([])
    assert (first.state, second.state) == ("taken over", "in")


def test_who_was_let_in_twice_while_nodes_were_apart_stays_once() -> None:
    cluster = Cluster(2)
    a, b = cluster.nodes["a"], cluster.nodes["b"]
    for node in (a, b):
        node.claims.set_nodes([])
    first, second = a.connect(), b.connect()
    assert (first.state, second.state) == ("in", "in")
    a.claims.set_nodes(["b"])
    b.claims.set_nodes(["a"])
    cluster.settle()
    assert sorted([first.state, second.state]) == ["in", "taken over"]
