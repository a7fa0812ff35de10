"""Heartbeats: who sends when, and who is cut off (A.3 Heartbeats).

Time passes for real here, because the broker under test is another process; every wait is for something to
arrive.
"""

from __future__ import annotations

import time

from tests.support import amqp_bytes as wire
from tests.support.amqp_wire import TIME_LIMIT_S, Address, wire_client


def test_the_broker_sends_heartbeats(broker_address: Address) -> None:
    """Every half second for an interval of 1 s; what a loaded machine adds stays below the client's patience."""
    with wire_client(broker_address, heartbeat_s=1) as client:
        for _ in range(4):
            started = time.monotonic()
            frame = client.read_any_frame()
            assert (frame.name, frame.channel, frame.payload) == ("heartbeat", 0, b"")
            assert time.monotonic() - started < 2, "a client would have given up"


def test_a_silent_client_is_cut_off(broker_address: Address) -> None:
    """Between two and three intervals after its last octet, without a word."""
    with wire_client(broker_address, heartbeat_s=1) as client:
        started = time.monotonic()
        frames = client.read_to_end(TIME_LIMIT_S)
        assert time.monotonic() - started > 1.9
    assert frames.replace(wire.heartbeat(), b"") == b""


def test_heartbeats_keep_a_client_alive(broker_address: Address) -> None:
    """Answering each of the broker's heartbeats, for longer than a silent client would last."""
    with wire_client(broker_address, heartbeat_s=1) as client:
        started = time.monotonic()
        while time.monotonic() - started < 4:
            assert client.read_any_frame().name == "heartbeat"
            client.send(wire.heartbeat())
        client.round_trip(1)


def test_any_octet_keeps_a_client_alive(broker_address: Address) -> None:
    """One octet of a frame for each heartbeat of the broker's."""
    frame = wire.method(1, "basic.qos", wire.long(0), wire.short(1), wire.bits(False))
    with wire_client(broker_address, heartbeat_s=1) as client:
        for number in frame[:10]:
            client.send(bytes([number]))
            assert client.read_any_frame().name == "heartbeat"
        client.send(frame[10:])
        client.expect("basic.qos-ok", 1)
