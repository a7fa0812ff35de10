"""Batches that publishers of the stream protocol have packed, read over AMQP 0-9-1."""

from __future__ import annotations

import gzip

import pytest

from tests.adapters.amqp091.streams.talk import Talk, offset_of
from tests.support.simulated_broker import SimulatedBroker
from warren.adapters.amqp091.codec import methods
from warren.core.streams.chunk import Batch, batch_entry, record_entry


def record(body: bytes) -> bytes:
    """A message of AMQP 1.0 that is this body alone."""
    return b"\x00\x53\x75\xb0" + len(body).to_bytes(4, "big") + body


def batch(compression: int, *bodies: bytes) -> Batch:
    data = b"".join(record_entry(record(body)) for body in bodies)
    return Batch(compression, len(bodies), len(data), gzip.compress(data) if compression == 1 else data)


def store(talk: Talk, *entries: Batch | bytes) -> None:
    """As the stream protocol would."""
    for entry in entries:
        if isinstance(entry, Batch):
            talk.queue.log.append(batch_entry(entry), entry.records, talk.broker.broker.now_ms)
        else:
            talk.queue.log.append(record_entry(record(entry)), 1, talk.broker.broker.now_ms)
    talk.broker.broker.streams.changed(talk.queue.log)
    talk.broker.settle()


@pytest.fixture
def stream(talk: Talk) -> Talk:
    talk.declare()
    return talk


def test_the_messages_of_batches_have_offsets_of_their_own(stream: Talk) -> None:
    store(stream, b"0", batch(0, b"1", b"2", b"3"), b"4", batch(1, b"5", b"6"), b"7")
    assert stream.queue.ready_count == 8
    assert stream.read("first") == [b"%d" % number for number in range(8)]
    stream.consume(tag="u", x_stream_offset="first")
    stream.began()
    assert [(offset_of(event), event.body) for event in stream.deliveries()] == [
        (number, b"%d" % number) for number in range(8)
    ]


@pytest.mark.parametrize("offset", range(9))
def test_a_reader_begins_within_a_batch(stream: Talk, offset: int) -> None:
    store(stream, batch(1, b"0", b"1", b"2"), batch(0, b"3", b"4"), batch(1, b"5", b"6", b"7"))
    assert stream.read(offset) == [b"%d" % number for number in range(offset, 8)]


def test_credit_ends_within_a_batch(stream: Talk) -> None:
    store(stream, batch(1, b"0", b"1", b"2", b"3", b"4"))
    stream.consume(prefetch=2, x_stream_offset="first")
    stream.began()
    assert stream.bodies() == [b"0", b"1"]
    stream.client.send(1, methods.BasicAck(delivery_tag=2, multiple=True))
    assert stream.bodies() == [b"2", b"3"]


@pytest.mark.parametrize(
    ("compression", "name"), [(2, "snappy"), (3, "lz4"), (4, "zstd"), (7, "compression 7")], ids=lambda each: str(each)
)
def test_what_the_broker_cannot_unpack_is_left_out_and_told(
    stream: Talk, broker: SimulatedBroker, caplog: pytest.LogCaptureFixture, compression: int, name: str
) -> None:
    store(stream, b"0", batch(compression, b"1", b"2"), b"3")
    assert stream.read("first") == [b"0", b"3"]
    assert broker.broker.limit_hits.of("stream batches") == 2
    assert name in caplog.text


@pytest.mark.parametrize(
    "bad",
    [
        Batch(1, 3, 100, b"no gzip"),
        batch(1, b"1", b"2", b"3")._replace(unpacked_size=12),
        Batch(1, 3, 100, gzip.compress(bytes(1 << 20))),
        batch(0, b"1", b"2")._replace(records=3),
        Batch(0, 3, 12, b"\x7f\xff\xff\xff\0\0\0\0\0\0\0\0"),
    ],
    ids=["no gzip", "more than it says", "a bomb", "fewer messages", "a size beyond it"],
)
def test_a_malformed_batch_hurts_nobody(stream: Talk, caplog: pytest.LogCaptureFixture, bad: Batch) -> None:
    store(stream, b"0", bad, b"4")
    found = stream.read("first")
    assert (found[0], found[-1]) == (b"0", b"4")
    assert "a batch that ends before offset 4 can't be read on" in caplog.text
    stream.consume(tag="u", x_stream_offset="last")
    stream.began()
    assert [offset_of(event) for event in stream.deliveries()][-1] == 4


def test_a_message_that_unpacks_for_long_comes_when_it_is_whole(stream: Talk) -> None:
    store(stream, batch(1, b"." * (2 << 20)), b"next")
    found = stream.read("first")
    stream.broker.settle()
    assert [len(body) for body in found + stream.bodies()] == [2 << 20, 4]
