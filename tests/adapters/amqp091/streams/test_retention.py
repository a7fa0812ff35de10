"""How long a stream keeps its messages, by arguments and policies."""

from __future__ import annotations

import pytest

from tests.adapters.amqp091.streams.talk import Talk, offset_of
from tests.support.simulated_broker import SimulatedBroker
from warren.core.administration.operations import policies
from warren.core.policies.policy import POLICY
from warren.core.storage.definitions.store import JSON

BODY = b"x" * 100


def fill(talk: Talk, count: int = 20) -> None:
    for _ in range(count):
        talk.publish(BODY)


def set_policy(broker: SimulatedBroker, **definition: JSON) -> None:
    named = {name.replace("_", "-"): value for name, value in definition.items()}
    policies.set_policy(broker.broker, POLICY, "/", "p", "^s$", named, apply_to="streams")
    broker.settle()


def test_whole_segments_go_when_there_is_too_much(talk: Talk) -> None:
    talk.declare(x_max_length_bytes=2000, x_stream_max_segment_size_bytes=500)
    fill(talk)
    assert talk.queue.log.first_offset > 0
    assert talk.queue.log.size <= 2500
    assert len(talk.read("first")) == talk.queue.ready_count == 20 - talk.queue.log.first_offset


def test_old_segments_go_by_time_while_nobody_publishes(talk: Talk, broker: SimulatedBroker) -> None:
    talk.declare(x_max_age="1m", x_stream_max_segment_size_bytes=500)
    fill(talk)
    broker.advance(59_000)
    assert talk.queue.ready_count == 20
    broker.advance(2_000)
    assert 0 < talk.queue.ready_count < 5
    assert len(talk.queue.log.segments) == 1


def test_a_policy_that_comes_later_trims(talk: Talk, broker: SimulatedBroker) -> None:
    talk.declare(x_stream_max_segment_size_bytes=500)
    fill(talk)
    set_policy(broker, max_length_bytes=1000)
    assert talk.queue.log.size <= 1500


def test_a_policy_comes_before_the_argument(talk: Talk, broker: SimulatedBroker) -> None:
    talk.declare(x_max_age="1D", x_stream_max_segment_size_bytes=500)
    fill(talk)
    set_policy(broker, max_age="1m")
    broker.advance(61_000)
    assert len(talk.queue.log.segments) == 1


def test_a_reader_that_is_overtaken_goes_on_with_what_is_left(talk: Talk) -> None:
    talk.declare(x_max_length_bytes=2000, x_stream_max_segment_size_bytes=500)
    talk.publish(b"first")
    talk.consume(1, x_stream_offset="first")
    talk.began()
    assert talk.bodies() == [b"first"]
    fill(talk)
    first = talk.queue.log.first_offset
    assert first > 1
    talk.client.ack(0, multiple=True)
    (event,) = talk.deliveries()
    assert offset_of(event) == first


@pytest.mark.parametrize("stop", ["restart", "crash"])
def test_what_is_gone_stays_gone(talk: Talk, broker: SimulatedBroker, stop: str) -> None:
    talk.declare(x_max_length_bytes=2000, x_stream_max_segment_size_bytes=500)
    fill(talk)
    first = talk.queue.log.first_offset
    getattr(broker, stop)()
    assert talk.queue.log.first_offset == first
