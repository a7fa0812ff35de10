"""The stage that chooses a protocol by the first bytes, without sockets."""

from __future__ import annotations

import logging

import pytest

from tests.support.recording_session import Recorder, accepted
from tests.support.simulated_broker import SimulatedBroker
from warren.adapters.detection import Choices, detect
from warren.adapters.first_bytes import TLS_REFUSED
from warren.adapters.interface import AcceptCarrier
from warren.adapters.stage import Stage, stage_without_session
from warren.core.broker import Broker
from warren.core.clients.outbox import Outbox
from warren.core.clients.transport import Carrier, Session, TlsState
from warren.gateway.protocols import PROTOCOLS

TIMEOUT_MS = 10_000

HELLO = bytes.fromhex("16 0301 0004 01000000")

STARTS = {
    "amqp": b"AMQP\x00\x00\x09\x01",
    "mqtt": bytes.fromhex("10 0e 0004") + b"MQTT" + bytes.fromhex("04 02 003c 0002") + b"me",
    "stomp": b"CONNECT\naccept-version:1.2\n\n\0",
    "ws": b"GET /ws HTTP/1.1\r\nHost: here\r\n\r\n",
}


class Recorders(dict[str, Recorder]):
    """One per protocol; `choices` is what a stage is given."""

    def __init__(self) -> None:
        super().__init__({name: Recorder() for name in STARTS})

    def choices(self, tls: AcceptCarrier | None = None) -> Choices:
        return Choices(PROTOCOLS.own(), {name: recorder.accept for name, recorder in self.items()}, tls, TIMEOUT_MS)

    @property
    def made(self) -> list[str]:
        return [name for name, recorder in self.items() if recorder.sessions]


@pytest.fixture
def broker() -> SimulatedBroker:
    return SimulatedBroker()


@pytest.fixture
def recorders() -> Recorders:
    return Recorders()


@pytest.mark.parametrize("name", STARTS)
def test_each_protocol_wherever_the_bytes_are_cut(broker: SimulatedBroker, name: str) -> None:
    start = STARTS[name]
    for cut in range(len(start) + 1):
        recorders = Recorders()
        transport = accepted(broker, detect(recorders.choices()))
        for piece in (start[:cut], start[cut:], b"and more"):
            if piece:
                transport.receive(piece)
        assert recorders.made == [name]
        session = recorders[name].session
        assert session.received == start + b"and more"
        assert transport.session is session, "the stage is still on the path"
        assert session.transport is transport
        assert transport.outbox is session.outbox
        session.outbox.write(b"answer")
        broker.settle()
        assert transport.take() == b"answer"
        transport.lose()
        assert session.lost == "the peer closed the socket"
        assert broker.timers == 0


@pytest.mark.parametrize("name", STARTS)
def test_byte_by_byte(broker: SimulatedBroker, recorders: Recorders, name: str) -> None:
    transport = accepted(broker, detect(recorders.choices()))
    for position in range(len(STARTS[name])):
        transport.receive(STARTS[name][position : position + 1])
    assert recorders.made == [name]
    assert recorders[name].session.received == STARTS[name]


def test_what_is_nothing_known_is_closed(
    broker: SimulatedBroker, recorders: Recorders, caplog: pytest.LogCaptureFixture
) -> None:
    transport = accepted(broker, detect(recorders.choices()), "192.0.2.7", 1234)
    transport.receive(b"\0\0\0\x2a\xffSMB")
    broker.settle()
    assert transport.closed
    assert not transport.aborted
    assert transport.take() == b""
    assert recorders.made == []
    assert broker.timers == 0
    assert "192.0.2.7:1234" in caplog.text
    assert "which is none of amqp, mqtt, stomp, ws" in caplog.text


def test_a_protocol_that_is_not_there_is_closed(
    broker: SimulatedBroker, recorders: Recorders, caplog: pytest.LogCaptureFixture
) -> None:
    del recorders["ws"]
    transport = accepted(broker, detect(recorders.choices()))
    transport.receive(STARTS["ws"])
    broker.settle()
    assert transport.closed
    assert "it begins with WS, which isn't served on this port" in caplog.text


