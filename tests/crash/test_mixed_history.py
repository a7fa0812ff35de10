"""The judge of the mixed crash test is judged: true histories pass, and each kind of broken promise is named."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.crash.mixed.content import content_of, key_in
from tests.crash.mixed.history import MixedHistory

PLACES = ("a", "b")

ONE, TWO, THREE = "p~1~5", "p~2~5", "p~3~5"


def published(*keys: str, confirmed: bool = True) -> MixedHistory:
    """These are published by p, for a and b."""
    history = MixedHistory()
    for key in keys:
        history.publish("p", key, PLACES)
        if confirmed:
            history.confirm(key)
    return history


def deliver(history: MixedHistory, place: str, *keys: str, redelivered: bool = False) -> None:
    for key in keys:
        history.deliver(place, key, redelivered=redelivered, intact=True)


def settle(history: MixedHistory, place: str, *keys: str) -> None:
    """Acknowledge them, and have an answer."""
    for key in keys:
        history.acknowledge(place, key)
    history.answered(place, history.acknowledged_count(place))


def read(history: MixedHistory, *keys: str, first: int = 0) -> None:
    for offset, key in enumerate(keys, first):
        history.read("a", offset, key, intact=True)


def test_a_true_history_is_found_to_be_true() -> None:
    history = published(ONE, TWO, THREE)
    deliver(history, "a", ONE, TWO, THREE)
    deliver(history, "b", ONE)
    settle(history, "a", ONE, TWO)
    history.publish("q", "q~1~5", PLACES)
    history.confirm("q~1~5")
    assert history.proven["a"] == 2
    history.restarted()
    deliver(history, "a", THREE, redelivered=True)
    deliver(history, "a", "q~1~5", redelivered=True)
    deliver(history, "b", ONE, redelivered=True)
    deliver(history, "b", TWO, THREE, "q~1~5")
    assert history.finish() == []


def test_what_was_not_confirmed_may_be_lost() -> None:
    history = published(ONE, confirmed=False)
    history.restarted()
    history.publish("p", TWO, PLACES)
    history.confirm(TWO)
    deliver(history, "a", TWO)
    deliver(history, "b", TWO)
    assert history.finish() == []
    assert history.behind("a", "p") == 0


def lost(history: MixedHistory) -> None:
    deliver(history, "b", ONE)


def lost_and_overtaken(history: MixedHistory) -> None:
    deliver(history, "a", TWO)
    deliver(history, "b", ONE)


def out_of_order(history: MixedHistory) -> None:
    history.publish("p", THREE, PLACES)
    history.publish("p", "p~4~5", PLACES)
    deliver(history, "a", ONE, TWO, "p~4~5", THREE)
    deliver(history, "b", ONE, TWO)


def confirmed_when_a_later_one_has_come(history: MixedHistory) -> None:
    history.publish("p", THREE, PLACES)
    history.publish("p", "p~4~5", PLACES)
    deliver(history, "a", ONE, TWO, "p~4~5")
    deliver(history, "b", ONE, TWO, THREE)
    history.confirm(THREE)


def twice(history: MixedHistory) -> None:
    deliver(history, "a", ONE, ONE, TWO)
    deliver(history, "b", ONE, TWO)


def unmarked(history: MixedHistory) -> None:
    deliver(history, "a", ONE, TWO)
    deliver(history, "b", ONE, TWO)
    history.restarted()
    deliver(history, "a", ONE)


def back(history: MixedHistory) -> None:
    deliver(history, "a", ONE, TWO)
    deliver(history, "b", ONE, TWO)
    settle(history, "a", ONE)
    history.publish("q", "q~1~5", ())
    history.confirm("q~1~5")
    history.restarted()
    deliver(history, "a", ONE, TWO, redelivered=True)


def twice_of_qos_2(history: MixedHistory) -> None:
    deliver(history, "a", ONE, TWO)
    deliver(history, "b", ONE, TWO)
    history.restarted()
    history.deliver("a", ONE, redelivered=True, intact=True, once=True)


def changed(history: MixedHistory) -> None:
    deliver(history, "a", ONE, TWO)
    deliver(history, "b", ONE, TWO)
    history.restarted()
    history.deliver("a", TWO, redelivered=True, intact=False)


def unknown(history: MixedHistory) -> None:
    deliver(history, "a", ONE, TWO, "p~9~5")
    deliver(history, "b", ONE, TWO)


def confirmed_twice(history: MixedHistory) -> None:
    deliver(history, "a", ONE, TWO)
    deliver(history, "b", ONE, TWO)
    history.confirm(ONE)


def hole(history: MixedHistory) -> None:
    deliver(history, "b", ONE, TWO)
    read(history, ONE)
    read(history, TWO, first=2)


def doubled_offset(history: MixedHistory) -> None:
    deliver(history, "b", ONE, TWO)
    read(history, ONE, TWO)
    read(history, TWO, first=1)


def another_at_its_offset(history: MixedHistory) -> None:
    deliver(history, "b", ONE, TWO)
    read(history, ONE, TWO)
    history.restarted()
    read(history, TWO)


def twice_in_a_stream(history: MixedHistory) -> None:
    deliver(history, "b", ONE, TWO)
    read(history, ONE, TWO, ONE)


def out_of_order_in_a_stream(history: MixedHistory) -> None:
    history.publish("p", THREE, PLACES)
    history.publish("p", "p~4~5", PLACES)
    deliver(history, "b", ONE, TWO)
    read(history, ONE, TWO, "p~4~5", THREE)


def lost_of_a_stream(history: MixedHistory) -> None:
    deliver(history, "b", ONE, TWO)
    read(history, ONE)


def changed_in_a_stream(history: MixedHistory) -> None:
    deliver(history, "b", ONE, TWO)
    read(history, ONE, TWO)
    history.restarted()
    history.read("a", 1, TWO, intact=False)


def forgotten_publishing_ids(history: MixedHistory) -> None:
    deliver(history, "b", ONE, TWO)
    read(history, ONE, TWO)
    history.knows("a", "p", 2, 2)
    history.knows("a", "p", 2, 1)


def publishing_ids_that_nobody_used(history: MixedHistory) -> None:
    deliver(history, "b", ONE, TWO)
    read(history, ONE, TWO)
    history.knows("a", "p", 2, 3)


@pytest.mark.parametrize(
    ("fault", "problem"),
    [
        (lost, "a: p~1~5 was confirmed, and never came"),
        (lost_and_overtaken, "a: p~1~5 was confirmed, and p~2~5 has come in its stead"),
        (out_of_order, "a: p~3~5 came behind a later one"),
        (confirmed_when_a_later_one_has_come, "a: p~3~5 was confirmed, and a later one has come in its stead"),
        (twice, "a: p~1~5 came twice, without a restart in between"),
        (unmarked, "a: p~1~5 came again, and isn't marked as redelivered"),
        (back, "a: p~1~5 came again, though its acknowledgement was on disk"),
        (twice_of_qos_2, "a: p~1~5 is of QoS 2, and came twice"),
        (changed, "a: p~2~5 came with another body"),
        (unknown, "a: p~9~5 came, which nobody has published"),
        (confirmed_twice, "p~1~5 was confirmed twice, or never sent"),
        (hole, "a: offset 2 came where 1 should have"),
        (doubled_offset, "a: offset 1 came where 2 should have"),
        (another_at_its_offset, "a: offset 0 was p~1~5, and is p~2~5 now"),
        (twice_in_a_stream, "a: p~1~5 is in the stream twice"),
        (out_of_order_in_a_stream, "a: p~3~5 came behind a later one"),
        (lost_of_a_stream, "a: p~2~5 was confirmed, and never came"),
        (changed_in_a_stream, "a: p~2~5 came with another body"),
        (forgotten_publishing_ids, "a: it knows of p up to 1, who has confirms up to 2 and has sent up to 2"),
        (publishing_ids_that_nobody_used, "a: it knows of p up to 3, who has confirms up to 2 and has sent up to 2"),
    ],
)
def test_broken_promises_are_named(fault: Callable[[MixedHistory], None], problem: str) -> None:
    history = published(ONE, TWO)
    fault(history)
    assert problem in history.finish()


def published_before_the_answer(history: MixedHistory) -> None:
    history.acknowledge("a", ONE)
    history.publish("q", "q~1~5", ())
    history.answered("a", 1)
    history.confirm("q~1~5")


def never_answered(history: MixedHistory) -> None:
    history.acknowledge("a", ONE)
    history.publish("q", "q~1~5", ())
    history.confirm("q~1~5")


def never_confirmed(history: MixedHistory) -> None:
    settle(history, "a", ONE)
    history.publish("q", "q~1~5", ())


def confirmed_by_a_stream(history: MixedHistory) -> None:
    settle(history, "a", ONE)
    history.publish("q", "q~1~5", (), proves=False)
    history.confirm("q~1~5")


def confirmed_behind_a_restart(history: MixedHistory) -> None:
    settle(history, "a", ONE)
    history.publish("q", "q~1~5", ())
    history.restarted()
    history.acknowledge("a", TWO)
    history.confirm("q~1~5")


@pytest.mark.parametrize(
    "event",
    [
        published_before_the_answer,
        never_answered,
        never_confirmed,
        confirmed_by_a_stream,
        confirmed_behind_a_restart,
    ],
)
def test_an_acknowledgement_that_is_not_proven_may_be_lost(event: Callable[[MixedHistory], None]) -> None:
    history = published(ONE, TWO)
    deliver(history, "a", ONE, TWO)
    deliver(history, "b", ONE, TWO)
    event(history)
    history.restarted()
    deliver(history, "a", ONE, TWO, redelivered=True)
    assert history.finish() == []
    assert not history.proven["a"]


def test_what_was_sent_again_may_be_there_twice() -> None:
    history = published(ONE, confirmed=False)
    deliver(history, "a", ONE)
    history.restarted()
    history.again(ONE, PLACES)
    deliver(history, "a", ONE, redelivered=True)
    deliver(history, "a", ONE)
    history.confirm(ONE)
    settle(history, "a", ONE, ONE)
    history.publish("q", "q~1~5", ())
    history.confirm("q~1~5")
    deliver(history, "a", ONE)
    deliver(history, "b", ONE, ONE)
    assert history.finish() == []


def test_what_was_sent_again_may_be_twice_in_some_places_and_not_in_others() -> None:
    history = published(ONE, TWO)
    history.again(ONE, ("a",))
    deliver(history, "b", ONE, TWO, ONE)
    read(history, ONE, TWO, ONE)
    assert history.finish() == ["b: p~1~5 came twice, without a restart in between"]


def test_a_stream_is_read_again_from_anywhere() -> None:
    history = published(ONE, TWO, THREE)
    deliver(history, "b", ONE, TWO, THREE)
    read(history, ONE, TWO)
    history.restarted()
    read(history, TWO, THREE, first=1)
    history.restarted()
    read(history, ONE, TWO, THREE)
    assert history.finish() == []
    assert history.came["a"] == 3


@pytest.mark.parametrize("key", ["p~1~0", "mqtt-2~31~4000"])
def test_content_says_whether_it_is_whole(key: str) -> None:
    content = content_of(key)
    assert key_in(content) == (key, True)
    assert key_in(content + b"x") == (key, False)
    assert key_in(content[:-1])[1] is False


def test_content_that_is_no_message_s() -> None:
    assert key_in(b"") == ("", False)
    assert key_in(b"p~x~y|") == ("p~x~y", False)
