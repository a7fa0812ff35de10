"""The stage that reads the PROXY header, without sockets."""

from __future__ import annotations

import logging

import pytest

from tests.support.recording_session import Recorder, accepted
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_transport import SimulatedTransport
from warren.adapters.proxy_protocol.stage import expect_proxy_header

TIMEOUT_MS = 10_000

LINE = b"PROXY TCP4 198.51.100.7 192.0.2.1 56324 5672\r\n"
BINARY = bytes.fromhex("0D0A0D0A000D0A515549540A 21 11 000C C6336407 C0000201 DC04 1628")


@pytest.fixture
def broker() -> SimulatedBroker:
    return SimulatedBroker()


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


def connected(broker: SimulatedBroker, recorder: Recorder) -> SimulatedTransport:
    return accepted(broker, expect_proxy_header(recorder.accept, TIMEOUT_MS), "10.0.0.1", 40_000)


@pytest.mark.parametrize("header", [LINE, BINARY], ids=["v1", "v2"])
def test_the_session_sees_the_real_peer_wherever_the_header_is_cut(broker: SimulatedBroker, header: bytes) -> None:
    data = header + b"AMQP"
    for cut in range(1, len(data)):
        recorder = Recorder()
        transport = connected(broker, recorder)
        transport.receive(data[:cut])
        assert bool(recorder.sessions) == (cut >= len(header))
        transport.receive(data[cut:])
        session = recorder.session
        assert session.received == b"AMQP"
        assert (session.transport.peer_host, session.transport.peer_port) == ("198.51.100.7", 56324)
        assert (session.transport.host, session.transport.port) == ("192.0.2.1", 5672)
        assert transport.session is session, "the stage is still on the path"
        transport.lose()
        assert broker.timers == 0


def test_a_proxy_that_speaks_for_itself_is_the_peer(broker: SimulatedBroker, recorder: Recorder) -> None:
    transport = connected(broker, recorder)
    transport.receive(bytes.fromhex("0D0A0D0A000D0A515549540A 20 00 0000"))
    assert recorder.session.transport.peer_host == "10.0.0.1"
    assert recorder.session.transport.peer_port == 40_000


def test_a_peer_that_the_proxy_says_nothing_about_has_no_address(broker: SimulatedBroker, recorder: Recorder) -> None:
    transport = accepted(broker, expect_proxy_header(recorder.accept, TIMEOUT_MS), "127.0.0.1", 40_000)
    transport.receive(b"PROXY UNKNOWN\r\n")
    assert recorder.session.transport.peer_host == "unknown"


@pytest.mark.parametrize("data", [b"AMQP\0\0\x09\x01", b"PROXY TCP4 localhost me 1 2\r\n", b"\x16\x03\x01\0\0"])
def test_a_connection_without_a_header_is_refused(
    broker: SimulatedBroker, recorder: Recorder, caplog: pytest.LogCaptureFixture, data: bytes
) -> None:
    transport = connected(broker, recorder)
    transport.receive(data)
    transport.receive(LINE)
    broker.settle()
    assert transport.closed
    assert transport.take() == b""
    assert recorder.sessions == []
    assert broker.timers == 0
    assert "connection 10.0.0.1:40000" in caplog.text
    assert "only a proxy that sends one may connect" in caplog.text


@pytest.mark.parametrize("sent", [b"", LINE[:-1], BINARY[:-1]])
def test_a_slow_header_times_out(
    broker: SimulatedBroker, recorder: Recorder, caplog: pytest.LogCaptureFixture, sent: bytes
) -> None:
    transport = connected(broker, recorder)
    if sent:
        transport.receive(sent)
    broker.advance(TIMEOUT_MS)
    broker.settle()
    assert transport.closed
    assert "no PROXY header within 10 s" in caplog.text


def test_a_look_whether_the_port_is_open_is_no_warning(
    broker: SimulatedBroker, recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    connected(broker, recorder).lose()
    assert [record for record in caplog.records if record.levelno > logging.DEBUG] == []
    assert broker.timers == 0


def test_a_stop_closes_it(broker: SimulatedBroker, recorder: Recorder) -> None:
    transport = connected(broker, recorder)
    transport.session.shut_down("stop")
    broker.settle()
    assert transport.closed
    assert broker.timers == 0
