"""Where messages and bindings have been, and where they end."""

from __future__ import annotations

from typing import Any

import pytest

from warren.adapters.peers.errors import PeerError
from warren.core.messages.field_table import EMPTY_TABLE_RAW, Typed, decode_table, encode_table, raw_entries
from warren.plugins.federation.names import exchange_name, other, queue_name
from warren.plugins.federation.ways import Place, bound_from, hops_left, may_come

HERE = Place("down", "/")


def entry(cluster: str, vhost: str | None = "/", **others: Any) -> dict[str, Any]:
    return {"cluster-name": cluster, **({} if vhost is None else {"vhost": vhost}), **others}


@pytest.mark.parametrize(
    ("headers", "max_hops", "may"),
    [
        (None, 1, True),
        ({}, 1, True),
        ({"x-received-from": "nonsense"}, 1, True),
        ({"x-received-from": []}, 1, True),
        ({"x-received-from": [entry("up")]}, 1, False),
        ({"x-received-from": [entry("up")]}, 2, True),
        ({"x-received-from": [entry("up"), entry("down")]}, 9, False),
        ({"x-received-from": [entry("down", "other")]}, 9, True),
        ({"x-received-from": [entry("down", None)]}, 9, False),
        ({"x-received-from": ["nonsense", 1]}, 9, True),
        ({"x-received-from": ["nonsense", 1]}, 2, False),
    ],
)
def test_which_messages_may_come(headers: dict[str, Any] | None, max_hops: int, may: bool) -> None:
    assert may_come(headers, max_hops, HERE) == may


@pytest.mark.parametrize(
    ("arguments", "max_hops", "left"),
    [
        ({}, 3, 3),
        ({"x-bound-from": [entry("far", hops=1)]}, 3, 0),
        ({"x-bound-from": [entry("far", hops=2)]}, 3, 1),
        ({"x-bound-from": [entry("far", hops=9)]}, 3, 3),
        ({"x-bound-from": [entry("far", hops=9), entry("up")]}, 3, 0),
        ({"x-bound-from": [entry("up", "other", hops=9)]}, 3, 3),
        ({"x-bound-from": [entry("far", hops=-4)]}, 3, 0),
        ({"x-bound-from": [entry("far")]}, 3, 3),
        ({"x-bound-from": ["nonsense"]}, 3, 3),
        ({"x-bound-from": 1}, 3, 3),
    ],
)
def test_how_far_a_binding_goes(arguments: dict[str, Any], max_hops: int, left: int) -> None:
    assert hops_left(arguments, max_hops, Place("up", "/")) == left


def test_a_binding_says_whose_it_is_and_keeps_its_other_arguments() -> None:
    before = encode_table({"x-match": "all", "small": Typed("b", 1)})
    once = bound_from(before, HERE, "x", 2)
    assert raw_entries(once, 0)["small"] == raw_entries(before, 0)["small"]
    assert decode_table(once, 0)[0]["x-bound-from"] == [entry("down", exchange="x", hops=2)]
    assert b"\x04hopss\x00\x02" in once, "hops are a short"
    twice = bound_from(once, Place("third", "v"), "y", 1)
    assert decode_table(twice, 0)[0] == {
        "x-match": "all",
        "small": 1,
        "x-bound-from": [entry("third", "v", exchange="y", hops=1), entry("down", exchange="x", hops=2)],
    }
    for nothing in (b"", EMPTY_TABLE_RAW):
        assert decode_table(bound_from(nothing, HERE, "x", 1), 0)[0] == {
            "x-bound-from": [entry("down", exchange="x", hops=1)]
        }


def test_names_are_rabbitmqs() -> None:
    assert queue_name("x", "/", "down", "/", "x") == "federation: x -> down"
    assert queue_name("x", "/", "down", "/", "y") == "federation: x -> down:y"
    assert queue_name("x", "/", "down", "v", "x") == "federation: x -> down:v:x"
    assert exchange_name("federation: x -> down", "A") == "federation: x -> down A"
    assert (other("A"), other("B")) == ("B", "A")
    with pytest.raises(PeerError, match="more than 255 bytes"):
        queue_name("x" * 250, "/", "down", "/", "x" * 250)
