"""Packets that wait for the end of an alarm, without a connection: which they are, and in which order they go on."""

from __future__ import annotations

import pytest

from tests.support.simulated_transport import SimulatedTransport
from warren.adapters.mqtt.codec import versions
from warren.adapters.mqtt.codec.encode import PINGRESP, encode
from warren.adapters.mqtt.codec.errors import PacketError
from warren.adapters.mqtt.codec.packets import PingReq, Publish, Subscribe, Subscription
from warren.adapters.mqtt.holding_back import LOOKED_INTO_BYTES_MAX, HeldPackets, packet_end
from warren.adapters.session.held import HELD_BYTES_MAX
from warren.adapters.session.read_gate import ReadGate
from warren.core.alarms import Alarms

NEVER = (versions.PUBACK, versions.PUBREC, versions.PUBREL, versions.PUBCOMP, versions.PINGREQ, versions.DISCONNECT)
OTHERS = (versions.SUBSCRIBE, versions.UNSUBSCRIBE, versions.AUTH)


def made() -> tuple[HeldPackets, Alarms, SimulatedTransport]:
    alarms, transport = Alarms(), SimulatedTransport()
    return HeldPackets(alarms, ReadGate(transport)), alarms, transport


def test_from_a_publish_under_an_alarm_on_everything_waits_but_answers() -> None:
    held, alarms, _ = made()
    assert not any(map(held.wants, (*NEVER, *OTHERS, versions.PUBLISH)))
    alarms.set("memory", True)
    assert held.wants(versions.PUBLISH)
    assert not any(map(held.wants, (*NEVER, *OTHERS))), "nothing is overtaken yet"
    held.add(b"first")
    assert held.active
    assert all(map(held.wants, (*OTHERS, versions.PUBLISH)))
    assert not any(map(held.wants, NEVER))
    alarms.set("memory", False)
    assert all(map(held.wants, OTHERS)), "until what waits is taken"


def test_it_goes_on_in_order_once_the_alarm_is_over() -> None:
    held, alarms, _ = made()
    alarms.set("memory", True)
    held.add(b"one")
    held.add(b"two")
    assert held.take() == b""
    assert held.active
    alarms.set("memory", False)
    assert held.take() == b"onetwo"
    assert not held.active
    assert held.take() == b""


def test_past_a_bound_the_connection_is_not_read() -> None:
    held, alarms, transport = made()
    alarms.set("memory", True)
    held.add(b"x" * HELD_BYTES_MAX)
    assert not transport.paused
    held.add(b"x")
    assert transport.paused
    alarms.set("memory", False)
    assert len(held.take()) == HELD_BYTES_MAX + 1
    assert not transport.paused


def test_at_the_end_it_is_void() -> None:
    held, alarms, _ = made()
    alarms.set("memory", True)
    held.add(b"one")
    held.end()
    assert not held.active
    alarms.set("memory", False)
    assert held.take() == b""


@pytest.mark.parametrize(
    "packet",
    [Publish("t", b"x" * 200, 1, 1), Subscribe(1, (Subscription("t"),)), PingReq()],
    ids=["publish", "sub", "ping"],
)
def test_a_packet_is_held_when_it_is_whole(packet: Publish | Subscribe | PingReq) -> None:
    data = b"." + encode(packet, versions.V5) + PINGRESP
    whole = len(data) - len(PINGRESP)
    for end in range(2, whole):
        assert packet_end(data, 1, end, versions.V5, 1000) == -1
    assert packet_end(data, 1, whole, versions.V5, 1000) == whole
    assert packet_end(data, 1, len(data), versions.V5, 1000) == whole


def test_one_that_is_too_long_or_malformed_is_refused_at_once() -> None:
    data = encode(Publish("t", b"x" * 200, 1, 1), versions.V5)
    with pytest.raises(PacketError):
        packet_end(data, 0, len(data), versions.V5, 100)
    with pytest.raises(PacketError):
        packet_end(b"\x36\x05\x00\x01tx\x00", 0, 7, versions.V5, 100)


def padded(length: int) -> bytes:
    """A SUBSCRIBE with a body of so many bytes, whose only filter has options that mean nothing."""
    filter = b"f" * (length - 2 - 1 - 2 - 1)
    body = b"\x00\x01\x00" + len(filter).to_bytes(2, "big") + filter + b"\xff"
    return b"\x82" + bytes([length & 0x7F | 0x80, length >> 7]) + body


def test_a_wrong_one_is_refused_at_once_unless_it_is_long() -> None:
    short, long = padded(LOOKED_INTO_BYTES_MAX), padded(LOOKED_INTO_BYTES_MAX + 1)
    with pytest.raises(PacketError):
        packet_end(short, 0, len(short), versions.V5, 10_000)
    with pytest.raises(PacketError):
        packet_end(b"....." + short, 5, len(short) + 5, versions.V5, 10_000)
    assert packet_end(long, 0, len(long), versions.V5, 10_000) == len(long)
    with pytest.raises(PacketError):
        packet_end(long, 0, len(long), versions.V5, LOOKED_INTO_BYTES_MAX)


def test_a_wrong_publish_is_refused_at_once_however_long_it_is() -> None:
    data = bytearray(encode(Publish("t", b"x" * 2 * LOOKED_INTO_BYTES_MAX, 1, 1), versions.V5))
    assert packet_end(bytes(data), 0, len(data), versions.V5, 10_000) == len(data)
    data[0] |= 6
    with pytest.raises(PacketError):
        packet_end(bytes(data), 0, len(data), versions.V5, 10_000)


def test_at_the_end_nothing_is_kept() -> None:
    held, alarms, _ = made()
    alarms.set("memory", True)
    held.add(b"x")
    kept = held._held
    held.end()
    assert kept is not None
    assert len(kept) == 0
