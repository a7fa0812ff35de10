"""Which settings a policy may hold, with which values, and how those of users and operators merge (spec G)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warren.core.errors import PreconditionFailed
from warren.core.policies.settings import check_definition, merge, register, unregister
from warren.core.policy_setting import Setting
from warren.core.storage.definitions.store import JSON

TOGETHER: list[tuple[list[str], str]] = [
    (["federation-upstream", "federation-upstream-set"], "federation-upstream-set and federation-upstream together"),
    (["federation-upstream", "federation-upstream-pattern"], "federation-upstream-pattern together"),
]


@pytest.mark.parametrize(("keys", "said"), TOGETHER)
def test_what_says_the_same_in_two_ways_is_refused(keys: list[str], said: str) -> None:
    with pytest.raises(PreconditionFailed, match=said):
        check_definition(dict.fromkeys(keys, "one"), operator=False)


ACCEPTED: list[tuple[str, JSON]] = [
    ("alternate-exchange", "spare"),
    ("alternate-exchange", ""),
    ("dead-letter-exchange", "dlx"),
    ("dead-letter-routing-key", "k"),
    ("dead-letter-strategy", "at-least-once"),
    ("message-ttl", 0),
    ("message-ttl", 315_360_000_001),
    ("expires", 1),
    ("max-length", 0),
    ("max-length-bytes", 2**40),
    ("overflow", "drop-head"),
    ("overflow", "reject-publish-dlx"),
    ("delivery-limit", -1),
    ("delivery-limit", 20),
    ("delayed-retry-type", "failed"),
    ("delayed-retry-min", 1),
    ("delayed-retry-max", 1),
    ("consumer-timeout", 0),
    ("consumer-disconnected-timeout", 0),
    ("queue-leader-locator", "balanced"),
    ("initial-cluster-size", 3),
    ("target-group-size", 3),
    ("member-placement-tag", "rack"),
    ("max-age", "7D"),
    ("stream-max-segment-size-bytes", 3_000_000_000),
    ("stream-filter-size-bytes", 16),
    ("history-stream", "history"),
    ("history-stream-max-length-bytes", 2**40),
    ("history-stream-max-age", "7D"),
    ("history-stream-max-segment-size-bytes", 3_000_000_000),
    ("queue-version", 2),
    ("federation-upstream", "east"),
    ("federation-upstream-set", "all"),
    ("federation-upstream-pattern", "^e"),
    ("ha-mode", "all"),
    ("ha-params", ["a", "b"]),
    ("queue-mode", "lazy"),
    ("max-in-memory-length", 1),
]

REFUSED: list[tuple[str, JSON]] = [
    ("alternate-exchange", 1),
    ("alternate-exchange", "x" * 256),
    ("history-stream", 1),
    ("history-stream-max-length-bytes", -1),
    ("history-stream-max-age", "7"),
    ("history-stream-max-segment-size-bytes", 3_000_000_001),
    ("dead-letter-exchange", None),
    ("dead-letter-routing-key", ["k"]),
    ("dead-letter-strategy", "at-most-twice"),
    ("message-ttl", -1),
    ("message-ttl", "1000"),
    ("message-ttl", 1.5),
    ("message-ttl", True),
    ("message-ttl", 2**63),
    ("expires", 0),
    ("max-length", -1),
    ("max-length-bytes", -1),
    ("overflow", "drop-tail"),
    ("overflow", 1),
    ("delivery-limit", "20"),
    ("delayed-retry-type", "sometimes"),
    ("delayed-retry-min", 0),
    ("delayed-retry-max", 0),
    ("consumer-timeout", -1),
    ("consumer-disconnected-timeout", -1),
    ("queue-leader-locator", "nearest"),
    ("initial-cluster-size", "3"),
    ("target-group-size", 0),
    ("member-placement-tag", ""),
    ("max-age", "7"),
    ("max-age", "0D"),
    ("max-age", 7),
    ("stream-max-segment-size-bytes", 3_000_000_001),
    ("stream-filter-size-bytes", 256),
    ("queue-version", 3),
    ("queue-version", True),
    ("federation-upstream", ""),
    ("federation-upstream-set", 1),
    ("federation-upstream-pattern", "("),
]

OPERATORS = {
    "delayed-retry-max",
    "delayed-retry-min",
    "delayed-retry-type",
    "delivery-limit",
    "expires",
    "ha-mode",
    "ha-params",
    "max-in-memory-length",
    "max-length",
    "max-length-bytes",
    "member-placement-tag",
    "message-ttl",
    "overflow",
    "queue-mode",
    "queue-version",
    "target-group-size",
}


@pytest.mark.parametrize(("key", "value"), ACCEPTED)
def test_accepted(key: str, value: JSON) -> None:
    assert check_definition({key: value}, operator=False) == {key: value}


@pytest.mark.parametrize(("key", "value"), REFUSED)
def test_refused(key: str, value: JSON) -> None:
    with pytest.raises(PreconditionFailed, match=f"is not a valid .*: '{key}' must be "):
        check_definition({key: value}, operator=False)


def test_the_text_of_a_refusal() -> None:
    with pytest.raises(PreconditionFailed) as caught:
        check_definition({"max-length": -1}, operator=False)
    assert caught.value.text == "-1 is not a valid maximum length: 'max-length' must be an integer from 0"


@pytest.mark.parametrize(("key", "value"), ACCEPTED)
def test_what_operators_may_set(key: str, value: JSON) -> None:
    if key in OPERATORS:
        assert check_definition({key: value}, operator=True) == {key: value}
    else:
        with pytest.raises(PreconditionFailed, match="are not recognised policy settings of operator policies"):
            check_definition({key: value}, operator=True)


def test_unknown_settings() -> None:
    with pytest.raises(PreconditionFailed) as caught:
        check_definition({"max-lengt": 10, "max-length": 10, "frob": 1}, operator=False)
    assert caught.value.text.startswith("'max-lengt', 'frob' are not recognised policy settings; did you mean max-")


@pytest.mark.parametrize("definition", [{}, [], None, "max-length", 1])
def test_what_is_no_definition(definition: JSON) -> None:
    with pytest.raises(PreconditionFailed, match=r"no policy provided|must be a JSON object"):
        check_definition(definition, operator=False)


MERGED: list[tuple[str, JSON, JSON, JSON]] = [
    # setting, of the user, of the operator, what counts
    ("message-ttl", 10, 20, 10),
    ("message-ttl", 20, 10, 10),
    ("max-length", 5, 0, 0),
    ("max-length-bytes", 1, 2, 1),
    ("expires", 3, 2, 2),
    ("delivery-limit", 5, 3, 3),
    ("delivery-limit", -1, 3, 3),
    ("delivery-limit", 5, -1, 5),
    ("delivery-limit", -1, -2, -1),
    ("overflow", "drop-head", "reject-publish", "reject-publish"),
    ("queue-version", 1, 2, 2),
    ("target-group-size", 3, 5, 5),
    ("ha-mode", True, False, False),
]


@pytest.mark.parametrize(("key", "user", "operator", "expected"), MERGED)
def test_merging(key: str, user: JSON, operator: JSON, expected: JSON) -> None:
    assert merge({key: user}, {key: operator}) == {key: expected}


def test_what_one_alone_holds_stays() -> None:
    merged = merge({"message-ttl": 1, "dead-letter-exchange": "x"}, {"max-length": 2})
    assert list(merged.items()) == [("dead-letter-exchange", "x"), ("max-length", 2), ("message-ttl", 1)]


@given(st.integers(0), st.integers(0))
def test_an_operator_can_only_narrow(user: int, operator: int) -> None:
    for key in ("message-ttl", "max-length", "max-length-bytes", "expires", "delivery-limit"):
        assert merge({key: user}, {key: operator})[key] == min(user, operator)


def test_a_plugin_registers_a_setting() -> None:
    setting = Setting("frobs-per-node", "number of frobs", "an integer", lambda value: isinstance(value, int))
    register(setting)
    try:
        assert check_definition({"frobs-per-node": 1}, operator=False)
        with pytest.raises(PreconditionFailed, match="'a' is not a valid number of frobs"):
            check_definition({"frobs-per-node": "a"}, operator=False)
        with pytest.raises(ValueError, match="already"):
            register(Setting("frobs-per-node", "", "", lambda value: True))
    finally:
        unregister(setting)
    with pytest.raises(PreconditionFailed, match="not recognised"):
        check_definition({"frobs-per-node": 1}, operator=False)
