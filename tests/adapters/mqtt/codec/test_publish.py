"""PUBLISH as slices, held against PUBLISH as objects."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.adapters.mqtt.codec.strategies import LEVELS, properties, publishes
from warren.adapters.mqtt.codec import versions
from warren.adapters.mqtt.codec.encode import encode
from warren.adapters.mqtt.codec.errors import PacketError
from warren.adapters.mqtt.codec.packets import Publish
from warren.adapters.mqtt.codec.publish import (
    NO_PROPERTIES,
    add_properties,
    join_publish,
    peek_publish,
    publish_flags,
    publish_head,
    read_publish_properties,
    write_publish_properties,
)

levels_and_publishes = st.sampled_from(LEVELS).flatmap(lambda level: st.tuples(st.just(level), publishes(level)))


@given(levels_and_publishes, st.binary(max_size=5), st.binary(max_size=5))
def test_peek_finds_the_parts(level_and_publish: tuple[int, Publish], before: bytes, behind: bytes) -> None:
    level, publish = level_and_publish
    encoded = encode(publish, level)
    data = before + encoded + behind
    start, end = len(before), len(before) + len(encoded)
    peeked = peek_publish(data, start, len(data), level, len(encoded))
    assert peeked is not None
    flags, topic, packet_id, raw, payload_start, packet_end = peeked
    assert flags == publish_flags(publish.qos, retain=publish.retain, duplicate=publish.duplicate)
    assert (topic.decode(), packet_id, packet_end) == (publish.topic, publish.packet_id, end)
    assert data[payload_start:packet_end] == publish.payload
    assert read_publish_properties(raw) == publish.properties
    assert (raw == b"") == (level != versions.V5)


@given(levels_and_publishes)
def test_peek_waits_for_the_whole(level_and_publish: tuple[int, Publish]) -> None:
    level, publish = level_and_publish
    data = encode(publish, level)
    for end in {*range(1, min(len(data), 200)), len(data) - 1}:
        assert peek_publish(data, 0, end, level, versions.PACKET_BYTES_MAX) is None


@given(levels_and_publishes)
def test_joined_parts_are_the_packet(level_and_publish: tuple[int, Publish]) -> None:
    level, publish = level_and_publish
    data = encode(publish, level)
    peeked = peek_publish(data, 0, len(data), level, len(data))
    assert peeked is not None
    flags, topic, packet_id, raw, payload_start, end = peeked
    assert join_publish(flags, topic, packet_id, raw, publish.payload) == data
    assert publish_head(flags, topic, packet_id, raw, end - payload_start) == data[:payload_start]


@given(properties(versions.PUBLISH, versions.V5), st.integers(1, 65_535), st.lists(st.integers(1, 268_435_455)))
def test_properties_can_be_added(carried: dict[str, object], alias: int, identifiers: list[int]) -> None:
    carried.pop("topic_alias", None)
    carried.pop("subscription_identifiers", None)
    first: dict[str, object] = {"topic_alias": alias}
    if identifiers:
        first["subscription_identifiers"] = identifiers
    joined = add_properties(_written(carried), _written(first))
    assert read_publish_properties(joined) == {**carried, **first}
    assert read_publish_properties(add_properties(_written(first), _written(carried))) == {**carried, **first}


def _written(values: dict[str, object]) -> bytes:
    return write_publish_properties(values)  # type: ignore[arg-type]  # only known names


def test_no_properties_added_to_none() -> None:
    assert add_properties(b"", b"") == NO_PROPERTIES
    assert add_properties(NO_PROPERTIES, NO_PROPERTIES) == NO_PROPERTIES
    assert add_properties(b"", b"\x03\x23\x00\x01") == b"\x03\x23\x00\x01"


@pytest.mark.parametrize("length", [0, 1, 115, 116, 117, 118, 119, 16_370, 16_374, 16_375, 16_376, 16_380])
def test_lengths_around_the_borders_of_the_length_field(length: int) -> None:
    data = join_publish(2, b"topic", 7, b"", b"x" * length)
    assert data == encode(Publish("topic", b"x" * length, 1, 7), versions.V3_1_1)
    peeked = peek_publish(data, 0, len(data), versions.V3_1_1, len(data))
    assert peeked is not None
    assert peeked[5] - peeked[4] == length


def test_the_maximum_packet_size_counts_every_byte() -> None:
    data = join_publish(0, b"a", 0, b"", b"x" * 200)
    assert peek_publish(data, 0, len(data), versions.V3_1_1, len(data)) is not None
    with pytest.raises(PacketError, match="longer than"):
        peek_publish(data, 0, 3, versions.V3_1_1, len(data) - 1)
