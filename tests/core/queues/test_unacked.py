"""Unacknowledged deliveries: taking one, taking up to a tag."""

from __future__ import annotations

import pytest

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_consumer import declare, publish
from warren.core.errors import PreconditionFailed
from warren.core.queues.unacked import Unacked, take


@pytest.fixture
def unacked() -> Unacked:
    """Deliveries 2 to 6, less 4, alternating between two queues."""
    broker = SimulatedBroker()
    queues = [declare(broker, "even"), declare(broker, "odd")]
    found: Unacked = {}
    for tag in (2, 3, 5, 6):
        queue = queues[tag % 2]
        publish(broker, queue, [b"%d" % tag])
        message = queue.poll(no_ack=False)
        assert message is not None
        found[tag] = (queue, message[0], None)
    return found


def test_taking_one_leaves_the_others(unacked: Unacked) -> None:
    assert list(take(unacked, 3, multiple=False)) == [3]
    assert list(unacked) == [2, 5, 6]


def test_taking_up_to_a_tag_takes_from_the_front(unacked: Unacked) -> None:
    assert list(take(unacked, 5, multiple=True)) == [2, 3, 5]
    assert list(unacked) == [6]


def test_zero_with_multiple_is_everything_even_if_that_is_nothing(unacked: Unacked) -> None:
    assert list(take(unacked, 0, multiple=True)) == [2, 3, 5, 6]
    assert take(unacked, 0, multiple=True) == {}


@pytest.mark.parametrize(("tag", "multiple"), [(0, False), (1, False), (4, False), (4, True), (7, True), (7, False)])
def test_an_unknown_tag_is_refused_and_takes_nothing(unacked: Unacked, tag: int, multiple: bool) -> None:
    with pytest.raises(PreconditionFailed) as raised:
        take(unacked, tag, multiple=multiple)
    assert str(raised.value) == f"unknown delivery tag {tag}"
    assert raised.value.advice == "it was settled before, or delivered on another channel"
    assert list(unacked) == [2, 3, 5, 6]
