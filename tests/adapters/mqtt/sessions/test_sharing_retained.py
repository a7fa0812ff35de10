"""Retained messages of simulated nodes over a bucket that is away at times: in the end all have what it has."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from tests.support.core_broker import core_broker
from warren.adapters.mqtt.sessions.sharing_retained import Change, SharedRetained, key_of
from warren.adapters.mqtt.sessions.world import MqttWorld
from warren.core.broker import Broker
from warren.core.messages.address import Address
from warren.core.messages.message import Message
from warren.core.messages.properties import EMPTY, encode_properties
from warren.core.storage.definitions.memory import MemoryDefinitionStore

TOPICS = [f"t/{number}" for number in range(5)]


class Bucket:
    """What all write to, and read in order."""

    def __init__(self) -> None:
        self.values: dict[str, tuple[bytes | None, int]] = {}
        self.log: list[tuple[str, bytes | None, int]] = []

    def write(self, change: Change) -> int:
        value, revision = self.values.get(change.key, (None, 0))
        if change.value is None and (value is None or change.only_at not in (-1, revision)):
            return 0
        revision = len(self.log) + 1
        self.values[change.key] = change.value, revision
        self.log.append((change.key, change.value, revision))
        return revision


class Node:
    """One of them, over all its starts."""

    def __init__(self, bucket: Bucket) -> None:
        self.bucket = bucket
        self.store = MemoryDefinitionStore()
        self.start()

    def start(self) -> None:
        def component(broker: Broker) -> MqttWorld:
            world = MqttWorld(broker)
            self.shared: SharedRetained = world.share()
            return world

        self.broker = core_broker(self.store, components={"mqtt": component})
        self.retained = self.broker.components["mqtt"].of(self.broker.vhosts["/"]).retained  # type: ignore[attr-defined]
        self.read = 0
        self.connect()

    def connect(self) -> None:
        """A watch begins anew: all keys as they are, by revision."""
        self.shared.begins_anew()
        for key, (value, revision) in sorted(self.bucket.values.items(), key=lambda each: each[1][1]):
            if value is not None:
                self.shared.entry(key, value, revision)
        self.shared.caught_up()
        self.read = len(self.bucket.log)

    def hear(self, count: int = 1) -> None:
        for key, value, revision in self.bucket.log[self.read : self.read + count]:
            self.shared.entry(key, value, revision)
            self.read += 1

    def say(self, then: Callable[[Change], int | None]) -> None:
        for change in self.shared.to_write():
            revision = then(change)
            if revision is None:
                self.shared.again(change)
            else:
                self.shared.done(change, revision)

    def put(self, topic: str, body: bytes, lifetime_ms: int | None = None) -> bool:
        properties = EMPTY if lifetime_ms is None else encode_properties(expiration=str(lifetime_ms))
        message = Message(0, Address("amq.topic", topic), properties, body, 0, len(body), 0, self.broker.now_ms)
        return bool(self.retained.put(topic, message))

    @property
    def has(self) -> dict[str, bytes]:
        return {topic: message.body for topic, message in self.retained.match(["#"])}


def settle(bucket: Bucket, nodes: list[Node]) -> None:
    for _ in range(4):
        for node in nodes:
            node.say(bucket.write)
        for node in nodes:
            node.hear(len(bucket.log))


@pytest.mark.parametrize("seed", range(60))
def test_all_have_the_same_in_the_end(seed: int) -> None:
    chance = random.Random(seed)
    bucket = Bucket()
    nodes = [Node(bucket) for _ in range(3)]
    for step in range(120):
        node = chance.choice(nodes)
        what = chance.random()
        if what < 0.4:
            node.put(chance.choice(TOPICS), b"" if chance.random() < 0.3 else b"%d" % step)
        elif what < 0.6:
            node.hear(chance.randrange(4))
        elif what < 0.75:
            node.say(bucket.write)
        elif what < 0.85:
            # It is written, and nobody hears of that; or it isn't.
            node.say(lambda change: bucket.write(change) and None if chance.random() < 0.5 else None)
        elif what < 0.93:
            node.connect()
        else:
            node.start()
    settle(bucket, nodes)
    assert all(node.shared.is_settled for node in nodes)
    assert nodes[0].has == nodes[1].has == nodes[2].has
    there = {key for key, (value, _) in bucket.values.items() if value is not None}
    assert there == {key_of("/", topic) for topic in nodes[0].has}
    for node in nodes:
        before = node.has
        node.start()
        assert node.has == before
        assert node.shared.is_settled


def test_what_was_cleared_while_a_node_was_away_is_gone_there() -> None:
    bucket = Bucket()
    here, away = Node(bucket), Node(bucket)
    here.put("t", b"1")
    settle(bucket, [here, away])
    assert away.has == {"t": b"1"}
    here.put("t", b"")
    here.say(bucket.write)
    away.start()
    assert away.has == {}


def test_what_a_node_had_before_there_was_a_cluster_is_everywhere() -> None:
    bucket = Bucket()
    old = Node(bucket)
    old.retained.shared = None
    old.put("old", b"1")
    old.put("both", b"old")
    other = Node(bucket)
    other.put("both", b"new")
    settle(bucket, [other])
    old.start()
    settle(bucket, [old, other])
    assert old.has == other.has == {"old": b"1", "both": b"new"}


def test_expiry_clears_the_bucket_only_where_it_is_still_what_has_expired() -> None:
    bucket = Bucket()
    one, two = Node(bucket), Node(bucket)
    one.put("t", b"short", lifetime_ms=100)
    settle(bucket, [one, two])
    two.put("t", b"lasting")
    two.say(bucket.write)
    for node in (one, two):
        node.broker.advance(200)
        node.broker.end_turn()
    settle(bucket, [one, two])
    assert one.has == two.has == {"t": b"lasting"}


def test_values_that_cannot_be_read_are_left_out(caplog: pytest.LogCaptureFixture) -> None:
    bucket = Bucket()
    node = Node(bucket)
    for value in (b"{", b"[]", b'{"vhost": "/", "topic": "other"}'):
        node.shared.entry(key_of("/", "t"), value, 1)
    assert caplog.text.count("can't be read") == 3
    assert node.has == {}


def test_a_virtual_host_may_come_later() -> None:
    bucket = Bucket()
    one, two = Node(bucket), Node(bucket)
    one.put("t", b"1")
    one.say(bucket.write)
    vhost = two.broker.vhosts.pop("/")
    two.hear()
    two.broker.vhosts["/"] = vhost
    two.shared.look()
    assert two.has == {"t": b"1"}
