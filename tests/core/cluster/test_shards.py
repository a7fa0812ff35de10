"""Shards and nodes: evenly spread, the same from everywhere, and moved as little as may be."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from warren.core.cluster.shards import SHARDS_DEFAULT, shard_of, spread, to_claim, to_hand_over

NODES = st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=12, unique=True)
COUNTS = st.integers(1, 64)


def test_a_queue_stays_in_its_shard() -> None:
    # Changing the hash would lose every queue of a cluster that is there.
    assert [shard_of("/", name, 16) for name in ("orders", "mails", "ö")] == [4, 11, 14]
    assert shard_of("a", "bc", 1 << 60) != shard_of("ab", "c", 1 << 60)


def test_queues_are_spread() -> None:
    found = Counter(shard_of("/", f"queue.{number}", SHARDS_DEFAULT) for number in range(1600))
    assert set(found) == set(range(SHARDS_DEFAULT))
    assert max(found.values()) < 2 * min(found.values())


@given(NODES, COUNTS)
def test_every_shard_has_one_node_and_no_node_has_too_many(nodes: list[str], count: int) -> None:
    owners = spread(nodes, count)
    assert sorted(owners) == list(range(count))
    held = Counter(dict.fromkeys(nodes, 0))
    held.update(owners.values())
    assert max(held.values()) - min(held.values()) <= 1
    assert spread(nodes[::-1], count) == owners


def test_nobody_is_nobody() -> None:
    assert spread([], 16) == {}


@given(st.integers(2, 12), st.data())
def test_a_node_that_goes_moves_its_shards_and_few_others(count: int, data: st.DataObject) -> None:
    nodes = [f"n{number}" for number in range(count)]
    gone = data.draw(st.sampled_from(nodes))
    before, after = spread(nodes, 64), spread([node for node in nodes if node != gone], 64)
    own = sum(owner == gone for owner in before.values())
    moved = sum(after[shard] != owner for shard, owner in before.items())
    assert own <= moved <= 2 * own + 4


@given(NODES, COUNTS, st.data())
def test_claims_and_handing_over_come_to_what_is_wanted(nodes: list[str], count: int, data: st.DataObject) -> None:
    wanted = spread(nodes, count)
    owners = {
        shard: data.draw(st.sampled_from(nodes))
        for shard in data.draw(st.lists(st.integers(0, count - 1), unique=True))
    }
    for node in nodes:
        for shard, heir in to_hand_over(node, nodes, dict(owners), count).items():
            assert owners.pop(shard) == node
            assert heir == wanted[shard] != node
    for node in nodes:
        for shard in to_claim(node, nodes, owners, count):
            assert shard not in owners
            owners[shard] = node
    assert owners == wanted
