"""Patterns of LIKE: the same answers as a matcher that tries everything, without its time."""

from __future__ import annotations

from functools import lru_cache

from hypothesis import given
from hypothesis import strategies as st

from warren.core.selectors.like import Budget, Pattern


def tries_everything(pattern: str, text: str) -> bool:
    @lru_cache(None)
    def matches(at: int, place: int) -> bool:
        if at == len(pattern):
            return place == len(text)
        if pattern[at] == "%":
            return matches(at + 1, place) or (place < len(text) and matches(at, place + 1))
        return place < len(text) and pattern[at] in ("_", text[place]) and matches(at + 1, place + 1)

    return matches(0, 0)


@given(st.text("ab%_", max_size=8), st.text("abc", max_size=12))
def test_it_says_what_trying_everything_says(pattern: str, text: str) -> None:
    assert Pattern(pattern).matches(text, Budget(10_000)) is tries_everything(pattern, text)


@given(st.text("ab%_!", max_size=8))
def test_a_text_with_all_escaped_is_like_itself_alone(text: str) -> None:
    pattern = Pattern("".join([f"!{character}" for character in text]), "!")
    assert pattern.matches(text, Budget(10_000))
    assert not pattern.matches(text + "a", Budget(10_000))


def test_what_takes_long_to_try_takes_steps_of_its_length() -> None:
    budget = Budget(1_000_000)
    assert not Pattern("%a" * 20 + "%b").matches("a" * 10_000, budget)
    assert not Pattern("%" + "a_" * 20 + "b%").matches("a" * 10_000, budget)
    assert budget.left > 900_000
