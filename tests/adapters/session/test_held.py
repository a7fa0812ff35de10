"""What is held back keeps its order, and its bound."""

from __future__ import annotations

import pytest

from tests.support.simulated_transport import SimulatedTransport
from warren.adapters.session.held import HELD_BYTES_MAX, Held
from warren.adapters.session.read_gate import UNREAD_REPLIES, ReadGate

HALF = b"x" * (HELD_BYTES_MAX // 2)


class Place:
    def __init__(self) -> None:
        self.transport = SimulatedTransport()
        self.gate = ReadGate(self.transport)
        self.held: Held[bytes] = Held(self.gate, len)


@pytest.fixture
def place() -> Place:
    return Place()


def test_in_order(place: Place) -> None:
    for each in (b"a", b"b", b"c"):
        place.held.add(each)
    assert len(place.held) == 3
    assert place.held.take() == [b"a", b"b", b"c"]
    assert len(place.held) == 0


def test_past_the_bound_the_connection_is_not_read(place: Place) -> None:
    place.held.add(HALF)
    place.held.add(HALF)
    assert not place.transport.paused
    place.held.add(b"!")
    assert place.transport.paused
    place.held.take()
    assert not place.transport.paused


def test_at_the_bound_the_connection_is_read_again(place: Place) -> None:
    for each in (HALF, b"!", HALF):
        place.held.add(each)
    place.held.drop(lambda item: item == b"!")
    assert not place.transport.paused


def test_other_reasons_stay(place: Place) -> None:
    place.gate.close(UNREAD_REPLIES)
    for _ in range(3):
        place.held.add(HALF)
    place.held.take()
    assert place.transport.paused


def test_what_cannot_be_handled_yet_stays_in_front(place: Place) -> None:
    for each in (b"a", HALF, HALF, b"b"):
        place.held.add(each)
    seen: list[bytes] = []

    def handle(items: list[bytes]) -> int:
        assert len(place.held) == 0, "what is handled is held back no more"
        seen.extend(items[:1])
        return 1

    assert place.held.release(handle) == [HALF, HALF, b"b"]
    assert place.transport.paused, "still too much"
    assert place.held.release(handle) == [HALF, b"b"]
    assert not place.transport.paused
    assert (seen, len(place.held)) == ([b"a", HALF], 2)


def test_void_items_make_room(place: Place) -> None:
    for each in (HALF, b"a", HALF, b"b", HALF):
        place.held.add(each)
    place.held.drop(lambda item: item is HALF)
    assert not place.transport.paused
    assert place.held.take() == [b"a", b"b"]


def test_clearing_reads_nothing_more(place: Place) -> None:
    for _ in range(3):
        place.held.add(HALF)
    place.held.clear()
    assert len(place.held) == 0
    assert place.transport.paused


def test_what_comes_while_some_is_handled_stays_behind(place: Place) -> None:
    for each in (b"a", b"b"):
        place.held.add(each)

    def handle(items: list[bytes]) -> int:
        place.held.add(b"c")
        return 1

    assert place.held.release(handle) == [b"b", b"c"]
    assert place.held.take() == [b"b", b"c"]
