"""What each exchange type matches (A.6 Types)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.conformance.scenario import Workbench, drain, send, synchronise


def matches(
    bench: Workbench, channel: BlockingChannel, kind: str, binding_key: str, routing_key: str, **bind: object
) -> bool:
    """Whether a message with this routing key reaches a queue bound with that key."""
    exchange = bench.exchange(channel, kind)
    queue = bench.queue(channel)
    channel.queue_bind(queue, exchange, binding_key, **bind)
    send(channel, exchange, routing_key, b"message")
    synchronise(channel)
    return drain(channel, queue) == [b"message"]


@pytest.mark.parametrize(
    ("binding_key", "routing_key", "matched"),
    [
        ("key", "key", True),
        ("key", "Key", False),
        ("key", "key.more", False),
        ("", "", True),
        ("", "key", False),
        ("*", "key", False),
        ("#", "key", False),
    ],
)
def test_direct_matches_the_exact_key(
    bench: Workbench, channel: BlockingChannel, binding_key: str, routing_key: str, matched: bool
) -> None:
    assert matches(bench, channel, "direct", binding_key, routing_key) is matched


@pytest.mark.parametrize("routing_key", ["", "bound", "something else"])
def test_fanout_ignores_the_key(bench: Workbench, channel: BlockingChannel, routing_key: str) -> None:
    assert matches(bench, channel, "fanout", "bound", routing_key)


TOPICS: Mapping[str, tuple[list[str], list[str]]] = {
    "a.b.c": (["a.b.c"], ["a.b", "a.b.c.d", "a.b.C", "a..c"]),
    "*": (["a"], ["", "a.b"]),
    "*.b": (["a.b", ".b"], ["b", "a.b.c", "a.a.b"]),
    "a.*.c": (["a.b.c", "a..c"], ["a.c", "a.b.b.c"]),
    "a.*": (["a.b", "a."], ["a", "a.b.c"]),
    "*.*": (["a.b", "."], ["a", "", "a.b.c"]),
    "#": (["", "a", "a.b.c", ".."], []),
    "a.#": (["a", "a.b", "a.b.c", "a."], ["", "b", "b.a"]),
    "#.c": (["c", "a.c", "a.b.c", ".c"], ["", "c.a"]),
    "a.#.c": (["a.c", "a.b.c", "a.b.b.c", "a..c"], ["a", "c", "a.c.d"]),
    "#.b.#": (["b", "a.b", "b.c", "a.b.c", "a.a.b.c.c"], ["", "a", "a.c"]),
    "*.#": (["a", "a.b"], [""]),
    "#.*": (["a", "a.b"], [""]),
    "*.#.*": (["a.b", "a.b.c"], ["a", ""]),
    "#.a.#.a": (["a.a", "b.a.b.a"], ["a", "a.a.b"]),
    "": ([""], ["a", "."]),
    "a.b*": (["a.b*"], ["a.b", "a.bc"]),
    "a.#b": (["a.#b"], ["a.b", "a.c.b"]),
    "日本.*": (["日本.語"], ["日本"]),
}
"""Binding keys with the routing keys that they match and those that they don't."""


@pytest.mark.parametrize("binding_key", TOPICS, ids=lambda key: key or "empty")
def test_topic_patterns(bench: Workbench, channel: BlockingChannel, binding_key: str) -> None:
    exchange = bench.exchange(channel, "topic")
    queue = bench.bound_queue(channel, exchange, binding_key)
    matching, other = TOPICS[binding_key]
    for key in [*matching, *other]:
        send(channel, exchange, key, key.encode())
    synchronise(channel)
    assert drain(channel, queue) == [key.encode() for key in matching]


def test_topic_patterns_of_one_queue_deliver_once(bench: Workbench, channel: BlockingChannel) -> None:
    exchange = bench.exchange(channel, "topic")
    queue = bench.bound_queue(channel, exchange, "#", "a.*", "a.b", "*.b")
    send(channel, exchange, "a.b", b"once")
    assert drain(channel, queue) == [b"once"]


