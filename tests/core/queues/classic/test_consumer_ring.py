"""Whose turn it is: turns, priorities, one active, one alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import pytest

from warren.core.errors import AccessRefused
from warren.core.queues.classic.consumer_ring import ConsumerRing
from warren.core.queues.consumer import Consumer

pytestmark = pytest.mark.interpreted("gives in stand-ins, which the compiled form refuses")


@dataclass(eq=False)
class Member:
    """What the ring needs of a consumer."""

    name: str
    priority: int = 0
    exclusive: bool = False
    parked: bool = True
    active: bool = True


def ring_of(*members: Member, single_active: bool = False) -> ConsumerRing:
    """All of them are in it, and can take something."""
    ring = ConsumerRing([])
    for member in members:
        ring.add(cast("Consumer", member), "queue 'q'", single_active=single_active)
        ring.resume(cast("Consumer", member))
    return ring


def turns(ring: ConsumerRing, count: int) -> str:
    """Who is served, one after the other."""
    served = ""
    for _ in range(count):
        served += cast("Member", ring.available[0]).name
        ring.next_turn()
    return served


def test_all_take_turns() -> None:
    assert turns(ring_of(Member("a"), Member("b"), Member("c")), 5) == "abcab"


def test_turns_are_among_the_most_urgent() -> None:
    ring = ring_of(Member("a"), Member("b", 2), Member("c", 2))
    assert ring.prioritised
    assert set(turns(ring, 4)) == {"b", "c"}
    for name in "bc":
        member = next(each for each in ring.members if cast("Member", each).name == name)
        ring.park(member)
        assert member.parked
    assert turns(ring, 2) == "aa"
    for member in ring.members[1:]:
        ring.remove(member)
    assert not ring.prioritised


def test_one_is_active_and_the_most_urgent_follows() -> None:
    a, b, c = Member("a"), Member("b"), Member("c", 5)
    ring = ring_of(a, b, c, single_active=True)
    assert [cast("Member", each).name for each in ring.available] == ["a"]
    assert [ring.is_active(cast("Consumer", each)) for each in (a, b, c)] == [True, False, False]
    assert ring.remove(cast("Consumer", b)) is None
    assert ring.remove(cast("Consumer", a)) is cast("Consumer", c)
    assert ring.resume(cast("Consumer", c))
    assert ring.remove(cast("Consumer", c)) is None
    assert (ring.single, list(ring.available)) == (None, [])


def test_one_alone_keeps_the_others_out() -> None:
    alone = Member("a", exclusive=True)
    ring = ring_of(alone)
    with pytest.raises(AccessRefused, match="queue 'q' in exclusive use"):
        ring.add(cast("Consumer", Member("b")), "queue 'q'", single_active=False)
    ring.remove(cast("Consumer", alone))
    assert ring.exclusive is None
    ring.add(cast("Consumer", Member("b")), "queue 'q'", single_active=False)
    with pytest.raises(AccessRefused):
        ring.add(cast("Consumer", Member("c", exclusive=True)), "queue 'q'", single_active=False)


def test_who_is_gone_is_not_resumed() -> None:
    member = Member("a")
    ring = ring_of(member)
    assert not ring.resume(cast("Consumer", member)), "it wasn't parked"
    ring.park(cast("Consumer", member))
    member.active = False
    assert not ring.resume(cast("Consumer", member))
