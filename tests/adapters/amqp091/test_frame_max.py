"""A message whose properties don't fit into the consumer's frames: the connection ends with 501, nothing is lost."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_client import SimulatedClient
from tests.support.tracebacks import tracebacks
from warren.adapters.amqp091.codec import methods
from warren.adapters.amqp091.codec.constants import FRAME_MAX_LEAST_BYTES
from warren.core.messages.properties import encode_properties

FITTING_BYTES = FRAME_MAX_LEAST_BYTES - 8 - 12
"""The most that properties may have: a frame has 8 octets around it, and 12 come before them."""


@pytest.fixture
def broker(caplog: pytest.LogCaptureFixture) -> Iterator[SimulatedBroker]:
    made = SimulatedBroker()
    yield made
    made.check()
    assert tracebacks(caplog) == []


@pytest.fixture
def publisher(broker: SimulatedBroker) -> SimulatedClient:
    """One that may send long frames, on the channel 1 as all here."""
    made = broker.accept()
    made.handshake(frame_max=131_072)
    made.open(1)
    made.declare("q")
    return made


@pytest.fixture
def small(broker: SimulatedBroker) -> SimulatedClient:
    """One that takes the shortest frames that there are."""
    made = broker.accept()
    made.handshake(frame_max=FRAME_MAX_LEAST_BYTES)
    made.open(1)
    return made


def properties(size: int) -> bytes:
    """Properties of exactly so many bytes."""
    raw = encode_properties(headers={"h": ""}).raw
    return encode_properties(headers={"h": "x" * (size - len(raw))}).raw


def publish(client: SimulatedClient, size: int, times: int = 1) -> None:
    """Again and again the same, so that all but the first go the way of known publishes."""
    for number in range(times):
        client.publish("q", b"%d" % number, properties=properties(size))
    client.settle()


def closed_with(client: SimulatedClient) -> tuple[int, str]:
    close = client.expect(methods.ConnectionClose, 0)
    return close.reply_code, close.reply_text


@pytest.mark.parametrize("no_ack", [False, True])
@pytest.mark.parametrize("times", [1, 3], ids=["by the slow way", "by the fast way, too"])
def test_a_consumer(
    broker: SimulatedBroker, publisher: SimulatedClient, small: SimulatedClient, *, no_ack: bool, times: int
) -> None:
    small.consume("q", no_ack=no_ack)
    publish(publisher, FITTING_BYTES + 1, times)
    code, text = closed_with(small)
    assert code == 501
    assert f"has {FITTING_BYTES + 1} octets of properties" in text
    assert f"frame_max of {FRAME_MAX_LEAST_BYTES + 1} or more" in text
    queue = broker.queue("q")
    assert (queue.ready_count, queue.unacked_count, len(queue.consumers)) == (times, 0, 0)
    publisher.consume("q", no_ack=True)
    publisher.settle()
    assert publisher.take_bodies() == [b"%d" % number for number in range(times)]


@pytest.mark.parametrize("no_ack", [False, True])
def test_what_just_fits_goes_on_as_it_came(
    broker: SimulatedBroker, publisher: SimulatedClient, small: SimulatedClient, *, no_ack: bool
) -> None:
    small.consume("q", no_ack=no_ack)
    publish(publisher, FITTING_BYTES, 3)
    assert small.take_bodies() == [b"0", b"1", b"2"]
    assert small.connection.state == "running"


def test_what_waits_behind_it_is_for_others(
    broker: SimulatedBroker, publisher: SimulatedClient, small: SimulatedClient
) -> None:
    publish(publisher, 100)
    publish(publisher, FITTING_BYTES + 1)
    publish(publisher, 100)
    small.consume("q", no_ack=True)
    small.settle()
    assert closed_with(small)[0] == 501
    assert broker.queue("q").ready_count == 2, "the first was sent"


def test_get_of_what_just_fits(publisher: SimulatedClient, small: SimulatedClient) -> None:
    publish(publisher, FITTING_BYTES)
    got = small.get("q", no_ack=True)
    assert got is not None
    assert got.body == b"0"


@pytest.mark.parametrize("no_ack", [False, True])
def test_get(broker: SimulatedBroker, publisher: SimulatedClient, small: SimulatedClient, *, no_ack: bool) -> None:
    publish(publisher, FITTING_BYTES + 1)
    small.send(1, methods.BasicGet(queue="q", no_ack=no_ack))
    small.settle()
    assert closed_with(small)[0] == 501
    queue = broker.queue("q")
    assert (queue.ready_count, queue.unacked_count) == (1, 0)
    counts = queue.message_counts
    assert (counts["ack"], counts["publish"]) == (0, 1)
    got = publisher.get("q", no_ack=True)
    assert got is not None
    assert got.body == b"0"


def test_get_without_acknowledgement_counts_as_that(broker: SimulatedBroker, publisher: SimulatedClient) -> None:
    publish(publisher, 100, 3)
    assert publisher.get("q", no_ack=True) is not None
    queue = broker.queue("q")
    counts = queue.message_counts
    assert (counts["get_no_ack"], counts["get"], counts["ack"], counts["deliver_get"]) == (1, 0, 0, 1)
    assert counts["publish"] == 3
    assert (queue.ready_count, queue.unacked_count) == (2, 0)


def test_a_dead_letter_that_has_grown(
    broker: SimulatedBroker, publisher: SimulatedClient, small: SimulatedClient
) -> None:
    """What is added on a message's way counts, too."""
    publisher.declare("source", arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "q"})
    small.consume("q")
    publisher.publish("source", b"x", properties=properties(FITTING_BYTES - 10))
    publisher.consume("source", "c")
    publisher.settle()
    publisher.nack(1, requeue=False)
    publisher.settle()
    assert closed_with(small)[0] == 501
    assert broker.queue("q").ready_count == 1