def test_topic_unbinding_one_pattern_leaves_the_others(bench: Workbench, channel: BlockingChannel) -> None:
    exchange = bench.exchange(channel, "topic")
    queue = bench.bound_queue(channel, exchange, "a.*", "a.#", "*.b")
    channel.queue_unbind(queue, exchange, "a.#")
    for key in ("a", "a.x", "x.b", "a.b.c"):
        send(channel, exchange, key, key.encode())
    assert drain(channel, queue) == [b"a.x", b"x.b"]


HEADERS = [
    ("all is the default", {"a": 1, "b": "x"}, {"a": 1, "b": "x", "c": 2}, True),
    ("all needs every header", {"x-match": "all", "a": 1, "b": "x"}, {"a": 1}, False),
    ("all compares values", {"x-match": "all", "a": 1}, {"a": 2}, False),
    ("any needs one", {"x-match": "any", "a": 1, "b": "x"}, {"b": "x"}, True),
    ("any compares values", {"x-match": "any", "a": 1, "b": "x"}, {"a": 2, "b": "y"}, False),
    ("all without arguments matches", {"x-match": "all"}, {"a": 1}, True),
    ("no arguments at all match", {}, {}, True),
    ("any without arguments never matches", {"x-match": "any"}, {"a": 1}, False),
    ("no headers match nothing", {"a": 1}, None, False),
    ("text and number differ", {"a": "1"}, {"a": 1}, False),
    ("widths of a number don't matter", {"a": 2**40}, {"a": 2**40}, True),
    ("void matches any value", {"a": None}, {"a": "anything"}, True),
    ("void needs the header", {"a": None}, {"b": 1}, False),
    ("true is not one", {"a": True}, {"a": 1}, False),
    ("nested tables compare", {"a": {"b": [1, "x"]}}, {"a": {"b": [1, "x"]}}, True),
    ("nested tables differ", {"a": {"b": [1, "x"]}}, {"a": {"b": [1, "y"]}}, False),
    ("all skips x- arguments", {"x-match": "all", "x-a": 1, "b": 1}, {"b": 1}, True),
    ("any skips x- arguments", {"x-match": "any", "x-a": 1}, {"x-a": 1}, False),
    ("all-with-x needs x- headers", {"x-match": "all-with-x", "x-a": 1, "b": 1}, {"b": 1}, False),
    ("all-with-x sees x- headers", {"x-match": "all-with-x", "x-a": 1}, {"x-a": 1}, True),
    ("any-with-x sees x- headers", {"x-match": "any-with-x", "x-a": 1, "b": 2}, {"x-a": 1}, True),
    ("any-with-x skips x-match", {"x-match": "any-with-x"}, {"x-match": "any-with-x"}, False),
]
"""Binding arguments, message headers, and whether the one matches the other."""


@pytest.mark.parametrize(("arguments", "headers", "matched"), [pytest.param(*row[1:], id=row[0]) for row in HEADERS])
def test_headers(
    bench: Workbench,
    channel: BlockingChannel,
    expected: Callable[[bool], bool],
    arguments: dict[str, object],
    headers: dict[str, object] | None,
    matched: bool,
) -> None:
    exchange = bench.exchange(channel, "headers")
    queue = bench.queue(channel)
    channel.queue_bind(queue, exchange, "ignored", arguments=arguments)
    send(channel, exchange, "another key", b"message", headers=headers)
    synchronise(channel)
    assert (drain(channel, queue) == [b"message"]) is expected(matched)


@pytest.mark.parametrize("exchange", ["amq.direct", "amq.topic", "amq.fanout", "amq.headers", "amq.match"])
def test_predeclared_exchanges_route(bench: Workbench, channel: BlockingChannel, exchange: str) -> None:
    key = bench.name("key")
    arguments = {"x-match": "all", "key": key}
    queue = bench.queue(channel)
    channel.queue_bind(queue, exchange, key, arguments=arguments)
    send(channel, exchange, key, b"message", headers={"key": key})
    synchronise(channel)
    assert drain(channel, queue) == [b"message"]
