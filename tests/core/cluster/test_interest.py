"""Interest of simulated nodes, over a network that loses, doubles and reorders: in the end all know what there is."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from warren.core.cluster import interest as interest_module
from warren.core.cluster.interest import Ask, Beat, Interest, OthersInterest, OwnInterest, Snapshot, Update, Word

INTERESTS = [Interest("/", exchange, key) for exchange in ("x", "y") for key in ("a", "b", "c", "d")]


class SimulatedNode:
    """One node: its own queues' bindings, and what it has heard; `seen` is kept by what it was told of changes."""

    def __init__(self, name: str, epoch: int, others: set[str]) -> None:
        self.name = name
        self.own = OwnInterest(name, epoch)
        self.others = OthersInterest(name, self._changed)
        self.bound: list[Interest] = []
        self.seen: dict[str, set[Interest]] = {other: set() for other in others}

    def _changed(self, node: str, added: frozenset[Interest], removed: frozenset[Interest]) -> None:
        seen = self.seen.setdefault(node, set())
        assert not added & seen, "told twice that it is there"
        assert removed <= seen, "told that something goes which wasn't there"
        seen |= added
        seen -= removed


class Cluster:
    """Nodes and what is on its way between them."""

    def __init__(self, seed: int, lossy: bool) -> None:
        self.random = random.Random(seed)
        self.lossy = lossy
        self.nodes: dict[str, SimulatedNode] = {}
        self.on_the_way: list[tuple[str, Word]] = []
        self.epoch = 0
        self.words = 0

    def join(self, name: str) -> None:
        self.leave(name)
        self.epoch += 1
        node = SimulatedNode(name, self.epoch, set(self.nodes))
        self.nodes[name] = node
        self.say(name, node.own.beat())
        for other in self.nodes.values():
            for one, of in ((node, other.name), (other, name)):
                if (ask := one.others.came(of)) is not None:
                    self.say(one.name, ask)

    def leave(self, name: str) -> None:
        if self.nodes.pop(name, None) is not None:
            for node in self.nodes.values():
                node.others.gone(name)

    def say(self, by: str, word: Word) -> None:
        self.words += 1
        for name in self.nodes:
            if name != by and not (isinstance(word, Ask) and word.asked != name):
                times = self.random.choices((0, 1, 2), (2, 7, 1))[0] if self.lossy else 1
                self.on_the_way += [(name, word)] * times

    def deliver(self, count: int) -> None:
        for _ in range(min(count, len(self.on_the_way))):
            name, word = self.on_the_way.pop(self.random.randrange(len(self.on_the_way)))
            node = self.nodes.get(name)
            if node is None:
                continue
            if isinstance(word, Ask):
                for part in node.own.snapshot():
                    self.say(name, part)
            elif (ask := node.others.take(word)) is not None:
                self.say(name, ask)

    def change(self) -> None:
        node = self.random.choice(list(self.nodes.values()))
        if node.bound and self.random.random() < 0.4:
            gone = node.bound.pop(self.random.randrange(len(node.bound)))
            node.own.unbound(gone)
        else:
            new = self.random.choice(INTERESTS)
            node.bound.append(new)
            node.own.bound(new)

    def flush(self) -> None:
        for node in list(self.nodes.values()):
            for update in node.own.updates():
                self.say(node.name, update)

    def settle(self) -> int:
        """The network is well from now on; how many rounds of beats it took until nobody asked for anything."""
        self.lossy = False
        self.flush()
        for rounds in range(1, 10):
            for node in list(self.nodes.values()):
                self.say(node.name, node.own.beat())
            before = self.words
            while self.on_the_way:
                self.deliver(1)
            if self.words == before:
                return rounds
        raise AssertionError("they never come to rest")

    def publish(self, at: str, interest: Interest) -> Counter[str]:
        """Which nodes a publish goes to, how often, by what the publisher's node was told."""
        node = self.nodes[at]
        return Counter(other for other, seen in node.seen.items() if interest in seen)

    def check(self) -> None:
        for node in self.nodes.values():
            for other in self.nodes.values():
                if other is not node:
                    assert node.others.interests(other.name) == other.own.interests == frozenset(other.bound)
            for interest in INTERESTS:
                right = {each.name for each in self.nodes.values() if each is not node and interest in each.bound}
                assert self.publish(node.name, interest) == Counter(right)


