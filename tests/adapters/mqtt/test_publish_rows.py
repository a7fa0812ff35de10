"""Rows of PUBLISH packets: how long they are, and what answers them."""

from __future__ import annotations

import struct

import pytest

from warren.adapters.mqtt.publish_rows import answers_of_row, length_of_row, without_properties


def packet(packet_id: int, *, topic: bytes = b"t", length_of_properties: bytes = b"") -> bytes:
    rest = b"\0" + bytes((len(topic),)) + topic + struct.pack(">H", packet_id) + length_of_properties + b"body"
    return bytes((0x32, len(rest))) + rest


ALIKE = packet(1)[:5]
STEP = len(packet(1))


def row(*packet_ids: int) -> bytes:
    return b"".join([packet(each) for each in packet_ids])


def test_a_row_ends_with_what_is_alike() -> None:
    data = row(1, 2, 3) + packet(4, topic=b"u") + row(5)
    assert length_of_row(data, 0, len(data), STEP, ALIKE) == 3
    assert length_of_row(data, 0, len(data), STEP, b"") == 1
    assert length_of_row(data, 2 * STEP, len(data), STEP, ALIKE) == 1


@pytest.mark.parametrize("missing", range(1, STEP))
def test_a_packet_that_is_cut_is_not_in_the_row(missing: int) -> None:
    data = row(1, 2, 3)
    assert length_of_row(data, 0, len(data) - missing, STEP, ALIKE) == 2


@pytest.mark.parametrize(
    ("packet_ids", "answered"),
    [
        ((1, 2, 3), (1, 2, 3)),
        ((0x1234,), (0x1234,)),
        ((255, 256, 257), (255, 256, 257)),
        ((256, 1, 512), (256, 1, 512)),
        ((1, 0, 3), (1,)),
        ((255, 256, 0, 0), (255, 256)),
        ((0, 1), ()),
    ],
)
def test_answers_are_as_far_as_there_are_identifiers(packet_ids: tuple[int, ...], answered: tuple[int, ...]) -> None:
    data = b"behind" + row(*packet_ids)
    answers = b"".join([struct.pack(">HH", 0x4002, each) for each in answered])
    assert answers_of_row(data, 6 + 5, len(packet_ids), STEP) == answers


@pytest.mark.parametrize(("lengths", "count"), [(b"\0\0\0", 3), (b"\0\1\0", 1), (b"\0\0\2", 2), (b"\0", 1)])
def test_a_row_ends_before_properties(lengths: bytes, count: int) -> None:
    data = b"".join([packet(1, length_of_properties=bytes((each,))) for each in lengths])
    assert without_properties(data, 7, len(lengths), STEP + 1) == count
