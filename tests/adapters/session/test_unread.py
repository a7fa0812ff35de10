"""A peer that doesn't read its replies is held, and cut off if it goes on so."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_transport import SimulatedTransport
from warren.adapters.session.read_gate import HELD_BACK, UNREAD_REPLIES, ReadGate
from warren.adapters.session.unread import UnreadReplies
from warren.core.clients.outbox import UNREAD_BYTES_MAX, Outbox

TIMEOUT_MS = 10_000


class Nobody:
    """The session of a transport that these tests fill by hand."""

    def receive(self, data: bytes) -> None:
        return

    def drained(self) -> None:
        return

    def connection_lost(self, reason: str) -> None:
        return

    def shut_down(self, reason: str) -> None:
        return


class Place:
    def __init__(self) -> None:
        self.simulated = SimulatedBroker()
        self.transport = SimulatedTransport()
        self.transport.socket_room = 0
        self.outbox = Outbox(self.simulated.broker.touched, self.transport)
        self.transport.start(Nobody(), self.outbox)
        self.gate = ReadGate(self.transport)
        self.unread = UnreadReplies(self.simulated.broker, self.outbox, self.gate, TIMEOUT_MS)

    def answer(self, size: int) -> None:
        """A command is answered with so many bytes."""
        self.outbox.write(bytes(size))
        self.unread.look()
        self.simulated.settle()


@pytest.fixture
def place() -> Iterator[Place]:
    made = Place()
    yield made
    made.simulated.close()


def test_up_to_the_bound_commands_go_on(place: Place) -> None:
    place.answer(UNREAD_BYTES_MAX)
    assert not place.unread.suspended
    place.answer(1)
    assert place.unread.suspended
    assert place.gate.is_closed_for(UNREAD_REPLIES)


def test_they_go_on_when_the_peer_has_read(place: Place) -> None:
    place.answer(UNREAD_BYTES_MAX + 1)
    place.gate.close(HELD_BACK)
    place.unread.read()
    assert not place.unread.suspended
    assert not place.gate.is_closed_for(UNREAD_REPLIES)
    assert place.transport.paused, "for another reason"
    assert place.simulated.timers == 0


def test_who_reads_nothing_is_cut_off(place: Place) -> None:
    place.answer(UNREAD_BYTES_MAX + 1)
    place.simulated.advance(TIMEOUT_MS - 1)
    assert not place.transport.aborted
    assert place.simulated.broker.limit_hits.of("unread replies") == 0
    place.simulated.advance(1)
    assert place.transport.aborted
    assert place.simulated.broker.limit_hits.of("unread replies") == 1


def test_who_reads_something_has_its_time_anew(place: Place) -> None:
    place.answer(UNREAD_BYTES_MAX + 1)
    place.simulated.advance(TIMEOUT_MS - 1)
    place.transport.read_by_peer(100)
    place.simulated.advance(1)
    place.simulated.advance(TIMEOUT_MS - 1)
    assert not place.transport.aborted
    place.simulated.advance(1)
    assert place.transport.aborted


def test_nobody_is_waited_for_at_the_end(place: Place) -> None:
    place.answer(UNREAD_BYTES_MAX + 1)
    place.unread.stop()
    place.simulated.advance(2 * TIMEOUT_MS)
    assert not place.transport.aborted
    assert place.simulated.timers == 0


def test_who_is_suspended_is_waited_for_once(place: Place) -> None:
    place.answer(UNREAD_BYTES_MAX + 1)
    place.answer(1)
    assert place.simulated.timers == 1
