"""Topic filters as expressions: what they match is what the filters match, said by a second account of MQTT's rules."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warren.adapters.mqtt.sessions.topics import binding_key_of, key_of
from warren.core.access.patterns import check_pattern
from warren.gateway.mosquitto.expressions import NOTHING, expression_of

WORDS = st.sampled_from(["", "a", "b", "a.b", "$x", "*", "a|b", "%2F", "ä"])
TOPICS = st.lists(WORDS, min_size=1, max_size=4).map("/".join).filter(bool)
FILTERS = st.builds(
    lambda words, rest: "/".join([*words, *rest]) or "#",
    st.lists(st.one_of(WORDS, st.just("+")), max_size=3),
    st.sampled_from([[], ["#"]]),
)


def takes(filter: str, topic: str) -> bool:
    """Whether a filter matches a topic (MQTT 5, 4.7)."""
    expected, found = filter.split("/"), topic.split("/")
    if found[0].startswith("$") and expected[0] in ("+", "#"):
        return False
    for number, word in enumerate(expected):
        if word == "#":
            return True
        if number >= len(found) or word not in ("+", found[number]):
            return False
    return len(expected) == len(found)


@given(st.lists(FILTERS, min_size=1, max_size=3), TOPICS)
def test_messages(filters: list[str], topic: str) -> None:
    expression = expression_of(filters)
    check_pattern(expression)
    assert bool(re.search(expression, key_of(topic))) == any(takes(filter, topic) for filter in filters)


@pytest.mark.parametrize(
    ("allowed", "subscription", "expected"),
    [
        ("a/+", "a/b", True),
        ("a/+", "a/+", True),
        ("a/+", "a/#", False),
        ("a/#", "a/#", True),
        ("a/#", "a/+/c", True),
        ("a/#", "a", True),
        ("a/#", "#", False),
        ("+", "#", False),
        ("+/+", "+/#", False),
        ("#", "#", True),
        ("#", "+/x", True),
        ("#", "$SYS/#", False),
        ("$SYS/#", "$SYS/broker", True),
        ("a", "+", False),
    ],
)
def test_subscriptions(allowed: str, subscription: str, expected: bool) -> None:
    """Whoever may read `allowed` may subscribe to what takes in no more."""
    assert bool(re.search(expression_of([allowed]), binding_key_of(subscription))) is expected


def test_variables_stand_in_patterns_alone() -> None:
    assert expression_of(["a/%c"]) == r"^(?:a\.%c)$"
    assert expression_of([], ["a/%c/%u", "%u-x/#"]) == r"^(?:a\.{client_id}\.{username}|{username}\-x(?:\..*)?)$"


def test_without_a_filter_nothing_is_matched() -> None:
    assert expression_of([]) == NOTHING
    assert not re.search(NOTHING, key_of("a"))
