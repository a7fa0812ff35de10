"""A session's long work: a slice per turn, nothing of the peer meanwhile, and an end in any case."""

from __future__ import annotations

from collections.abc import Iterator

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_transport import SimulatedTransport
from warren.adapters.session.long_work import LongWork
from warren.adapters.session.read_gate import UNREAD_REPLIES, ReadGate


class Place:
    def __init__(self) -> None:
        self.broker = SimulatedBroker().broker
        self.transport = SimulatedTransport()
        self.gate = ReadGate(self.transport)
        self.went_on = 0
        self.failures: list[Exception] = []
        self.done: list[int] = []
        self.work = LongWork(self.broker, self.gate, go_on=self._go_on, failed=self.failures.append)

    def _go_on(self) -> None:
        assert not self.work.busy
        self.went_on += 1

    def slices(self, count: int) -> Iterator[None]:
        for number in range(count):
            self.done.append(number)
            yield


def test_a_slice_per_turn_and_the_socket_is_not_read_meanwhile() -> None:
    place = Place()
    place.work.begin(place.slices(3))
    assert place.work.busy
    assert place.transport.paused
    for turn in range(1, 4):
        assert place.broker.end_turn()
        assert len(place.done) == turn
        assert not place.went_on
    assert not place.broker.end_turn()
    assert place.went_on == 1
    assert not place.transport.paused


def test_the_end_of_the_connection_ends_the_work_where_it_is() -> None:
    place = Place()
    place.work.begin(place.slices(3))
    place.broker.end_turn()
    place.work.stop()
    assert not place.broker.end_turn()
    assert place.done == [0]
    assert not place.went_on


def test_an_error_ends_the_work_and_is_told_to_the_session() -> None:
    def failing() -> Iterator[None]:
        yield
        raise ValueError("no")

    place = Place()
    place.work.begin(failing())
    while place.broker.end_turn():
        pass
    assert [str(error) for error in place.failures] == ["no"]
    assert not place.went_on
    assert not place.work.busy


def test_work_that_ends_its_own_connection_is_not_gone_on_with() -> None:
    place = Place()

    def ending() -> Iterator[None]:
        place.work.stop()
        yield

    place.work.begin(ending())
    while place.broker.end_turn():
        pass
    assert not place.went_on


def test_many_little_things_give_way_after_so_many() -> None:
    place = Place()
    place.work.did(2, 3)
    assert not place.work.busy
    place.work.did(1, 3)
    assert place.work.busy
    place.work.did(9, 3)
    assert not place.broker.end_turn()
    assert place.went_on == 1
    place.work.did(2, 3)
    assert not place.work.busy, "counting begins anew"


def test_what_else_holds_back_reading_goes_on_doing_so() -> None:
    place = Place()
    place.gate.close(UNREAD_REPLIES)
    place.work.begin(place.slices(1))
    while place.broker.end_turn():
        pass
    assert place.transport.paused
    place.gate.open(UNREAD_REPLIES)
    assert not place.transport.paused
