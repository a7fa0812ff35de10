"""Limits that did something are counted and shown, and the log says so once in a while."""

from __future__ import annotations

import logging

import pytest

from tests.support.core_broker import core_broker
from warren.core.errors import PreconditionFailed
from warren.core.limit_hits import limited

LOG = logging.getLogger("warren.test")


def test_counting() -> None:
    hits = core_broker().limit_hits
    hits.count("one")
    hits.count("one", 4)
    hits.count("two", 0)
    hits.count_error(limited(PreconditionFailed("too much"), "three"))
    hits.count_error(PreconditionFailed("something else"))
    hits.count_error(ValueError("a bug"))
    assert {name: each.times for name, each in hits.by_limit.items()} == {"one": 5, "three": 1}
    assert (hits.of("one"), hits.of("two")) == (5, 0)


def test_the_log_says_it_once_a_minute_of_each(caplog: pytest.LogCaptureFixture) -> None:
    broker = core_broker()
    hits = broker.limit_hits
    for second in range(61):
        broker.now_ms = second * 1000
        hits.warn("frobs", "a", LOG, "%s: too many frobs", "a", times=3)
        hits.warn("frobs", "b", LOG, "%s: too many frobs", "b", times=0)
    assert hits.of("frobs") == 183
    lines = [record.getMessage() for record in caplog.records]
    assert lines == ["a: too many frobs", "a: too many frobs (59 more times since the last such line)"]


def test_they_are_listed() -> None:
    broker = core_broker()
    broker.now_ms = 1000
    broker.limit_hits.count("frobs", 7)
    broker.limit_hits.count("a", 1)
    assert broker.inspect("limit_hits", None) == [
        {"limit": "a", "count": 1, "last_at": 1000},
        {"limit": "frobs", "count": 7, "last_at": 1000},
    ]
