"""0 is "no limit" for channels and frames, in the configuration and in tune-ok; channels are counted, not numbered."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_client import SimulatedClient, publish_frames
from warren.adapters.amqp091.codec import methods
from warren.adapters.amqp091.codec.constants import (
    CHANNEL_MAX_DEFAULT,
    FRAME_BODY,
    FRAME_MAX_DEFAULT_BYTES,
    PROTOCOL_HEADER,
)
from warren.adapters.amqp091.settings import CHANNELS_MOST, Amqp091Settings
from warren.core.configuration.values import size, zero_or

UNLIMITED = Amqp091Settings(channel_max=0, frame_max_bytes=0)
FRAME_MAX = zero_or(size(4096, 2**28))


@pytest.fixture
def broker() -> Iterator[SimulatedBroker]:
    broker = SimulatedBroker(settings=UNLIMITED)
    yield broker
    broker.close()


def connect(broker: SimulatedBroker, channel_max: int = 0, frame_max: int = 0) -> SimulatedClient:
    client = broker.accept()
    client.handshake(channel_max=channel_max, frame_max=frame_max)
    return client


def test_no_limit_is_offered_as_zero(broker: SimulatedBroker) -> None:
    client = broker.accept()
    client.send_bytes(PROTOCOL_HEADER)
    client.send(0, methods.ConnectionStartOk({}, "PLAIN", b"\0guest\0guest", "en_US"))
    tune = client.expect(methods.ConnectionTune, 0)
    assert (tune.channel_max, tune.frame_max) == (0, 0)


def test_as_many_channels_as_there_are_numbers_for(broker: SimulatedBroker) -> None:
    client = connect(broker)
    for number in range(1, CHANNEL_MAX_DEFAULT + 10):
        client.send(number, methods.ChannelOpen())
    client.send(CHANNELS_MOST, methods.ChannelOpen())
    answers = client.take_methods()
    assert len(answers) == CHANNEL_MAX_DEFAULT + 10
    assert all(isinstance(answer, methods.ChannelOpenOk) for answer in answers)


@pytest.mark.parametrize("tuned", [(5, 8192), (CHANNELS_MOST, 2**31)])
def test_a_client_may_want_limits_all_the_same(broker: SimulatedBroker, tuned: tuple[int, int]) -> None:
    agreed = connect(broker, *tuned).connection.agreed
    assert (agreed.channel_max, agreed.frame_max) == tuned


def test_a_frame_as_large_as_the_largest_message(broker: SimulatedBroker) -> None:
    broker.settings = replace(UNLIMITED, message_bytes_max=200_000)
    client = connect(broker)
    client.open()
    client.declare("queue")
    body = b"x" * 200_000
    client.send_bytes(publish_frames("queue", body, body_frame_max=len(body)))
    client.send(1, methods.BasicGet(queue="queue", no_ack=True))
    client.settle()
    frames = client.transport.take()
    assert len(body) > FRAME_MAX_DEFAULT_BYTES
    assert bytes((FRAME_BODY, 0, 1)) + len(body).to_bytes(4) + body in frames


@pytest.mark.parametrize("message_bytes_max", [1000, 200_000])
def test_a_frame_larger_than_that_is_refused(broker: SimulatedBroker, message_bytes_max: int) -> None:
    broker.settings = replace(UNLIMITED, message_bytes_max=message_bytes_max)
    client = connect(broker)
    client.open()
    largest = client.connection.agreed.frame_max
    client.send_bytes(bytes((FRAME_BODY, 0, 1)) + (largest + 1).to_bytes(4) + b"x")
    assert client.expect(methods.ConnectionClose, 0).reply_code == 501


def test_a_server_with_limits_refuses_none() -> None:
    broker = SimulatedBroker(settings=Amqp091Settings())
    client = broker.accept()
    client.send_bytes(PROTOCOL_HEADER)
    client.send(0, methods.ConnectionStartOk({}, "PLAIN", b"\0guest\0guest", "en_US"))
    client.send(0, methods.ConnectionTuneOk(0, 0, 0))
    assert client.expect(methods.ConnectionClose, 0).reply_code == 530
    broker.close()


# Channels are counted


@pytest.mark.parametrize("number", [3, 2048, CHANNELS_MOST])
def test_a_number_above_channel_max(number: int) -> None:
    broker = SimulatedBroker()
    client = connect(broker, channel_max=2, frame_max=4096)
    client.open(number)
    client.open(1)
    client.send(2, methods.ChannelOpen())
    close = client.expect(methods.ConnectionClose, 0)
    assert (close.reply_code, close.reply_text) == (
        530,
        "NOT_ALLOWED - number of channels opened (2) has reached the negotiated channel_max (2)",
    )
    broker.close()


def test_a_closed_channel_counts_no_more() -> None:
    broker = SimulatedBroker()
    client = connect(broker, channel_max=1, frame_max=4096)
    for number in (7, 1, CHANNELS_MOST):
        client.open(number)
        client.close_channel(number)
    broker.close()


# Written as in a configuration


@pytest.mark.parametrize("value", [0, "0", 4096, "128KiB"])
def test_values_of_frame_max(value: object) -> None:
    assert FRAME_MAX(value) in (0, 4096, 131_072)


@pytest.mark.parametrize("value", [-1, 1, 4095, "none", None, True, 2**40])
def test_values_that_frame_max_cant_have(value: object) -> None:
    with pytest.raises(ValueError, match="or 0 for no limit"):
        FRAME_MAX(value)
