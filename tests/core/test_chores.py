"""Long work in slices: one per turn, everybody in turn, and errors that end one work alone."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from tests.support.simulated_broker import SimulatedBroker
from warren.core.chores import LET_GO_PER_SLICE, Chores, let_go


def counting(seen: list[str], name: str, slices: int) -> Callable[[], bool]:
    """Work of so many slices."""

    def do_slice() -> bool:
        seen.append(name)
        return seen.count(name) < slices

    return do_slice


def failing() -> bool:
    raise RuntimeError("no")


def test_works_take_turns() -> None:
    errors: list[Exception] = []
    chores, seen = Chores(errors.append), list[str]()
    chores.add(counting(seen, "a", 3))
    chores.add(counting(seen, "b", 1))
    chores.add(counting(seen, "c", 2))
    rounds = 0
    while chores:
        chores.do_one_slice()
        rounds += 1
    assert seen == ["a", "b", "c", "a", "c", "a"]
    assert rounds == 6
    assert not errors


def test_nothing_to_do_is_no_error() -> None:
    chores = Chores(lambda error: None)
    chores.do_one_slice()
    assert not chores
    assert len(chores) == 0


def test_an_error_ends_its_work_alone() -> None:
    errors: list[Exception] = []
    chores, seen = Chores(errors.append), list[str]()
    chores.add(failing)
    chores.add(counting(seen, "a", 2))
    while chores:
        chores.do_one_slice()
    assert [str(error) for error in errors] == ["no"]
    assert seen == ["a", "a"]


def test_a_turn_does_one_slice_and_says_that_there_is_more() -> None:
    simulated = SimulatedBroker()
    seen: list[str] = []
    simulated.broker.chores.add(counting(seen, "a", 3))
    simulated.broker.chores.add(counting(seen, "b", 1))
    more = [simulated.broker.end_turn() for _ in range(4)]
    assert seen == ["a", "b", "a", "a"]
    assert more == [True, True, True, False]
    assert not simulated.broker.end_turn()
    assert len(seen) == 4


def test_what_a_slice_leaves_to_send_goes_out_in_its_turn() -> None:
    simulated = SimulatedBroker()
    client = simulated.connect()
    client.transport.take()

    def do_slice() -> bool:
        client.connection.outbox.write(b"said")
        return False

    simulated.broker.chores.add(do_slice)
    assert not simulated.broker.end_turn()
    assert client.transport.take() == b"said"


def test_an_error_in_a_turn_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    simulated = SimulatedBroker()
    simulated.broker.chores.add(failing)
    assert not simulated.broker.end_turn()
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


@pytest.mark.parametrize("kind", [list, dict])
def test_very_many_objects_are_let_go_in_turns(kind: type) -> None:
    many = 2 * LET_GO_PER_SLICE + 1
    entries = kind((number, None) for number in range(many))
    chores = Chores(lambda error: None)
    let_go(entries, chores)
    left = [len(entries)]
    while chores:
        chores.do_one_slice()
        left.append(len(entries))
    assert left == [many, many - LET_GO_PER_SLICE, 1, 0]


@pytest.mark.parametrize("kind", [list, dict])
def test_a_few_are_let_go_at_once(kind: type) -> None:
    entries = kind((number, None) for number in range(LET_GO_PER_SLICE))
    chores = Chores(lambda error: None)
    let_go(entries, chores)
    assert not entries
    assert not chores
