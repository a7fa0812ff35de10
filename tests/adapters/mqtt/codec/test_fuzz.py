"""Whatever the bytes are: a packet, not yet one, or one of the two errors; and no memory for what is only announced."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.adapters.mqtt.codec.strategies import LEVELS, levels_and_packets
from warren.adapters.mqtt.codec import versions
from warren.adapters.mqtt.codec.decode import decode
from warren.adapters.mqtt.codec.encode import encode
from warren.adapters.mqtt.codec.errors import MalformedPacket, PacketError, ProtocolViolation
from warren.adapters.mqtt.codec.packets import Packet
from warren.adapters.mqtt.codec.publish import peek_publish, read_publish_properties

all_levels = st.sampled_from([versions.UNKNOWN, *LEVELS])


def attempt(data: bytes, level: int) -> tuple[Packet, int] | PacketError | None:
    """What decode gives or raises; any other exception passes."""
    try:
        return decode(data, 0, len(data), level)
    except PacketError as error:
        return error


def check(data: bytes, level: int) -> None:
    """Decode, and where a packet comes out, it is one that can be written and read again."""
    found = attempt(data, level)
    if isinstance(found, PacketError):
        assert type(found) in (MalformedPacket, ProtocolViolation)
        assert found.reason_code >= 0x80
        assert found.clause
    elif found is not None:
        packet, end = found
        assert 0 < end <= len(data)
        again = level or versions.V5
        written = encode(packet, again)
        assert decode(written, 0, len(written), again) == (packet, len(written))


@settings(max_examples=500)
@given(st.binary(max_size=64), all_levels)
@example(b"\x10\x0c\x00\x06MQIsdp\x03\x80\x00\x00\x00\x00", versions.UNKNOWN)
def test_arbitrary_bytes(data: bytes, level: int) -> None:
    check(data, level)


@settings(max_examples=500)
@given(st.integers(0, 255), st.binary(max_size=60), all_levels)
def test_arbitrary_bodies_of_the_right_length(first: int, body: bytes, level: int) -> None:
    check(bytes((first, len(body))) + body, level)


@settings(max_examples=500)
@given(levels_and_packets, st.data())
def test_valid_packets_with_bytes_changed(level_and_packet: tuple[int, Packet], data: st.DataObject) -> None:
    level, packet = level_and_packet
    spoiled = bytearray(encode(packet, level)[:300])
    for _ in range(data.draw(st.integers(1, 3))):
        spoiled[data.draw(st.integers(0, len(spoiled) - 1))] = data.draw(st.integers(0, 255))
    check(bytes(spoiled), level)


@settings(max_examples=300)
@given(st.integers(0, 15), st.binary(max_size=40), st.sampled_from(LEVELS))
def test_peek_takes_what_decode_takes(flags: int, body: bytes, level: int) -> None:
    data = bytes((0x30 | flags, len(body))) + body
    found = attempt(data, level)
    if isinstance(found, PacketError):
        return  # decode looks into topic and properties, so it refuses more
    assert found is not None
    peeked = peek_publish(data, 0, len(data), level, versions.PACKET_BYTES_MAX)
    assert peeked is not None
    assert peeked[5] == found[1]


@given(st.binary(max_size=40))
def test_arbitrary_properties_of_a_publish(raw: bytes) -> None:
    try:
        read_publish_properties(raw)
    except PacketError:
        pass


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("first", [0x10, 0x30, 0x32, 0x82, 0xA2])
def test_announced_bytes_cost_nothing(first: int, level: int) -> None:
    data = bytes((first, 0xFF, 0xFF, 0xFF, 0x7F)) + b"\xff" * 50
    tracemalloc.start()
    try:
        assert decode(data, 0, len(data), level) is None
        assert tracemalloc.get_traced_memory()[1] < 10_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("level", LEVELS)
def test_lengths_within_a_packet_cost_nothing(level: int) -> None:
    data = b"\x30\x0a\xff\xff" + b"a" * 8
    tracemalloc.start()
    try:
        with pytest.raises(MalformedPacket):
            decode(data, 0, len(data), level)
        assert tracemalloc.get_traced_memory()[1] < 50_000
    finally:
        tracemalloc.stop()
