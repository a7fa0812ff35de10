"""Answers that wait for the disk come in order, and not before what they are about is there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_transport import SimulatedTransport
from warren.adapters.session.after_flush import AfterFlush
from warren.core.clients.outbox import Outbox
from warren.core.routing.receipt import Receipt


class Place:
    """`written`: what has gone to the outbox."""

    def __init__(self) -> None:
        self.simulated = SimulatedBroker()
        self.simulated.commits_by_itself = False
        self.outbox = Outbox(self.simulated.broker.touched, SimulatedTransport())
        self.after_flush = AfterFlush(self.simulated.broker, self.outbox)

    @property
    def written(self) -> list[bytes]:
        return list(self.outbox.chunks)


@pytest.fixture
def place() -> Iterator[Place]:
    made = Place()
    yield made
    made.simulated.close()


def test_what_needs_no_disk_is_sent_at_once(place: Place) -> None:
    place.after_flush.send(b"1", stored=False)
    assert place.written == [b"1"]
    assert not place.simulated.broker.awaiting_flush


def test_answers_keep_their_order(place: Place) -> None:
    place.after_flush.send(b"1", stored=True)
    place.after_flush.send(b"2", stored=False)
    place.after_flush.call(lambda: place.outbox.write(b"3"))
    assert (place.written, place.after_flush.count) == ([], 3)
    assert place.after_flush.count_of(lambda answer: answer > b"1") == 1
    place.simulated.begin_commit()
    place.simulated.finish_commit()
    assert (place.written, place.after_flush.count) == ([b"1", b"2", b"3"], 0)
    place.after_flush.send(b"4", stored=False)
    assert place.written[-1] == b"4", "nothing waits any more"


def test_a_flush_covers_what_came_before_it_began(place: Place) -> None:
    place.after_flush.send(b"1", stored=True)
    place.simulated.begin_commit()
    place.after_flush.send(b"2", stored=True)
    place.simulated.finish_commit()
    assert place.written == [b"1"]
    assert place.simulated.broker.commit_wanted
    place.simulated.begin_commit()
    place.simulated.finish_commit()
    assert place.written == [b"1", b"2"]


def flush(place: Place) -> None:
    place.simulated.begin_commit()
    place.simulated.finish_commit()


def late(place: Place, taken: bytes, refused: bytes | None) -> Receipt:
    """An answer that waits for one queue."""
    receipt = Receipt()
    receipt.expect()
    place.after_flush.send_late(receipt, taken, lambda: refused)
    return receipt


def test_a_late_answer_waits_for_its_queue_and_for_the_disk(place: Place) -> None:
    receipt = late(place, b"taken", b"refused")
    flush(place)
    assert (place.written, place.after_flush.count) == ([], 1)
    receipt.answer(taken=True)
    assert (place.written, place.after_flush.count) == ([b"taken"], 0)
    receipt = late(place, b"taken", b"refused")
    receipt.answer(taken=False)
    assert place.written == [b"taken"]
    flush(place)
    assert (place.written, place.after_flush.count) == ([b"taken", b"refused"], 0)


def test_a_queue_that_answers_first_waits_for_the_disk(place: Place) -> None:
    late(place, b"taken", b"refused").answer(taken=True)
    assert (place.written, place.after_flush.count) == ([], 1)
    flush(place)
    assert (place.written, place.after_flush.count) == ([b"taken"], 0)


def test_late_answers_keep_their_place(place: Place) -> None:
    place.after_flush.send(b"0", stored=False)
    first, second = late(place, b"1", None), late(place, b"2", None)
    place.after_flush.send(b"3", stored=False)
    assert place.after_flush.count_of(lambda answer: answer in (b"1", b"3")) == 2
    flush(place)
    second.answer(taken=True)
    assert (place.written, place.after_flush.count) == ([b"0"], 3)
    first.answer(taken=True)
    assert (place.written, place.after_flush.count) == ([b"0", b"1", b"2", b"3"], 0)


@pytest.mark.parametrize(("taken", "refused", "is_taken"), [(b"", b"no", True), (b"yes", None, False)])
def test_an_answer_may_be_nothing(place: Place, taken: bytes, refused: bytes | None, is_taken: bool) -> None:
    late(place, taken, refused).answer(taken=is_taken)
    flush(place)
    assert (place.written, place.after_flush.count) == ([], 0)


def test_nothing_waits_at_first(place: Place) -> None:
    assert (place.after_flush.count, place.after_flush.count_of(lambda answer: True)) == (0, 0)
    place.after_flush.flushed(place.after_flush.mark())
    place.after_flush.send(b"1", stored=True)
    place.after_flush.flushed(0)
    assert place.written == [], "a flush that began before it"


def test_who_has_gone_is_told_nothing(place: Place) -> None:
    place.after_flush.send(b"1", stored=True)
    place.simulated.begin_commit()
    place.after_flush.send(b"2", stored=True)
    place.after_flush.clear()
    assert not place.simulated.broker.awaiting_flush
    place.simulated.finish_commit()
    assert (place.written, place.after_flush.count) == ([], 0)