@given(st.integers(0, 1 << 30), st.integers(2, 6), st.booleans())
@settings(max_examples=200, deadline=None)
def test_in_the_end_exactly_the_right_nodes_get_a_publish_once(seed: int, count: int, lossy: bool) -> None:
    cluster = Cluster(seed, lossy)
    for number in range(count):
        cluster.join(f"n{number}")
    for _ in range(60):
        step = cluster.random.random()
        if step < 0.5:
            cluster.change()
        elif step < 0.7:
            cluster.flush()
        elif step < 0.94:
            cluster.deliver(cluster.random.randrange(8))
        elif step < 0.97 or len(cluster.nodes) < 2:
            cluster.join(f"n{cluster.random.randrange(count + 1)}")
        else:
            cluster.leave(cluster.random.choice(list(cluster.nodes)))
    assert cluster.settle() <= 4
    cluster.check()


@pytest.mark.parametrize("part", [1, 3])
def test_snapshots_in_parts(monkeypatch: pytest.MonkeyPatch, part: int) -> None:
    monkeypatch.setattr(interest_module, "PART_MAX", part)
    cluster = Cluster(1, lossy=True)
    for name in ("a", "b", "c"):
        cluster.join(name)
    for _ in range(100):
        cluster.change()
    cluster.flush()
    cluster.join("d")
    cluster.settle()
    cluster.check()


def test_what_comes_and_goes_between_two_words_is_not_told() -> None:
    own = OwnInterest("a", 1)
    own.bound(INTERESTS[0])
    own.bound(INTERESTS[0])
    own.bound(INTERESTS[1])
    own.unbound(INTERESTS[1])
    (update,) = own.updates()
    assert update == Update("a", 1, 1, frozenset(INTERESTS[:1]), frozenset())
    own.unbound(INTERESTS[0])
    assert own.updates() == []
    own.unbound(INTERESTS[0])
    assert [each.removed for each in own.updates()] == [{INTERESTS[0]}]
    assert own.interests == frozenset()
    assert not own.is_anything_new


def test_an_earlier_start_of_a_node_counts_no_more() -> None:
    told: list[tuple[frozenset[Interest], frozenset[Interest]]] = []
    others = OthersInterest("b", lambda node, added, removed: told.append((added, removed)))
    assert others.take(Update("a", 4, 1, frozenset(INTERESTS), frozenset())) is None
    assert others.came("a") == Ask("b", "a")
    assert others.came("a") is None
    one, two = frozenset(INTERESTS[:1]), frozenset(INTERESTS[1:2])
    assert others.take(Update("a", 5, 1, one, frozenset())) is None
    assert others.take(Beat("a", 6, 0)) == Ask("b", "a")
    assert others.interests("a") == frozenset()
    assert others.take(Update("a", 5, 2, two, frozenset())) is None
    assert others.take(Snapshot("a", 6, 1, 0, 1, two)) is None
    assert others.interests("a") == two
    others.gone("a")
    assert others.take(Update("a", 6, 2, one, frozenset())) is None
    assert others.interests("a") == frozenset()
    assert told == [(one, frozenset()), (frozenset(), one), (two, frozenset()), (frozenset(), two)]


def test_a_word_of_ones_own_is_nothing() -> None:
    others = OthersInterest("a", lambda node, added, removed: None)
    assert others.came("a") is None
    assert others.take(Update("a", 1, 9, frozenset(INTERESTS), frozenset())) is None


def test_too_many_early_updates_are_forgotten() -> None:
    others = OthersInterest("b", lambda node, added, removed: None)
    others.came("a")
    for number in range(2, interest_module.EARLY_MAX + 4):
        assert others.take(Update("a", 1, number, frozenset(), frozenset())) == Ask("b", "a")
    assert others.take(Snapshot("a", 1, 200, 0, 1, frozenset(INTERESTS))) is None
    assert others.interests("a") == frozenset(INTERESTS)


def test_fifty_nodes_settle_in_two_rounds() -> None:
    cluster = Cluster(7, lossy=False)
    for number in range(50):
        cluster.join(f"n{number}")
    for _ in range(500):
        cluster.change()
    assert cluster.settle() <= 2
    cluster.check()
