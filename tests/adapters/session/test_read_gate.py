"""A connection is read when nothing speaks against it, whatever comes and goes in which order."""

from __future__ import annotations

import random

from tests.support.simulated_transport import SimulatedTransport
from warren.adapters.session import read_gate
from warren.adapters.session.read_gate import HELD_BACK, UNREAD_REPLIES, ReadGate

REASONS = tuple(value for name, value in vars(read_gate).items() if name.isupper() and type(value) is int)


class Counting(SimulatedTransport):
    """Counts how often it is paused and resumed."""

    calls = 0

    def pause(self) -> None:
        self.calls += 1
        super().pause()

    def resume(self) -> None:
        self.calls += 1
        super().resume()


def test_it_is_read_again_when_the_last_reason_has_gone() -> None:
    transport = Counting()
    gate = ReadGate(transport)
    assert gate.is_open
    gate.close(UNREAD_REPLIES)
    gate.close(HELD_BACK)
    gate.close(HELD_BACK)
    gate.open(UNREAD_REPLIES)
    assert transport.paused
    assert not gate.is_closed_for(UNREAD_REPLIES)
    assert gate.is_closed_for(HELD_BACK)
    gate.open(HELD_BACK)
    assert not transport.paused
    assert transport.calls == 2, "once for the first reason, once when the last had gone"


def test_what_is_no_reason_ends_nothing() -> None:
    transport = Counting()
    gate = ReadGate(transport)
    gate.open(HELD_BACK)
    assert transport.calls == 0
    gate.close(UNREAD_REPLIES)
    gate.open(HELD_BACK)
    assert transport.paused


def test_any_order() -> None:
    chance = random.Random(7)
    transport = Counting()
    gate = ReadGate(transport)
    held: set[int] = set()
    for _ in range(1000):
        reason = chance.choice(REASONS)
        if chance.random() < 0.5:
            gate.close(reason)
            held.add(reason)
        else:
            gate.open(reason)
            held.discard(reason)
        assert gate.is_open is not bool(held)
        assert transport.paused is bool(held)
        assert [gate.is_closed_for(each) for each in REASONS] == [each in held for each in REASONS]
