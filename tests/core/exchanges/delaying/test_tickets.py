"""Tickets of delayed messages, and a million of them in order."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warren.core.exchanges.delaying.headers import TIME_MS_MAX
from warren.core.exchanges.delaying.tickets import (
    SortedTickets,
    key_due_at_ms,
    key_order,
    make_key,
    make_ticket,
    ticket_body_size,
    ticket_due_at_ms,
    ticket_key,
    ticket_position,
)


@given(
    st.integers(0, TIME_MS_MAX),
    st.integers(0, 2**46 - 1),
    st.integers(0, 2**60 - 1),
    st.integers(0, 2**32 - 1),
)
def test_a_ticket_holds_what_it_is_made_of(due_at_ms: int, order: int, position: int, body_size: int) -> None:
    key = make_key(due_at_ms, order)
    assert (key_due_at_ms(key), key_order(key)) == (due_at_ms, order)
    ticket = make_ticket(key, position, body_size)
    assert ticket_key(ticket) == key
    assert (ticket_due_at_ms(ticket), ticket_position(ticket), ticket_body_size(ticket)) == (
        due_at_ms,
        position,
        body_size,
    )


def test_a_ticket_is_small() -> None:
    ticket = make_ticket(make_key(1_900_000_000_000, 2**46 - 1), 2**60 - 1, 2**32 - 1)
    assert sys.getsizeof(ticket) <= 48


def ticket_of(due_at_ms: int, order: int, size: int = 1) -> int:
    return make_ticket(make_key(due_at_ms, order), 1000 + order, size)


Step = tuple[str, list[int], int]

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["add", "add", "take", "remove"]), st.lists(st.integers(0, 9), max_size=12), st.integers(0, 9)
    ),
    max_size=40,
)


def of_short_runs() -> SortedTickets:
    """Runs of eight tickets: a few dozen go through everything that happens to a million."""
    return SortedTickets(run_tickets_max=8, spare_runs=2)


@given(STEPS)
def test_like_a_sorted_list(steps: list[Step]) -> None:
    tickets = of_short_runs()
    model: list[int] = []
    order = 0
    for action, dues, number in steps:
        if action == "add":
            made = []
            for due_at_ms in dues:
                order += 1
                made.append(ticket_of(due_at_ms, order))
            tickets.add(made)
            model = sorted(model + made)
        elif action == "take":
            expected = [ticket for ticket in model if ticket_due_at_ms(ticket) < number][: len(dues) + 1]
            assert tickets.take(make_ticket(make_key(number, 0), 0, 0), len(dues) + 1, 1 << 30) == expected
            model = model[len(expected) :]
        elif model:
            victim = model[number % len(model)]
            due_at_ms, position = ticket_due_at_ms(victim), ticket_position(victim)
            assert tickets.remove(due_at_ms + 1, position) is None
            assert tickets.remove(due_at_ms, position) == victim
            assert tickets.remove(due_at_ms, position) is None
            model.remove(victim)
        assert len(tickets) == len(model)
        assert list(tickets) == model
        assert tickets.first == (model[0] if model else None)
    tickets.clear()
    assert (len(tickets), list(tickets), tickets.first) == (0, [], None)


@given(st.lists(st.integers(0, 50), min_size=1, max_size=20), st.integers(0, 120))
def test_a_batch_is_bounded_by_its_bytes(sizes: list[int], bytes_max: int) -> None:
    tickets = SortedTickets()
    tickets.add(ticket_of(5, order, size) for order, size in enumerate(sizes))
    taken: list[int] = []
    while len(tickets):
        batch = tickets.take(make_ticket(make_key(6, 0), 0, 0), 100, bytes_max)
        assert batch
        assert len(batch) == 1 or sum(map(ticket_body_size, batch)) <= bytes_max
        taken += batch
    assert [ticket_body_size(ticket) for ticket in taken] == sizes


@pytest.mark.parametrize("due_of", [lambda n: n, lambda n: -n, lambda n: n * 7919 % 100_003], ids=["up", "down", "any"])
def test_a_hundred_thousand_in_small_flushes(due_of: Callable[[int], int]) -> None:
    tickets = SortedTickets()
    count, flush = 100_000, 50
    for start in range(0, count, flush):
        tickets.add(ticket_of(count + due_of(order), order) for order in range(start, start + flush))
    assert len(tickets._runs) < 30
    taken: list[int] = []
    while batch := tickets.take(1 << 200, 512, 1 << 40):
        taken += batch
    assert len(taken) == count
    assert taken == sorted(taken)


@pytest.mark.parametrize("seed", range(3))
def test_runs_stay_few_when_most_of_what_comes_goes_soon(seed: int) -> None:
    """One ticket in fifty is for much later; those that stay must not leave a run each."""
    choice = random.Random(seed)
    tickets = SortedTickets()
    now = order = 0
    for _ in range(400):
        now += 100
        made = []
        for _ in range(50):
            order += 1
            made.append(ticket_of(now + (choice.randrange(100) if order % 50 else 10**9), order))
        tickets.add(made)
        while tickets.take(make_ticket(make_key(now, 0), 0, 0), 512, 1 << 40):
            pass
    assert len(tickets) >= 400
    assert len(tickets._runs) <= 26
