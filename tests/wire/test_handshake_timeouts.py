"""A handshake that is never finished is ended by the broker, whatever is or isn't sent (A.3.8).

The broker here allows half a second instead of ten.
"""

from __future__ import annotations

import select
import time
from collections.abc import Iterator

import pytest

from tests.support import amqp_bytes as wire
from tests.support.amqp_wire import TIME_LIMIT_S, WireClient, start_ok, tune_ok
from tests.support.brokers import Broker, run_warren
from tests.wire.conftest import assert_serves

HANDSHAKE_TIMEOUT_S = 0.5

LEAST_S = HANDSHAKE_TIMEOUT_S * 0.8
"""Not earlier than this; the broker's clock has a resolution."""


@pytest.fixture(scope="module")
def impatient() -> Iterator[Broker]:
    """A broker with a short handshake timeout."""
    with run_warren("--set", f"handshake_timeout_s={HANDSHAKE_TIMEOUT_S}") as broker:
        yield broker
        assert "Traceback" not in broker.read_log()


STAGES = {
    "nothing": b"",
    "half a header": wire.PROTOCOL_HEADER[:5],
    "header": wire.PROTOCOL_HEADER,
    "half of start-ok": wire.PROTOCOL_HEADER + start_ok()[:20],
    "start-ok": wire.PROTOCOL_HEADER + start_ok(),
    "tune-ok": wire.PROTOCOL_HEADER + start_ok() + tune_ok(),
    "heartbeats instead of open": wire.PROTOCOL_HEADER + start_ok() + tune_ok() + wire.heartbeat() * 3,
}


@pytest.mark.parametrize("sent", STAGES.values(), ids=STAGES)
def test_truncated_handshakes(impatient: Broker, sent: bytes) -> None:
    with WireClient(impatient.address) as client:
        started = time.monotonic()
        client.send(sent)
        client.read_to_end()
        assert time.monotonic() - started > LEAST_S
    assert_serves(impatient.address)


@pytest.mark.parametrize("sent", [STAGES["header"], STAGES["tune-ok"]], ids=["in start-ok", "in open"])
def test_endless_handshakes(impatient: Broker, sent: bytes) -> None:
    """An octet now and then keeps nothing alive."""
    trickle = iter(wire.method(0, "connection.start-ok", wire.table({"k": "v" * 2000})))
    with WireClient(impatient.address) as client:
        started = time.monotonic()
        client.send(sent)
        while not closed_within(client, 0.02):
            assert time.monotonic() - started < TIME_LIMIT_S
            client.send_if_open(bytes([next(trickle)]))
        assert time.monotonic() - started > LEAST_S
    assert_serves(impatient.address)


def test_an_open_connection_has_no_such_limit(impatient: Broker) -> None:
    """Two heartbeats of the broker's take longer than the handshake timeout."""
    with WireClient(impatient.address) as client:
        client.handshake(heartbeat_s=1)
        client.open_channel()
        for _ in range(2):
            assert client.read_any_frame().name == "heartbeat"
        client.round_trip(1)


def test_many_unfinished_handshakes_hold_nobody_up(impatient: Broker) -> None:
    clients = [WireClient(impatient.address) for _ in range(200)]
    try:
        for client in clients[::2]:
            client.send(wire.PROTOCOL_HEADER)
        assert_serves(impatient.address)
        for client in clients:
            client.read_to_end()
    finally:
        for client in clients:
            client.socket.close()


def closed_within(client: WireClient, seconds: float) -> bool:
    """Whether the broker closes the socket; what it says before is thrown away."""
    while select.select([client.socket], [], [], seconds)[0]:
        try:
            if not client.socket.recv(4096):
                return True
        except ConnectionResetError:
            return True
    return False
