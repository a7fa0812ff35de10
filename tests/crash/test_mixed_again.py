"""The judge of the mixed crash test, of what a publisher sends again that its protocol tells apart, as MQTT's QoS 2.

A kill may have taken it with it after it had come: then it comes as a new one, and else it comes marked.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.crash.mixed.history import MixedHistory
from tests.crash.test_mixed_history import ONE, PLACES, TWO, deliver, published


def sent_again() -> MixedHistory:
    """Two that came before a kill, one of them confirmed; the publisher of the other one sends it again."""
    history = published(ONE)
    history.publish("p", TWO, PLACES)
    for place in PLACES:
        deliver(history, place, ONE, TWO)
    history.restarted()
    history.again(TWO, ())
    return history


@pytest.mark.parametrize("redelivered", [False, True])
def test_what_is_sent_again_was_on_disk_or_comes_as_a_new_one(redelivered: bool) -> None:
    history = sent_again()
    for place in PLACES:
        deliver(history, place, ONE, redelivered=True)
        deliver(history, place, TWO, redelivered=redelivered)
    history.confirm(TWO)
    assert history.finish() == []


def test_what_is_sent_again_may_be_lost_again() -> None:
    history = sent_again()
    deliver(history, "a", TWO)
    history.restarted()
    history.again(TWO, ())
    deliver(history, "a", TWO)
    deliver(history, "b", TWO)
    assert history.finish() == []


def sent_again_as_both(history: MixedHistory) -> None:
    deliver(history, "a", TWO)
    deliver(history, "b", TWO, redelivered=True)


def sent_again_as_both_the_other_way_round(history: MixedHistory) -> None:
    deliver(history, "a", TWO, redelivered=True)
    deliver(history, "b", TWO)


def sent_again_and_twice_in_a_place(history: MixedHistory) -> None:
    deliver(history, "a", TWO, TWO)


def unmarked_beside_what_is_sent_again(history: MixedHistory) -> None:
    deliver(history, "a", ONE)


def unmarked_behind_a_further_restart(history: MixedHistory) -> None:
    deliver(history, "a", TWO)
    history.confirm(TWO)
    history.restarted()
    deliver(history, "a", TWO)


def sent_again_and_twice_of_qos_2(history: MixedHistory) -> None:
    history.deliver("a", TWO, redelivered=False, intact=True, once=True)


@pytest.mark.parametrize(
    ("fault", "problem"),
    [
        (sent_again_as_both, "p~2~5 came again as redelivered to b, and as a new one to a"),
        (sent_again_as_both_the_other_way_round, "p~2~5 came again as redelivered to a, and as a new one to b"),
        (sent_again_and_twice_in_a_place, "a: p~2~5 came twice, without a restart in between"),
        (unmarked_beside_what_is_sent_again, "a: p~1~5 came again, and isn't marked as redelivered"),
        (unmarked_behind_a_further_restart, "a: p~2~5 came again, and isn't marked as redelivered"),
        (sent_again_and_twice_of_qos_2, "a: p~2~5 is of QoS 2, and came twice"),
    ],
)
def test_sending_again_excuses_nothing_else(fault: Callable[[MixedHistory], None], problem: str) -> None:
    history = sent_again()
    fault(history)
    assert problem in history.finish()
