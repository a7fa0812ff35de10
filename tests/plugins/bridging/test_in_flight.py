"""Which messages are under way: what the source may be told of, in every order of answers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from warren.plugins.bridging.in_flight import InFlight


def in_flight(count: int) -> InFlight[int]:
    """Items 1 to count, sent under the same numbers."""
    found: InFlight[int] = InFlight()
    for number in range(1, count + 1):
        found.sent(number, number)
    return found


def test_only_a_run_from_the_oldest_on_is_done() -> None:
    items = in_flight(4)
    items.taken(2, multiple=False)
    items.taken(3, multiple=False)
    assert items.take_done() == (None, 0)
    items.taken(1, multiple=False)
    assert items.take_done() == (3, 3)
    assert items.take_done() == (None, 0)
    assert len(items) == 1
    assert items.unanswered == 1


def test_multiple_means_all_that_are_open_up_to_a_number() -> None:
    items = in_flight(5)
    items.turned_away(2, multiple=False)
    items.taken(4, multiple=True)
    assert items.take_done() == (1, 1)
    assert items.sent_again(6) == 2
    items.taken(6, multiple=False)
    assert items.take_done() == (4, 3)
    assert len(items) == 1


def test_what_is_turned_away_keeps_its_place_and_its_order() -> None:
    items = in_flight(4)
    items.turned_away(3, multiple=True)
    assert len(items.refused) == 3
    items.taken(4, multiple=False)
    assert items.take_done() == (None, 0), "4 isn't told of before those in front of it"
    assert [items.sent_again(number) for number in (5, 6, 7)] == [1, 2, 3]
    items.turned_away(5, multiple=False)
    items.taken(7, multiple=True)
    assert items.take_done() == (None, 0)
    assert items.sent_again(8) == 1
    items.taken(8, multiple=False)
    assert items.take_done() == (4, 4)


def test_an_answer_about_nothing_changes_nothing() -> None:
    items = in_flight(1)
    items.taken(7, multiple=False)
    items.turned_away(0, multiple=True)
    assert items.take_done() == (None, 0)
    assert items.unanswered == 1


@given(st.lists(st.tuples(st.integers(1, 30), st.booleans(), st.booleans()), max_size=60))
def test_every_item_is_told_of_once_and_none_before_it_is_taken(
    answers: list[tuple[int, bool, bool]],
) -> None:
    items = in_flight(20)
    number = 20
    sent = {each: each for each in range(1, 21)}
    had: set[int] = set()
    told = 0

    def tell() -> None:
        nonlocal told
        last, count = items.take_done()
        if last is not None:
            assert last == told + count
            told = last
            assert had >= set(range(1, told + 1))

    for wanted, multiple, taken in answers:
        named = [each for each in sent if each <= wanted] if multiple else [each for each in sent if each == wanted]
        if taken:
            had |= {sent[each] for each in named}
            items.taken(wanted, multiple=multiple)
        else:
            items.turned_away(wanted, multiple=multiple)
        for each in named:
            del sent[each]
        tell()
        while items.refused:
            number += 1
            sent[number] = items.sent_again(number)
    items.taken(number, multiple=True)
    had |= set(sent.values())
    tell()
    assert told == 20
    assert len(items) == items.unanswered == 0


def test_what_is_passed_over_is_let_go_in_its_turn_and_counted_apart() -> None:
    items = in_flight(2)
    items.passed_over(10)
    items.sent(3, 3)
    items.taken(1, multiple=False)
    assert (items.take_done(), items.passed) == ((1, 1), 0)
    items.taken(2, multiple=False)
    assert (items.take_done(), items.passed, len(items)) == ((10, 1), 1, 1)


def test_what_is_given_up_leaves_and_the_rest_is_told_of_without_it() -> None:
    items = in_flight(4)
    items.turned_away(2, multiple=False)
    items.turned_away(4, multiple=False, passing=True)
    assert items.give_up(2) == []
    assert items.sent_again(5) == 2
    items.turned_away(5, multiple=False)
    assert items.give_up(2) == [2], "what was turned away for the destination's sake doesn't count"
    assert [entry.item for entry in items.refused] == [4]
    items.taken(1, multiple=False)
    assert items.take_done() == (1, 1)
    items.taken(3, multiple=False)
    assert items.take_done() == (3, 1)
    assert items.sent_again(6) == 4
    items.turned_away(6, multiple=False)
    items.turned_away(6, multiple=False)
    assert items.give_up(1) == [4]
    assert items.take_done() == (None, 0)
    assert len(items) == 0
