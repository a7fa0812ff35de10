"""The heap of deadlines: order, cancelling, errors, and size."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warren.core.deadlines import COMPACTION_MIN, Deadline, Deadlines


def make() -> tuple[Deadlines, list[Exception]]:
    errors: list[Exception] = []
    return Deadlines(errors.append), errors


@pytest.fixture
def deadlines() -> Deadlines:
    """Deadlines whose callbacks are not to fail."""

    def fail(error: Exception) -> None:
        raise error

    return Deadlines(fail)


def noting(seen: list[str], name: str) -> Callable[[int], None]:
    return lambda now_ms: seen.append(f"{name}@{now_ms}")


def appending(seen: list[int], order: int) -> Callable[[int], None]:
    return lambda now_ms: seen.append(order)


def test_nothing_is_pending_at_first(deadlines: Deadlines) -> None:
    assert deadlines.next_at_ms is None
    assert len(deadlines) == 0
    assert deadlines.run(10**12) == 0


def test_calls_are_made_by_time_then_in_order_of_scheduling(deadlines: Deadlines) -> None:
    seen: list[str] = []
    for name, at_ms in (("c", 30), ("a", 10), ("b", 20), ("a2", 10), ("d", 31)):
        deadlines.schedule(at_ms, noting(seen, name))
    assert deadlines.next_at_ms == 10
    assert deadlines.run(9) == 0
    assert deadlines.run(30) == 4
    assert seen == ["a@30", "a2@30", "b@30", "c@30"]
    assert (deadlines.next_at_ms, len(deadlines)) == (31, 1)
    assert deadlines.run(30) == 0


def test_a_cancelled_call_is_not_made(deadlines: Deadlines) -> None:
    seen: list[str] = []
    first, second, third = [deadlines.schedule(at, noting(seen, str(at))) for at in (1, 2, 3)]
    second.cancel()
    second.cancel()
    first.cancel()
    assert (deadlines.next_at_ms, len(deadlines)) == (3, 1)
    assert deadlines.run(10) == 1
    assert seen == ["3@10"]
    third.cancel()
    assert (deadlines.next_at_ms, len(deadlines)) == (None, 0)


def test_a_deadline_says_whether_it_is_pending(deadlines: Deadlines) -> None:
    called = deadlines.schedule(5, lambda now_ms: None)
    cancelled = deadlines.schedule(5, lambda now_ms: None)
    assert (called.is_pending, called.at_ms) == (True, 5)
    cancelled.cancel()
    assert not cancelled.is_pending
    deadlines.run(5)
    assert not called.is_pending


def test_what_a_callback_schedules_waits_for_the_next_run(deadlines: Deadlines) -> None:
    seen: list[int] = []

    def again(now_ms: int) -> None:
        seen.append(now_ms)
        deadlines.schedule(now_ms, again)

    deadlines.schedule(0, again)
    assert deadlines.run(1) == 1
    assert deadlines.next_at_ms == 1
    assert deadlines.run(2) == 1
    assert seen == [1, 2]


def test_a_callback_may_cancel_what_is_due_with_it(deadlines: Deadlines) -> None:
    seen: list[str] = []
    later: list[Deadline] = []

    def cancel_all(now_ms: int) -> None:
        for victim in later:
            victim.cancel()

    deadlines.schedule(1, cancel_all)
    later.append(deadlines.schedule(1, noting(seen, "due too")))
    later.append(deadlines.schedule(100, noting(seen, "not due")))
    assert deadlines.run(1) == 1
    assert (seen, len(deadlines), deadlines.next_at_ms) == ([], 0, None)
    assert deadlines.run(1000) == 0


def test_a_callback_may_cancel_itself_and_run_again(deadlines: Deadlines) -> None:
    seen: list[str] = []

    def cancel_and_run(now_ms: int) -> None:
        own.cancel()
        deadlines.schedule(now_ms, noting(seen, "inner"))
        deadlines.run(now_ms)
        seen.append("outer")

    own = deadlines.schedule(1, cancel_and_run)
    deadlines.schedule(1, noting(seen, "next"))
    assert deadlines.run(1) == 2
    assert seen == ["inner@1", "outer", "next@1"]
    assert len(deadlines) == 0


def test_an_exception_does_not_lose_the_others() -> None:
    deadlines, errors = make()
    seen: list[str] = []
    raised = [ValueError("first"), KeyError("second")]

    def failing(error: Exception) -> Callable[[int], None]:
        def call(now_ms: int) -> None:
            raise error

        return call

    deadlines.schedule(1, failing(raised[0]))
    deadlines.schedule(1, noting(seen, "a"))
    deadlines.schedule(2, failing(raised[1]))
    deadlines.schedule(3, noting(seen, "b"))
    assert deadlines.run(3) == 4
    assert seen == ["a@3", "b@3"]
    assert errors == raised
    assert deadlines.run(3) == 0


def test_errors_are_reported_after_all_calls(deadlines: Deadlines) -> None:
    """The fixture's `on_error` raises, which must not keep a call from being made."""
    seen: list[str] = []

    def failing(now_ms: int) -> None:
        raise ValueError("raised in a callback")

    deadlines.schedule(1, failing)
    deadlines.schedule(1, noting(seen, "a"))
    with pytest.raises(ValueError, match="raised in a callback"):
        deadlines.run(1)
    assert seen == ["a@1"]


