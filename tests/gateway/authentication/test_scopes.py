"""What scopes allow."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warren.gateway.authentication.oauth2.claims import SCOPES_MAX, WrongToken, name_of, scopes_of
from warren.gateway.authentication.oauth2.scopes import Scopes, matches, read_scopes
from warren.gateway.authentication.settings.oauth2 import OAuth2Settings

PATTERNS = [
    ("*", "", True),
    ("*", "anything", True),
    ("", "", True),
    ("", "a", False),
    ("abc", "abc", True),
    ("abc", "abcd", False),
    ("a*", "a", True),
    ("a*", "ba", False),
    ("*a", "aba", True),
    ("*a", "ab", False),
    ("a*a", "a", False),
    ("a*a", "aa", True),
    ("a*b*c", "axxbxxc", True),
    ("a*b*c", "axxcxxb", False),
    ("**", "x", True),
    ("%2F", "/", True),
    ("%2A", "*", True),
    ("%2A", "x", False),
    ("a+b", "a b", True),
    ("a%2Bb", "a+b", True),
    ("ü*", "über", False),
    ("%C3%BC*", "über", True),
]


@pytest.mark.parametrize(("pattern", "text", "expected"), PATTERNS)
def test_a_pattern(pattern: str, text: str, expected: bool) -> None:
    assert matches(pattern, text, "/") is (expected if pattern != "ü*" else text.startswith("ü"))


@given(st.lists(st.sampled_from("ab*"), max_size=8).map("".join), st.text("ab", max_size=10))
def test_patterns_mean_what_they_say(pattern: str, text: str) -> None:
    import re

    meaning = ".*".join(re.escape(part) for part in pattern.split("*"))
    assert matches(pattern, text, "/") == bool(re.fullmatch(meaning, text))


def allowed(*texts: str, prefix: str = "", **claims: object) -> Scopes:
    return read_scopes(texts, prefix, claims)


def test_verbs_vhosts_names_and_keys() -> None:
    scopes = allowed("read:%2F/q*", "write:prod-*/x/a.*", "configure:*/own")
    assert scopes.may_enter("/")
    assert scopes.may_enter("prod-1")
    assert scopes.may_use("/", "queue", "read")
    assert not scopes.may_use("/", "queue", "write")
    assert not scopes.may_use("prod-1", "queue", "read")
    assert scopes.may_use("prod-1", "x", "write")
    assert scopes.may_use_topic("prod-1", "x", "a.b", "write")
    assert not scopes.may_use_topic("prod-1", "x", "b.a", "write")
    assert scopes.may_use("anywhere", "own", "configure")
    assert not scopes.may_use_topic("/", "q", "any.key", "read"), "a scope without a key has none, as in RabbitMQ"


def test_only_scopes_with_the_prefix_count_and_tags_come_from_them() -> None:
    scopes = allowed("burrow.read:*/*", "write:*/*", "burrow.tag:monitoring", "tag:administrator", prefix="burrow.")
    assert scopes.tags == {"monitoring"}
    assert scopes.may_use("/", "q", "read")
    assert not scopes.may_use("/", "q", "write")


@pytest.mark.parametrize("text", ["read", "read:", "read:a", "read:a/b/c/d", "READ:*/*", "delete:*/*", ":*/*", ""])
def test_what_cant_be_read_allows_nothing(text: str) -> None:
    scopes = allowed(text)
    assert scopes.allowed == ()
    assert not scopes.may_enter("")


def test_variables() -> None:
    scopes = allowed("read:{vhost}/{sub}-*", "write:*/{unknown}", "write:*/{number}", sub="al*ce", number=7)
    assert scopes.may_use("any/where", "al*ce-1", "read")
    assert not scopes.may_use("/", "alice-1", "read"), "a claim's value is no pattern"
    assert scopes.may_use("/", "unknown", "write")
    assert scopes.may_use("/", "number", "write")


def test_a_claim_with_a_slash_makes_no_other_scope() -> None:
    assert not allowed("read:*/{sub}", sub="x/y").may_use("/", "x", "read")
    assert allowed("read:*/{sub}", sub="x/y").may_use("/", "x/y", "read")


SETTINGS = OAuth2Settings(
    resource_server_id="burrow",
    additional_scopes_key="roles realm_access.roles",
    scope_aliases=(("reader", "burrow.read:*/* burrow.tag:management"),),
)

CLAIMS: list[object] = [
    {"scope": "openid burrow.read:*/*"},
    {"scope": ["burrow.read:*/*", 7, None]},
    {"roles": ["burrow.read:*/*"]},
    {"roles": "burrow.read:*/* other"},
    {"roles": {"burrow": ["read:*/*"], "other": ["write:*/*"]}},
    {"realm_access": {"roles": ["burrow.read:*/*"]}},
    {"authorization": {"permissions": [{"scopes": ["burrow.read:*/*"]}, {"rsid": 1}, 3]}},
    {"scope": "reader"},
]


@pytest.mark.parametrize("claims", CLAIMS, ids=str)
def test_where_scopes_come_from(claims: dict[str, object]) -> None:
    scopes = scopes_of(claims, SETTINGS)
    assert scopes.may_use("/", "q", "read")
    assert not scopes.may_use("/", "q", "write")


@pytest.mark.parametrize("value", [None, 7, True, {}, {"a": 1}, [[["burrow.read:*/*"]]], {"burrow": {"burrow": []}}])
@pytest.mark.parametrize("claim", ["scope", "roles", "realm_access", "authorization"])
def test_claims_of_other_kinds_allow_nothing(claim: str, value: object) -> None:
    assert not scopes_of({claim: value}, SETTINGS).allowed


def test_too_many_scopes_are_refused() -> None:
    with pytest.raises(WrongToken, match="more than 2048"):
        scopes_of({"scope": [f"burrow.read:*/{number}" for number in range(SCOPES_MAX + 1)]}, SETTINGS)


def test_names() -> None:
    assert name_of({"sub": "s", "client_id": "c", "email": "e"}, ()) == "s"
    assert name_of({"sub": "s", "client_id": "c", "email": "e"}, ("missing", "email")) == "e"
    assert name_of({"client_id": "c", "sub": 7}, ()) == "c"
    assert name_of({}, ("email",)) == "unknown"
