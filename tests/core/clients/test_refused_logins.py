"""Refused logins wait for their answer, not too many of them, and not when nobody is there to hear it."""

from __future__ import annotations

import pytest

from warren.core.clients.refused_logins import RefusedLogins
from warren.core.deadlines import Deadlines


class Place:
    """Sessions are names; `answered` are those that have been told, in order."""

    def __init__(self, delay_ms: int = 3000, waiting_max: int = 3) -> None:
        self.deadlines = Deadlines(_fail)
        self.full: list[int] = []
        self.refused = RefusedLogins(self.deadlines, delay_ms, waiting_max, on_full=self.full.append)
        self.answered: list[str] = []

    def refuse(self, name: str, now_ms: int = 0) -> None:
        self.refused.add(name, lambda: self.answered.append(name), now_ms)


def _fail(error: Exception) -> None:
    raise error


def test_the_answer_comes_when_the_delay_is_over() -> None:
    place = Place()
    place.refuse("a", 10)
    place.deadlines.run(3009)
    assert (place.answered, len(place.refused)) == ([], 1)
    place.deadlines.run(3010)
    assert (place.answered, len(place.refused)) == (["a"], 0)


def test_beyond_the_bound_who_waited_longest_is_answered() -> None:
    place = Place()
    for name in "abcde":
        place.refuse(name)
    assert place.answered == ["a", "b"]
    assert place.full == [3, 3], "each is told of"
    assert (len(place.refused), len(place.deadlines)) == (3, 3)
    place.deadlines.run(3000)
    assert place.answered == ["a", "b", "c", "d", "e"]


def test_who_leaves_frees_its_place() -> None:
    place = Place()
    for name in "abc":
        place.refuse(name)
    place.refused.forget("b")
    place.refuse("d")
    assert place.answered == []
    place.deadlines.run(3000)
    assert place.answered == ["a", "c", "d"]
    assert len(place.deadlines) == 0


def test_answering_now() -> None:
    place = Place()
    place.refuse("a")
    assert not place.refused.answer_now("b")
    assert place.refused.answer_now("a")
    assert not place.refused.answer_now("a")
    assert (place.answered, len(place.deadlines)) == (["a"], 0)


@pytest.mark.parametrize(("delay_ms", "waiting_max"), [(0, 3), (3000, 0)])
def test_nobody_waits_without_a_delay_or_a_place(delay_ms: int, waiting_max: int) -> None:
    place = Place(delay_ms, waiting_max)
    place.refuse("a")
    assert (place.answered, len(place.deadlines)) == (["a"], 0)
