"""Which bindings an upstream exchange is told to have, step by step."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

from warren.core.exchanges.binding import Binding
from warren.core.exchanges.fanout import FanoutExchange
from warren.core.messages.field_table import decode_table, encode_table
from warren.plugins.federation.bindings import BindingMirror, Wanted
from warren.plugins.federation.ways import Place

DOWN = Place("down", "/")
UP = Place("up", "/")
ALL = 1_000_000


def binding(key: str, arguments: dict[str, Any] | None = None, target: str = "t") -> Binding:
    given = arguments or {}
    return Binding("x", FanoutExchange(target), key, given, encode_table(given))


def mirror(*bindings: Binding, max_hops: int = 1) -> BindingMirror:
    made = BindingMirror(DOWN, "x", max_hops, bindings)
    made.begin(UP)
    return made


def changes(of: BindingMirror) -> tuple[list[str], list[str]]:
    """The keys that are bound and unbound."""
    while of.work_off(1):
        pass
    bound: list[Wanted] = []
    unbound: list[Wanted] = []
    while of.has_changes:
        some = of.take_changes(2)
        bound += some[0]
        unbound += some[1]
    return keys(bound), keys(unbound)


def keys(of: Iterable[Wanted]) -> list[str]:
    return sorted(each.routing_key for each in of)


def test_those_that_are_alike_are_one() -> None:
    one, two = binding("k", target="one"), binding("k", target="two")
    tried = mirror(one, two)
    assert changes(tried) == (["k"], [])
    tried.unbound([one])
    assert changes(tried) == ([], [])
    tried.unbound([two])
    assert changes(tried) == ([], ["k"])
    tried.unbound([two])
    assert changes(tried) == ([], [])


def test_what_comes_and_goes_between_two_looks_is_nothing() -> None:
    tried = mirror()
    brief = binding("k")
    tried.bound(brief)
    tried.unbound([brief])
    assert changes(tried) == ([], [])
    stays = binding("k")
    tried.bound(stays)
    assert changes(tried) == (["k"], [])
    tried.unbound([stays])
    tried.bound(binding("k"))
    assert changes(tried) == ([], [])


def test_arguments_tell_bindings_apart() -> None:
    tried = mirror(binding("k", {"a": 1}), binding("k", {"a": 2}), binding("k", {"a": 1}, "other"))
    assert changes(tried) == (["k", "k"], [])


def test_a_new_start_binds_everything_anew() -> None:
    tried = mirror(binding("k"), binding("l"))
    gone = binding("gone")
    tried.bound(gone)
    assert changes(tried) == (["gone", "k", "l"], [])
    tried.unbound([gone])
    tried.begin(UP)
    assert changes(tried) == (["k", "l"], [])


def test_another_upstream_is_reckoned_anew() -> None:
    passed = binding("k", {"x-bound-from": [{"cluster-name": "up", "vhost": "/", "exchange": "x", "hops": 5}]})
    tried = mirror(passed, binding("l"), max_hops=9)
    assert changes(tried) == (["l"], []), "it came from there"
    late = binding("m")
    tried.bound(late)
    tried.begin(Place("third", "/"))
    assert changes(tried) == (["k", "l", "m"], [])
    tried.unbound([passed])
    assert changes(tried) == ([], ["k"])
    tried.begin(UP)
    assert changes(tried) == (["l", "m"], [])


def test_what_comes_and_goes_while_the_link_is_down_leaves_nothing() -> None:
    tried = mirror(binding("stays"))
    assert changes(tried) == (["stays"], [])
    for number in range(100):
        brief = binding(str(number))
        tried.bound(brief)
        tried.unbound([brief])
        tried.work_off(4)
    assert not tried.has_news


def test_what_has_come_too_far_stays() -> None:
    tired = binding("k", {"x-bound-from": [{"cluster-name": "far", "vhost": "/", "exchange": "x", "hops": 1}]})
    tried = mirror(tired, max_hops=9)
    assert changes(tried) == ([], [])
    tried.unbound([tired])
    assert changes(tried) == ([], [])


def test_the_arguments_say_where_from() -> None:
    tried = mirror(binding("k", {"a": 1}))
    tried.work_off(ALL)
    ((wanted,), _) = tried.take_changes(ALL)
    assert decode_table(wanted.arguments_raw, 0)[0] == {
        "a": 1,
        "x-bound-from": [{"cluster-name": "down", "vhost": "/", "exchange": "x", "hops": 1}],
    }


def test_some_are_made_again_in_turn() -> None:
    tried = mirror(*(binding(key) for key in "abc"))
    assert changes(tried) == (["a", "b", "c"], [])
    assert len(tried) == 3
    assert [keys(tried.some_there(2)) for _ in range(3)] == [["a", "b"], ["a", "c"], ["b", "c"]]


def test_at_random_the_upstream_has_what_is_here() -> None:
    chance = random.Random(12)
    here: list[Binding] = []
    tried = mirror()
    there: set[str] = set()
    for _ in range(500):
        if here and chance.random() < 0.5:
            tried.unbound([here.pop(chance.randrange(len(here)))])
        else:
            here.append(binding(chance.choice("abcdef")))
            tried.bound(here[-1])
        if chance.random() < 0.05:
            tried.begin(chance.choice((UP, Place("third", "/"))))
            there.clear()
        if chance.random() < 0.3:
            bound, unbound = changes(tried)
            assert not there & set(bound)
            assert set(unbound) <= there
            there = (there | set(bound)) - set(unbound)
            assert there == {each.routing_key for each in here}
            assert len(tried) == len(there)
