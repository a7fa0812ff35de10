"""Publisher confirms against a simple model: each publish has a state, and is told about exactly once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from warren.core.clients.confirms import Confirms


def test_unstored_publishes_are_confirmed_at_once_and_together() -> None:
    confirms = Confirms()
    assert confirms.now() is None
    confirms.add(stored=False)
    confirms.add(stored=False)
    assert confirms.now() == 2
    assert confirms.now() is None
    confirms.add(stored=False)
    assert confirms.now() == 3


def test_a_stored_publish_holds_back_those_behind_it() -> None:
    confirms = Confirms()
    confirms.add(stored=True)
    confirms.add(stored=False)
    assert confirms.waits
    assert confirms.now() is None
    assert confirms.flushed(confirms.mark()) == 2
    assert not confirms.waits


def test_a_flush_confirms_what_it_covers_and_unstored_ones_behind() -> None:
    confirms = Confirms()
    confirms.add(stored=True)
    mark = confirms.mark()
    confirms.add(stored=False)
    assert confirms.flushed(mark) == 2


def test_a_flush_does_not_confirm_what_was_stored_after_it_began() -> None:
    confirms = Confirms()
    confirms.add(stored=True)
    mark = confirms.mark()
    confirms.add(stored=False)
    confirms.add(stored=True)
    assert confirms.flushed(mark) == 1, "2 waits behind nothing, but confirms are cumulative and 3 is not on disk"
    assert confirms.waits
    assert confirms.flushed(confirms.mark()) == 3


def test_flushes_that_bring_no_news_say_nothing() -> None:
    confirms = Confirms()
    confirms.add(stored=True)
    mark = confirms.mark()
    assert confirms.flushed(mark) == 1
    assert confirms.flushed(mark) is None
    assert confirms.flushed(0) is None


def test_a_refused_publish_is_never_the_end_of_a_confirm() -> None:
    confirms = Confirms()
    assert confirms.refuse() == 1
    assert confirms.now() is None
    confirms.add(stored=False)
    assert confirms.refuse() == 3
    assert confirms.now() == 2
    assert confirms.now() is None
    confirms.add(stored=False)
    assert confirms.now() == 4
    assert confirms._refused == set()


STEPS = st.lists(st.sampled_from(["plain", "stored", "refused", "batch", "begin", "finish"]), max_size=60)


@given(STEPS)
def test_everything_is_told_once_and_not_before_it_is_on_disk(steps: list[str]) -> None:
    confirms = Confirms()
    on_disk: dict[int, bool] = {}
    refused: set[int] = set()
    told: set[int] = set()
    flushes: list[tuple[int, int]] = []
    number = 0
    before = 0

    def tell(up_to: int | None) -> None:
        nonlocal before
        if up_to is None:
            return
        assert up_to not in refused
        covered = {each for each in range(before + 1, up_to + 1) if each not in refused}
        assert covered, "a confirm that confirms nothing"
        assert not covered & told
        assert all(on_disk[each] for each in covered)
        told.update(covered)
        before = up_to

    for step in [*steps, "begin", *["finish"] * 60, "batch"]:
        if step in ("plain", "stored"):
            number += 1
            on_disk[number] = step == "plain"
            confirms.add(stored=step == "stored")
        elif step == "refused":
            number += 1
            refused.add(number)
            assert confirms.refuse() == number
        elif step == "batch":
            tell(confirms.now())
        elif step == "begin":
            flushes.append((confirms.mark(), number))
        elif flushes:
            mark, covers = flushes.pop(0)
            on_disk.update((each, True) for each in on_disk if each <= covers)
            tell(confirms.flushed(mark))
    assert told == set(on_disk)
    assert not confirms.waits


def test_a_late_publish_holds_back_those_behind_it() -> None:
    confirms = Confirms()
    confirms.add(stored=False)
    late = confirms.add_late(stored=True)
    confirms.add(stored=False)
    assert confirms.now() is None
    assert confirms.flushed(confirms.mark()) == 1
    assert not confirms.waits
    confirms.add(stored=False)
    assert confirms.now() is None
    assert confirms.answered(late, taken=True) == 4


def test_a_late_refusal_is_passed_over() -> None:
    confirms = Confirms()
    first, second = confirms.add_late(stored=False), confirms.add_late(stored=False)
    assert confirms.now() is None
    assert confirms.answered(second, taken=False) is None
    assert confirms.answered(first, taken=True) == 1
    confirms.add(stored=False)
    assert confirms.now() == 3


def test_a_late_answer_does_not_overtake_the_disk() -> None:
    confirms = Confirms()
    late = confirms.add_late(stored=True)
    assert confirms.answered(late, taken=True) is None
    assert confirms.waits
    assert confirms.flushed(confirms.mark()) == 1


def test_late_answers_in_any_order_confirm_in_order() -> None:
    confirms = Confirms()
    numbers = [confirms.add_late(stored=False) for _ in range(4)]
    assert confirms.now() is None
    assert confirms.answered(numbers[2], taken=True) is None
    assert confirms.answered(numbers[0], taken=True) == 1
    assert confirms.answered(numbers[1], taken=False) == 3
    assert confirms.answered(numbers[3], taken=True) == 4
