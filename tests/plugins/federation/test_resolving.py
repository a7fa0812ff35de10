"""Which upstreams a policy means."""

from __future__ import annotations

from typing import Any

import pytest

from warren.plugins.federation.resolving import Upstreams, is_federated
from warren.plugins.federation.upstream import read_set, read_upstream


@pytest.fixture
def upstreams() -> Upstreams:
    found = Upstreams()
    for name in ("one", "two", "other"):
        found.upstreams[name] = read_upstream(name, {"uri": f"amqp://{name}.example"})
    found.sets["both"] = read_set([{"upstream": "two", "exchange": "there"}, {"upstream": "one"}, {"upstream": "gone"}])
    return found


@pytest.mark.parametrize(
    ("policy", "meant"),
    [
        ({}, []),
        ({"message-ttl": 1}, []),
        ({"federation-upstream": "one"}, ["one"]),
        ({"federation-upstream": "none"}, []),
        ({"federation-upstream-set": "both"}, ["two", "one"]),
        ({"federation-upstream-set": "none"}, []),
        ({"federation-upstream-set": "all"}, ["one", "two", "other"]),
        ({"federation-upstream-pattern": "^o"}, ["one", "other"]),
        ({"federation-upstream-pattern": "w"}, ["two"]),
        ({"federation-upstream-pattern": "^x"}, []),
    ],
)
def test_what_a_policy_means(upstreams: Upstreams, policy: dict[str, Any], meant: list[str]) -> None:
    assert [each.name for each in upstreams.of(policy)] == meant
    assert is_federated(policy) == any(key.startswith("federation") for key in policy)


def test_a_set_overrides(upstreams: Upstreams) -> None:
    two, one = upstreams.of({"federation-upstream-set": "both"})
    assert (two.exchange, one.exchange) == ("there", None)
    assert upstreams.upstreams["two"].exchange is None


def test_a_set_that_is_called_all_is_that(upstreams: Upstreams) -> None:
    upstreams.sets["all"] = read_set([{"upstream": "one"}])
    assert [each.name for each in upstreams.of({"federation-upstream-set": "all"})] == ["one"]


@pytest.mark.parametrize(
    ("policy", "missing"),
    [
        ({"federation-upstream": "one"}, None),
        ({"federation-upstream": "none"}, "there is no upstream 'none'"),
        ({"federation-upstream-set": "all"}, None),
        ({"federation-upstream-set": "none"}, "there is no upstream set 'none'"),
        ({"federation-upstream-set": "both"}, "the upstream set 'both' names 'gone', which isn't there"),
        ({"federation-upstream-pattern": "^x"}, None),
    ],
)
def test_what_is_missing(upstreams: Upstreams, policy: dict[str, Any], missing: str | None) -> None:
    assert upstreams.missing(policy) == missing