def test_an_interrupt_gets_out_at_once_and_the_rest_stays_due(deadlines: Deadlines) -> None:
    seen: list[str] = []

    def interrupt(now_ms: int) -> None:
        rest[0].cancel()
        raise KeyboardInterrupt

    deadlines.schedule(1, noting(seen, "before"))
    deadlines.schedule(1, interrupt)
    rest = [deadlines.schedule(1, noting(seen, name)) for name in "abc"]
    with pytest.raises(KeyboardInterrupt):
        deadlines.run(1)
    assert seen == ["before@1"]
    assert (len(deadlines), deadlines.next_at_ms) == (2, 1)
    rest[1].cancel()
    assert deadlines.run(2) == 1
    assert seen == ["before@1", "c@2"]


def test_cancelled_entries_do_not_pile_up(deadlines: Deadlines) -> None:
    """A heartbeat that is moved with every packet: one pending at any time, cancelled ones by the million."""
    keeper = deadlines.schedule(10**9, lambda now_ms: None)
    for at_ms in range(100_000):
        deadlines.schedule(at_ms, lambda now_ms: None).cancel()
        assert len(deadlines._heap) <= 2 * COMPACTION_MIN
    assert (len(deadlines), deadlines.next_at_ms) == (1, 10**9)
    assert keeper.is_pending


def test_a_million_pending() -> None:
    deadlines, errors = make()
    count = 1_000_000
    called: list[int] = []
    scheduled = [deadlines.schedule((number * 7919) % count, called.append) for number in range(count)]
    for number, deadline in enumerate(scheduled):
        if number % 10:
            deadline.cancel()
    assert len(deadlines) == count // 10
    assert len(deadlines._heap) <= count // 5 + COMPACTION_MIN
    assert deadlines.next_at_ms == 0
    assert deadlines.run(count // 2 - 1) == count // 20
    assert deadlines.run(count) == count // 20
    assert (len(called), len(deadlines)) == (count // 10, 0)
    assert deadlines.next_at_ms is None
    assert errors == []


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("schedule"), st.integers(0, 50)),
            st.tuples(st.just("cancel"), st.integers(0, 200)),
            st.tuples(st.just("run"), st.integers(0, 60)),
        ),
        max_size=300,
    )
)
def test_any_history_agrees_with_a_sorted_list(operations: list[tuple[str, int]]) -> None:
    deadlines, errors = make()
    called: list[int] = []
    made: list[Deadline] = []
    pending: list[tuple[int, int]] = []
    expected: list[int] = []
    for verb, number in operations:
        if verb == "schedule":
            pending.append((number, len(made)))
            made.append(deadlines.schedule(number, appending(called, len(made))))
        elif verb == "cancel" and made:
            order = number % len(made)
            made[order].cancel()
            pending = [entry for entry in pending if entry[1] != order]
        elif verb == "run":
            due = sorted(entry for entry in pending if entry[0] <= number)
            pending = [entry for entry in pending if entry[0] > number]
            expected += [order for _, order in due]
            assert deadlines.run(number) == len(due)
        assert len(deadlines) == len(pending)
        assert deadlines.next_at_ms == min((at_ms for at_ms, _ in pending), default=None)
    assert called == expected
    assert errors == []


def test_so_many_at_most(deadlines: Deadlines) -> None:
    seen: list[str] = []
    for number in range(5):
        deadlines.schedule(number, noting(seen, str(number)))
    assert deadlines.run(3, 2) == 2
    assert deadlines.was_cut
    assert deadlines.next_at_ms == 2
    assert deadlines.run(3, 2) == 2
    assert not deadlines.was_cut, "the last one isn't due"
    assert seen == ["0@3", "1@3", "2@3", "3@3"]
    assert deadlines.run(9, 2) == 1
