"""What is wrong is answered with its code, told in the log, and loses nothing that was confirmed (spec H.2)."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_stream import StreamClient, batch, publish, published
from warren.adapters.stream.codec import commands
from warren.adapters.stream.codec.encoding import encode
from warren.adapters.stream.codec.keys import Code, OffsetType
from warren.adapters.stream.codec.kinds import OffsetSpec
from warren.core.queues.stream.queue import StreamQueue

FIRST = OffsetSpec(OffsetType.FIRST)

REFUSED: dict[str, tuple[Callable[[StreamClient], object], Code, str]] = {
    "a subscription twice": (
        lambda client: [client.code(commands.Subscribe, 5, "log", FIRST, 0) for _ in range(2)][1],
        Code.SUBSCRIPTION_EXISTS,
        "Subscribe refused: SUBSCRIPTION_EXISTS: ",
    ),
    "no kind of offset": (
        lambda client: client.code(commands.Subscribe, 5, "log", OffsetSpec(OffsetType.NONE), 0),
        Code.PRECONDITION_FAILED,
        "Subscribe refused: PRECONDITION_FAILED: ",
    ),
    "a stream that isn't": (
        lambda client: client.code(commands.Subscribe, 5, "nothing", FIRST, 0),
        Code.NO_STREAM,
        "Subscribe refused: NO_STREAM: ",
    ),
    "a publisher that isn't": (
        lambda client: client.send(publish(9, published(1, b"")))[0].errors[0].code,
        Code.NO_PUBLISHER,
        "1 of Publish refused: NO_PUBLISHER: there is no publisher 9",
    ),
    "a bomb": (
        lambda client: client.send(publish(1, batch(1, 1, 1, (64 << 20) + 1, b"x")))[0].errors[0].code,
        Code.PRECONDITION_FAILED,
        "1 of Publish refused: PRECONDITION_FAILED: a batch of 67108865 bytes, 67108864 are possible",
    ),
    "an age that is none": (
        lambda client: client.code(commands.Create, "other", {"max-age": "soon"}),
        Code.PRECONDITION_FAILED,
        "Create refused: PRECONDITION_FAILED: ",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(
    client: StreamClient, simulated: SimulatedBroker, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    do, code, line = REFUSED[name]
    caplog.set_level(logging.INFO)
    client.send(publish(1, published(0, b"confirmed")))
    assert do(client) == code
    assert line in caplog.text
    assert not client.closed
    assert stream(simulated).log.end_offset == 1


@pytest.mark.parametrize(
    ("frame", "code", "line"),
    [
        (b"\x00\x00\x00\x04\x00\x63\x00\x01", Code.UNKNOWN_FRAME, "closing it: UNKNOWN_FRAME: "),
        (b"\x00\x00\x00\x04\x00\x02\x00\x03", Code.UNKNOWN_FRAME, "UNKNOWN_FRAME: Publish has no version 3"),
        (b"\x00\x00\x00\x04\x00\x07\x00\x09", Code.UNKNOWN_FRAME, "closing it: UNKNOWN_FRAME: "),
        (b"\x7f\xff\xff\xff", Code.FRAME_TOO_LARGE, "FRAME_TOO_LARGE: a frame of 2147483647 bytes, "),
        (encode(commands.Publish(1, 2, published(1, b"a"))), Code.UNKNOWN_FRAME, "a message of Publish is cut off"),
    ],
    ids=["command", "version of Publish", "version", "size", "messages"],
)
def test_what_ends_the_connection(
    client: StreamClient,
    simulated: SimulatedBroker,
    caplog: pytest.LogCaptureFixture,
    frame: bytes,
    code: Code,
    line: str,
) -> None:
    client.send(publish(1, published(0, b"confirmed")))
    (answer,) = client.send_bytes(frame)
    assert (type(answer), answer.code) == (commands.Close, code)
    assert client.closed
    assert line in caplog.text
    assert stream(simulated).log.end_offset == 1


@pytest.mark.parametrize("offset", [10**6, 2**64 - 1])
def test_an_offset_beyond_the_end_waits_for_what_comes(client: StreamClient, offset: int) -> None:
    client.send(publish(1, published(0, b"before")))
    at = OffsetSpec(OffsetType.OFFSET, offset)
    assert client.code(commands.Subscribe, 5, "log", at, 10) is Code.OK
    assert isinstance(client.send(publish(1, published(1, b"after")))[-1], commands.Deliver | commands.PublishConfirm)


def test_retention_shorter_than_a_segment_keeps_the_segment_that_is_written(
    client: StreamClient, simulated: SimulatedBroker
) -> None:
    assert client.code(commands.Create, "short", {"max-length-bytes": "1", "max-age": "1s"}) is Code.OK
    client.code(commands.DeclarePublisher, 2, None, "short")
    for number in range(20):
        client.send(publish(2, published(number, b"kept")))
        simulated.advance(2000)
    log = stream(simulated, "short").log
    assert (log.first_offset, log.end_offset) == (0, 20)


def stream(simulated: SimulatedBroker, name: str = "log") -> StreamQueue:
    queue = simulated.vhost.queues[name]
    assert isinstance(queue, StreamQueue)
    return queue