def test_tls_without_a_certificate_gets_an_alert_and_a_log_line(
    broker: SimulatedBroker, recorders: Recorders, caplog: pytest.LogCaptureFixture
) -> None:
    transport = accepted(broker, detect(recorders.choices()))
    transport.receive(HELLO)
    broker.settle()
    assert transport.closed
    assert transport.take() == TLS_REFUSED == bytes.fromhex("15 03 01 00 02 02 28")
    assert "set tls_certificate_file" in caplog.text


@pytest.mark.parametrize("sent", [b"", b"CONN", b"\x16"])
def test_slow_first_bytes_time_out(
    broker: SimulatedBroker, recorders: Recorders, caplog: pytest.LogCaptureFixture, sent: bytes
) -> None:
    transport = accepted(broker, detect(recorders.choices()))
    if sent:
        transport.receive(sent)
    broker.advance(TIMEOUT_MS - 1)
    assert not transport.closed
    broker.advance(1)
    broker.settle()
    assert transport.closed
    assert "within 10 s" in caplog.text
    assert recorders.made == []


def test_a_peer_that_only_looks_whether_the_port_is_open_is_no_warning(
    broker: SimulatedBroker, recorders: Recorders, caplog: pytest.LogCaptureFixture
) -> None:
    transport = accepted(broker, detect(recorders.choices()))
    transport.lose()
    assert [record for record in caplog.records if record.levelno > logging.DEBUG] == []
    assert broker.timers == 0


def test_a_stop_closes_it(broker: SimulatedBroker, recorders: Recorders) -> None:
    transport = accepted(broker, detect(recorders.choices()))
    transport.receive(b"H")
    stage = stage_without_session(transport.session)
    assert stage is transport.session
    stage.shut_down("stop")
    transport.receive(b"ELP\r\n")
    broker.settle()
    assert transport.closed
    assert recorders.made == []
    assert broker.timers == 0


class PretendedTls(Stage):
    """Encrypts nothing; what counts is that there is a stage below the second decision."""

    accept_inside: AcceptCarrier

    def receive(self, data: bytes) -> None:
        if self.session is None:
            self.tls = TlsState("TLSv1.3", "TLS_AES_256_GCM_SHA384")
            self.carry(self.accept_inside)
            return
        self.pass_on(data)


@pytest.mark.parametrize("name", STARTS)
def test_inside_tls_the_decision_is_made_again(broker: SimulatedBroker, recorders: Recorders, name: str) -> None:
    stages: list[PretendedTls] = []

    def tls(broker: Broker, below: Carrier) -> tuple[Session, Outbox]:
        stage = PretendedTls(broker, below)
        stage.accept_inside = detect(recorders.choices())
        stages.append(stage)
        return stage, stage.outbox

    transport = accepted(broker, detect(recorders.choices(tls)))
    transport.receive(HELLO)
    assert transport.session is stages[0]
    assert isinstance(stage_without_session(transport.session), Stage)
    transport.receive(STARTS[name])
    session = recorders[name].session
    assert session.received == STARTS[name]
    assert session.transport is stages[0], "the inner stage has left"
    assert stages[0].session is session
    assert session.transport.tls is not None
    assert stage_without_session(transport.session) is None
    transport.lose()
    assert session.lost is not None
    assert broker.timers == 0


def test_tls_in_tls_is_refused(broker: SimulatedBroker, recorders: Recorders, caplog: pytest.LogCaptureFixture) -> None:
    transport = accepted(broker, _inside_tls(detect(recorders.choices())))
    transport.receive(HELLO)
    transport.receive(HELLO)
    broker.settle()
    assert transport.closed
    assert transport.take() == b""
    assert "it begins with TLS, which isn't served on this port" in caplog.text


def _inside_tls(inside: AcceptCarrier) -> AcceptCarrier:
    def accept(broker: Broker, below: Carrier) -> tuple[Session, Outbox]:
        stage = PretendedTls(broker, below)
        stage.accept_inside = inside
        return stage, stage.outbox

    return accept
