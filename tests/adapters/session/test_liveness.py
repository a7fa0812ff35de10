"""Signs of life, in virtual time: what is sent, and when silence is the end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_transport import SimulatedTransport
from warren.adapters.session.liveness import Beats, KeepAlive, Silence
from warren.adapters.session.read_gate import UNREAD_REPLIES, ReadGate
from warren.core.clients.outbox import Outbox

INTERVAL_MS = 10_000


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
        self.outbox = Outbox(self.simulated.broker.touched, self.transport)
        self.transport.start(Nobody(), self.outbox)
        self.gate = ReadGate(self.transport)
        self.silent: list[int] = []

    def on_silence(self) -> None:
        self.silent.append(self.simulated.broker.now_ms)

    def advance(self, milliseconds: int) -> None:
        self.simulated.advance(milliseconds)


@pytest.fixture
def place() -> Iterator[Place]:
    made = Place()
    yield made
    made.simulated.close()


def beats_of(place: Place) -> Beats:
    return Beats(place.simulated.broker, place.outbox, INTERVAL_MS, b"\n")


def test_a_beat_goes_out_every_half_interval_the_first_one_too(place: Place) -> None:
    place.outbox.write(b"connected")
    beats = beats_of(place)
    place.advance(4_999)
    assert place.transport.take() == b"connected"
    for _ in range(5):
        place.advance(1)
        assert place.transport.take() == b"\n"
        place.advance(4_999)
        assert place.transport.take() == b""
    beats.stop()
    place.advance(100_000)
    assert place.transport.take() == b""
    assert place.simulated.timers == 0


def test_other_traffic_puts_no_beat_off(place: Place) -> None:
    beats = beats_of(place)
    for _ in range(5):
        place.outbox.write(b"answer")
        place.advance(1)
        assert place.transport.take() == b"answer"
        place.advance(4_999)
        assert place.transport.take() == b"\n", "the answer was sent half an interval ago"
    beats.stop()


def test_a_hub_that_is_late_once_is_in_time_with_the_next(place: Place) -> None:
    beats = beats_of(place)
    place.advance(5_000 + 4_500)
    assert place.transport.take() == b"\n"
    place.advance(499)
    assert place.transport.take() == b""
    place.advance(1)
    assert place.transport.take() == b"\n"
    beats.stop()


def test_a_hub_that_is_very_late_owes_one_beat(place: Place) -> None:
    beats = beats_of(place)
    place.advance(100_000)
    assert place.transport.take() == b"\n"
    place.advance(4_999)
    assert place.transport.take() == b""
    place.advance(1)
    assert place.transport.take() == b"\n"
    beats.stop()


def test_no_beats_pile_up_behind_what_a_peer_does_not_read(place: Place) -> None:
    beats = beats_of(place)
    place.transport.socket_room = 0
    place.outbox.write(b"delivery")
    place.simulated.settle()
    for _ in range(100):
        place.advance(5_000)
    assert place.transport.unsent_bytes == len(b"delivery")
    place.transport.read_by_peer(None)
    assert place.transport.take() == b"delivery"
    place.advance(5_000)
    assert place.transport.take() == b"\n"
    beats.stop()


def silence(place: Place) -> Silence:
    return Silence(place.simulated.broker, place.transport, place.gate, INTERVAL_MS, place.on_silence)


def test_two_looks_without_a_byte_are_silence(place: Place) -> None:
    silence(place)
    place.advance(5_000)
    place.transport.receive(b"x")
    for _ in range(2):
        place.advance(10_000)
        assert not place.silent
    place.advance(10_000)
    assert len(place.silent) == 1
    assert place.simulated.timers == 0, "said once"


def test_one_byte_per_interval_is_enough(place: Place) -> None:
    watch = silence(place)
    for _ in range(10):
        place.advance(10_000)
        place.transport.receive(b"x")
    place.advance(10_000)
    assert not place.silent
    watch.stop()
    assert place.simulated.timers == 0


def test_silence_is_not_counted_while_nobody_reads(place: Place) -> None:
    silence(place)
    place.advance(10_000)
    place.gate.close(UNREAD_REPLIES)
    place.advance(10_000)
    place.gate.open(UNREAD_REPLIES)
    place.advance(10_000)
    assert not place.silent, "counting starts over"
    place.advance(10_000)
    assert len(place.silent) == 1


def test_a_keep_alive_is_exact(place: Place) -> None:
    broker = place.simulated.broker
    heard_ms, excused = broker.now_ms, False
    watch = KeepAlive(
        broker,
        INTERVAL_MS,
        last_heard_ms=lambda: heard_ms,
        is_excused=lambda: excused,
        on_silence=place.on_silence,
    )
    place.advance(14_000)
    heard_ms = broker.now_ms
    place.advance(14_999)
    assert not place.silent
    excused = True
    place.advance(1)
    excused = False
    place.advance(9_999)
    assert not place.silent, "an interval more, since nobody read"
    place.advance(1)
    assert len(place.silent) == 1
    watch.stop()
    assert place.simulated.timers == 0
