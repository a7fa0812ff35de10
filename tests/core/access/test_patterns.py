"""What the regular expressions of permissions match (spec G)."""

from __future__ import annotations

import pytest

from warren.core.access.patterns import (
    ANSWERS_CHARACTERS_MAX,
    ANSWERS_MAX,
    COMPILED_CHARACTERS_MAX,
    COMPILED_MAX,
    VALUES_CHARACTERS_MAX,
    Patterns,
    check_pattern,
    expand,
)
from warren.core.errors import PreconditionFailed


def matches(pattern: str, name: str, **variables: str) -> bool:
    return Patterns().matches(pattern, variables, name)


@pytest.mark.parametrize(
    ("pattern", "matching", "other"),
    [
        (".*", ["", "anything", "a\nb", "\udcff"], []),
        ("", [""], ["a", "amq.default"]),
        ("^$", [""], ["a"]),
        ("orders", ["orders", "my-orders-2"], ["order", ""]),
        ("^orders", ["orders", "orders-2"], ["my-orders"]),
        ("orders$", ["my-orders"], ["orders-2"]),
        ("^(amq\\.gen.*|amq\\.default)$", ["amq.gen-x", "amq.default"], ["amqxdefault", "x amq.default"]),
        ("^(?!secret)", ["public", ""], ["secret", "secrets"]),
        ("(?i)^ORDERS$", ["orders", "Orders"], ["order"]),
        ("^\\w+$", ["abc_1"], ["häse", "a b"]),
        ("^[a-z]{2,3}$", ["ab", "abc"], ["a", "abcd"]),
    ],
)
def test_search_semantics(pattern: str, matching: list[str], other: list[str]) -> None:
    for name in matching:
        assert matches(pattern, name), name
    for name in other:
        assert not matches(pattern, name), name


INVALID = ["(", "*", "[a", "a{2}{3}", "(?R)", "\\X", "(?P<n", "(?<=a*)b", "x" + "(" * 5000]


@pytest.mark.parametrize("pattern", INVALID)
def test_an_invalid_pattern_matches_nothing_and_is_refused_when_set(pattern: str) -> None:
    for name in ("", "a", pattern, ":"):
        assert not matches(pattern, name)
    with pytest.raises(PreconditionFailed, match="invalid regular expression"):
        check_pattern(pattern)


@pytest.mark.parametrize("pattern", ["", ".*", "^a|b$", "^{username}-{other}$", "{"])
def test_valid_patterns_pass(pattern: str) -> None:
    assert check_pattern(pattern) == pattern


def test_variables_are_put_in_literally() -> None:
    assert matches("^{username}-.*", "alice-1", username="alice")
    assert not matches("^{username}-.*", "bob-1", username="alice")
    assert matches("^{username}$", "a.b", username="a.b")
    assert not matches("^{username}$", "axb", username="a.b")
    assert not matches("^{client_id}$", "anything", client_id=".*")
    assert matches("^{client_id}$", ".*", client_id=".*")
    assert not matches("^{client_id}$", "anything", client_id="(")


def test_a_value_is_not_expanded_again() -> None:
    assert expand("{username}{vhost}", {"username": "{vhost}", "vhost": "v"}) == "\\{vhost\\}v"


def test_unknown_variables_and_quantifiers_stay() -> None:
    assert expand("a{2}{2,3}{other}{", {"username": "u"}) == "a{2}{2,3}{other}{"


def test_no_more_patterns_are_kept_than_the_limit() -> None:
    patterns = Patterns()
    for number in range(COMPILED_MAX * 2 + 10):
        assert patterns.matches("^{client_id}$", {"client_id": str(number)}, str(number))
        assert len(patterns._compiled) <= COMPILED_MAX


