"""Every packet survives being written and read, however the bytes are cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.adapters.mqtt.codec.strategies import LEVELS, levels_and_packets, packets
from warren.adapters.mqtt.codec import versions
from warren.adapters.mqtt.codec.decode import decode
from warren.adapters.mqtt.codec.encode import encode
from warren.adapters.mqtt.codec.packets import (
    Auth,
    ConnAck,
    Connect,
    Disconnect,
    Packet,
    PubAck,
    Publish,
    SubAck,
    Subscribe,
    Subscription,
    UnsubAck,
)


@given(levels_and_packets)
def test_what_is_written_is_read(level_and_packet: tuple[int, Packet]) -> None:
    level, packet = level_and_packet
    data = encode(packet, level)
    assert decode(data, 0, len(data), level, len(data)) == (packet, len(data))
    assert encode(packet, level) == data


@given(levels_and_packets)
def test_a_server_reads_connect_before_it_knows_the_version(level_and_packet: tuple[int, Packet]) -> None:
    level, packet = level_and_packet
    if isinstance(packet, Connect):
        data = encode(packet, level)
        assert decode(data, 0, len(data), versions.UNKNOWN) == (packet, len(data))


@given(levels_and_packets)
def test_every_prefix_is_only_incomplete(level_and_packet: tuple[int, Packet]) -> None:
    level, packet = level_and_packet
    data = encode(packet, level)
    for end in {*range(min(len(data), 200)), len(data) - 1}:
        assert decode(data, 0, end, level) is None


@given(st.data())
def test_a_stream_can_be_cut_anywhere(data: st.DataObject) -> None:
    level = data.draw(st.sampled_from(LEVELS))
    sent = data.draw(st.lists(packets(level), max_size=5))
    stream = b"".join(encode(packet, level) for packet in sent)
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=8).map(sorted))
    received: list[Packet] = []
    position = 0
    for end in [*cuts, len(stream)]:
        while (found := decode(stream, position, end, level)) is not None:
            packet, position = found
            received.append(packet)
    assert received == sent
    assert position == len(stream)


@pytest.mark.parametrize("level", [versions.V3_1, versions.V3_1_1])
def test_what_mqtt_3_has_no_field_for_is_left_out(level: int) -> None:
    assert encode(PubAck(7, 0x97, {"reason_string": "full"}), level) == bytes.fromhex("40020007")
    assert encode(Disconnect(0x8E, {"reason_string": "taken over"}), level) == bytes.fromhex("e000")
    assert encode(UnsubAck(7, (0x11,)), level) == bytes.fromhex("b0020007")
    assert encode(SubAck(7, (1, 0x87, 0x97)), level) == bytes.fromhex("90050007018080")
    assert encode(Subscribe(7, (Subscription("a", 1, True, True, 2),)), level) == bytes.fromhex("82060007000161 01")
    assert encode(Publish("a", b"x", properties={"content_type": "t"}), level) == bytes.fromhex("300400016178")
    with pytest.raises(ValueError, match="no AUTH"):
        encode(Auth(), level)


@pytest.mark.parametrize(
    ("code", "return_code"), [(0, 0), (0x84, 1), (0x85, 2), (0x88, 3), (0x86, 4), (0x87, 5), (5, 5)]
)
def test_connack_codes_are_translated_for_mqtt_3(code: int, return_code: int) -> None:
    assert encode(ConnAck(code), versions.V3_1_1) == bytes((0x20, 2, 0, return_code))


def test_session_present_is_left_out_in_mqtt_3_1() -> None:
    assert encode(ConnAck(0, True), versions.V3_1) == bytes.fromhex("20020000")
    assert encode(ConnAck(0, True), versions.V3_1_1) == bytes.fromhex("20020100")


def test_what_is_usual_is_left_out_in_mqtt_5() -> None:
    assert encode(PubAck(7), versions.V5) == bytes.fromhex("40020007")
    assert encode(PubAck(7, 0x10), versions.V5) == bytes.fromhex("4003000710")
    assert encode(Disconnect(), versions.V5) == bytes.fromhex("e000")
    assert encode(Disconnect(0x8E), versions.V5) == bytes.fromhex("e0018e")
    assert encode(Auth(), versions.V5) == bytes.fromhex("f000")


def test_what_may_be_left_out_may_be_written_too() -> None:
    for written in ("40020007", "4003000700", "400400070000"):
        data = bytes.fromhex(written)
        assert decode(data, 0, len(data), versions.V5) == (PubAck(7), len(data))
    for written in ("e000", "e00100", "e0020000"):
        data = bytes.fromhex(written)
        assert decode(data, 0, len(data), versions.V5) == (Disconnect(), len(data))
