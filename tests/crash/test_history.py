"""The crash test's judge is judged: true histories pass, and each kind of broken promise is found."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support import crash_definitions
from tests.support.crash_definitions import Definitions
from tests.support.crash_history import Found, History

Contents = dict[str, list[Found]]


def found(*message_ids: str, redelivered: bool = True, intact: bool = True) -> list[Found]:
    return [Found(each, redelivered, intact) for each in message_ids]


def told() -> History:
    """m1 to m3 confirmed, m4 not, all for queue a; m1 for b too.  m2 and m3 were delivered, m3 acknowledged."""
    history = History()
    history.publish("p", "m1", ["a", "b"])
    for message_id in ("m2", "m3", "m4"):
        history.publish("p", message_id, ["a"])
    for message_id in ("m1", "m2", "m3"):
        history.confirm(message_id)
    history.deliver("a", "m2", redelivered=False)
    history.deliver("a", "m3", redelivered=False)
    history.acknowledge("c", "a", "m3")
    return history


@pytest.mark.parametrize("a", [("m1", "m2"), ("m1", "m2", "m3"), ("m1", "m2", "m4"), ("m1", "m2", "m3", "m4")])
def test_what_may_be_there_may_be_there(a: tuple[str, ...]) -> None:
    assert told().check({"a": found(*a), "b": found("m1")}) == []


@pytest.mark.parametrize(
    ("contents", "problem"),
    [
        ({"a": found("m1"), "b": found("m1")}, "a: m2 was confirmed and not acknowledged, and is lost"),
        ({"a": found("m1", "m2")}, "b: m1 was confirmed and not acknowledged, and is lost"),
        ({"a": found("m1", "m2", "m2"), "b": found("m1")}, "a: m2 is there twice"),
        ({"a": found("m2", "m1"), "b": found("m1")}, "a: m1 is behind a message that was published later"),
        ({"a": found("m1", "m2", "m4", "m3"), "b": found("m1")}, "a: m3 is behind a message"),
        ({"a": found("m1", "m2"), "b": found("m1", "m2")}, "b: m2 is there, but was settled long ago or never sent"),
        ({"a": found("m1", "m2"), "b": found("m1"), "c": found("m1")}, "c: m1 is there, but was settled"),
        ({"a": found("m1", "m2", redelivered=False), "b": found("m1")}, "a: m2 was delivered before but is not marked"),
        ({"a": found("m1", "m2"), "b": found("m1", intact=False)}, "b: m1 has another body"),
    ],
)
def test_broken_promises_are_found(contents: Contents, problem: str) -> None:
    problems = told().check(contents)
    assert len(problems) == 1
    assert problems[0].startswith(problem)


def test_a_transient_message_must_be_gone() -> None:
    history = History()
    history.publish("p", "m1", ["a"], persistent=False)
    history.confirm("m1")
    assert history.check({"a": []}) == []
    assert history.check({"a": found("m1")}) == ["a: m1 is there although it is transient"]


def flushed_on_the_same_connection(history: History) -> None:
    history.publish("c", "fence", ["f"])
    history.confirm("fence")


def flushed_after_an_answer(history: History) -> None:
    history.answered("c", history.acknowledged_count("c"))
    history.publish("p", "later", ["f"])
    history.confirm("later")


def published_on_another_connection(history: History) -> None:
    history.publish("p", "later", ["f"])
    history.confirm("later")


def answered_after_the_publish(history: History) -> None:
    history.publish("p", "later", ["f"])
    history.answered("c", history.acknowledged_count("c"))
    history.confirm("later")


def never_confirmed(history: History) -> None:
    history.publish("c", "fence", ["f"])


@pytest.mark.parametrize(
    ("event", "is_flushed"),
    [
        (flushed_on_the_same_connection, True),
        (flushed_after_an_answer, True),
        (published_on_another_connection, False),
        (answered_after_the_publish, False),
        (never_confirmed, False),
    ],
)
def test_when_an_acknowledgement_is_known_to_be_flushed(event: Callable[[History], None], is_flushed: bool) -> None:
    history = told()
    event(history)
    fence = [message_id for message_id in ("fence", "later") if message_id in history.entries["f"]]
    problems = history.check({"a": found("m1", "m2", "m3"), "b": found("m1"), "f": found(*fence)})
    assert problems == (["a: m3 is there although its acknowledgement was flushed"] if is_flushed else [])


def test_acknowledgements_behind_the_fence_are_not_flushed_by_it() -> None:
    history = told()
    history.publish("c", "fence", ["f"])
    history.acknowledge("c", "a", "m2")
    history.confirm("fence")
    assert history.check({"a": found("m1", "m2"), "b": found("m1"), "f": found("fence")}) == []
    assert history.flushed_count == 1


def test_deliveries_are_judged_at_once() -> None:
    history = told()
    history.deliver("a", "m2", redelivered=True)
    history.deliver("a", "m3", redelivered=True)
    history.deliver("a", "m1", redelivered=True)
    history.deliver("b", "m1", redelivered=False, intact=False)
    history.deliver("b", "m9", redelivered=False)
    history.confirm("m1")
    assert history.check({"a": found("m1", "m2"), "b": found("m1")}) == [
        "a: m2 was delivered twice",
        "a: m3 was delivered again after its acknowledgement",
        "a: m1 should have been delivered for the first time",
        "b: m1 was delivered with another body",
        "b: m9 was delivered but is not in that queue",
        "m1 was confirmed twice, or never published",
    ]


def test_a_message_given_back_comes_again_as_redelivered() -> None:
    history = told()
    history.requeue("a", "m2")
    history.deliver("a", "m2", redelivered=False)
    assert history.violations == ["a: m2 should have been delivered as redelivered"]


def moved(*, requested: bool) -> History:
    """A transaction that takes m1 from `in` and puts n1 into `left` and n2 into `right`."""
    history = History()
    history.publish("p", "m1", ["in"])
    history.confirm("m1")
    history.deliver("in", "m1", redelivered=False)
    transaction = history.begin()
    history.acknowledge("mover", "in", "m1", transaction)
    history.publish("mover", "n1", ["left"], transaction=transaction)
    history.publish("mover", "n2", ["right"], transaction=transaction)
    if requested:
        history.commit(transaction)
    return history


BEFORE: Contents = {"in": found("m1")}
AFTER: Contents = {"left": found("n1"), "right": found("n2")}


def test_a_transaction_may_be_applied_or_not_until_it_is_answered() -> None:
    assert moved(requested=True).check(BEFORE) == []
    assert moved(requested=True).check(AFTER) == []
    assert moved(requested=False).check(BEFORE) == []


@pytest.mark.parametrize(
    "contents",
    [
        {"in": found("m1"), "left": found("n1")},
        {"in": found("m1"), "left": found("n1"), "right": found("n2")},
        {"left": found("n1")},
        {},
    ],
)
def test_a_transaction_in_part_is_found(contents: Contents) -> None:
    problems = moved(requested=True).check(contents)
    assert any("a transaction was applied in part" in problem for problem in problems)


def test_a_transaction_without_its_commit_is_found() -> None:
    problems = moved(requested=False).check(AFTER)
    assert any("a transaction was applied without its commit" in problem for problem in problems)


def test_a_transaction_that_was_answered_is_applied() -> None:
    history = moved(requested=True)
    history.committed(history._transactions[0])
    assert history.check(AFTER) == []
    problems = history.check(BEFORE)
    assert sorted(problems) == [
        "in: m1 is there although its acknowledgement was flushed",
        "left: n1 was confirmed and not acknowledged, and is lost",
        "right: n2 was confirmed and not acknowledged, and is lost",
    ]


def test_what_was_rolled_back_never_appears() -> None:
    history = moved(requested=False)
    history.roll_back(history._transactions[0])
    assert history.check(BEFORE) == []
    problems = history.check({**BEFORE, **AFTER})
    assert len(problems) == 1
    assert "a transaction was applied without its commit" in problems[0]


def test_what_was_found_once_must_be_found_again() -> None:
    history = told()
    first = {"a": found("m1", "m2", "m4"), "b": found("m1")}
    assert history.check(first) == []
    history.adopt(first)
    assert history.check(first) == []
    assert history.check({"a": found("m1", "m2"), "b": found("m1")}) == [
        "a: m4 was confirmed and not acknowledged, and is lost"
    ]
    assert history.check({**first, "a": found("m1", "m2", "m3", "m4")}) == [
        "a: m3 is there, but was settled long ago or never sent to this queue"
    ]


def test_definitions() -> None:
    there, asked, going, gone = (crash_definitions.queue(name) for name in ("there", "asked", "going", "gone"))
    definitions = Definitions()
    for each in (there, asked, going, gone):
        definitions.ask(each)
    for each in (there, going, gone):
        definitions.made(each)
    for each in (going, gone):
        definitions.ask(each)
    definitions.removed(gone)
    assert definitions.check([there]) == []
    assert definitions.check([there, asked, going]) == []
    assert definitions.check([]) == ["queue there was declared and is lost"]
    assert definitions.check([there, gone]) == ["queue gone was deleted or never declared, and is there"]
    definitions.adopt([there, going])
    assert definitions.check([there]) == ["queue going was declared and is lost"]