def test_patterns_are_compiled_once_until_there_are_too_many() -> None:
    patterns = Patterns()
    kept = patterns._compiled
    for number in range(COMPILED_MAX):
        patterns.matches("^{client_id}$", {"client_id": str(number)}, "")
        assert len(kept) == number + 1
    patterns.matches("^0$", {}, "")
    assert len(kept) == COMPILED_MAX, "it was compiled"
    patterns.matches("(", {}, "")
    assert kept == {"(": None}


def test_long_values_fill_what_is_kept_sooner() -> None:
    """A client identifier may have 65,535 characters, and whoever connects chooses it."""
    patterns = Patterns()
    client_id = "x" * (VALUES_CHARACTERS_MAX - 100)
    for number in range(COMPILED_CHARACTERS_MAX // len(client_id) + 10):
        assert patterns.matches("^{client_id}$", {"client_id": f"{number}{client_id}"}, f"{number}{client_id}")
        assert sum(map(len, patterns._compiled)) <= COMPILED_CHARACTERS_MAX
        assert sum(len(pattern) + len(name) for pattern, name in patterns._answers) <= ANSWERS_CHARACTERS_MAX
    assert 1 < len(patterns._compiled) < COMPILED_CHARACTERS_MAX // len(client_id)


@pytest.mark.parametrize("client_id", ["x" * 65_000, "." * 1100], ids=["long", "long when it is escaped"])
def test_a_value_that_is_too_long_is_found_in_nothing_and_not_compiled(
    caplog: pytest.LogCaptureFixture, client_id: str
) -> None:
    patterns = Patterns()
    for number in range(100):
        variables = {"client_id": f"{number}{client_id}"}
        assert not patterns.matches("^{client_id}$", variables, f"{number}{client_id}")
        assert not patterns.matches("^(?!{client_id})", variables, "another name"), "nor does it let anybody in"
    assert not patterns._compiled
    assert not patterns._answers
    assert patterns.too_long == 200
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 8, "the first, and whenever the count has doubled"
    assert all(len(line) < 400 for line in lines)
    assert f"values may add {VALUES_CHARACTERS_MAX}" in lines[0]


def test_only_the_values_that_a_pattern_asks_for_count() -> None:
    values = {"username": "alice", "client_id": "x" * 65_000}
    assert Patterns().matches("^{username}$", values, "alice")
    assert Patterns().matches(".*", values, "anything")
    assert Patterns().matches("^{client_id}$", {"client_id": "x" * VALUES_CHARACTERS_MAX}, "x" * VALUES_CHARACTERS_MAX)


def test_a_long_pattern_of_an_administrator_is_compiled() -> None:
    pattern = "|".join(f"^queue-{number}$" for number in range(300))
    assert len(pattern) > VALUES_CHARACTERS_MAX
    assert matches(pattern, "queue-299")


def test_a_name_is_matched_once_and_answers_are_bounded() -> None:
    patterns = Patterns()
    for _ in range(3):
        assert patterns.matches("^a", {}, "ab")
        assert not patterns.matches("^a", {}, "b")
    assert patterns._answers == {("^a", "ab"): True, ("^a", "b"): False}
    for number in range(ANSWERS_MAX * 2):
        patterns.matches("^a", {}, str(number))
        assert len(patterns._answers) <= ANSWERS_MAX


def test_long_names_fill_the_answers_sooner() -> None:
    patterns = Patterns()
    for number in range(100):
        assert not patterns.matches("^x", {}, f"{number:05}" * 10_000)
        assert sum(len(name) for _, name in patterns._answers) <= ANSWERS_CHARACTERS_MAX
    assert patterns.matches("^x", {}, "x"), "it goes on"


def test_a_client_cannot_make_an_expression_slow() -> None:
    """Of a permission that a backtracking engine needs exponential time for (issue: one PUBLISH held up everybody)."""
    patterns = Patterns()
    assert not patterns.matches("(a+)+$", {}, "a" * 60 + "!")
    assert not patterns.matches("^(?=(a+)+$)", {}, "a" * 60 + "!")
