"""What all stages have in common."""

from __future__ import annotations

import pytest

from tests.support.recording_session import Recorder, accepted
from tests.support.simulated_broker import SimulatedBroker
from warren.adapters.stage import Stage, stage_without_session
from warren.core.broker import Broker
from warren.core.clients.outbox import Outbox
from warren.core.clients.transport import Carrier, Session


class Broken(Stage):
    """Can't encode."""

    def receive(self, data: bytes) -> None:
        self.pass_on(data)

    def encode(self, chunks: list[bytes]) -> list[bytes]:
        raise ZeroDivisionError


def test_a_bug_in_sending_ends_one_connection(caplog: pytest.LogCaptureFixture) -> None:
    broker, recorder = SimulatedBroker(), Recorder()

    def accept(broker: Broker, below: Carrier) -> tuple[Session, Outbox]:
        stage = Broken(broker, below)
        stage.carry(recorder.accept)
        return stage, stage.outbox

    broken = accepted(broker, accept)
    good = accepted(broker, recorder.accept)
    for session in recorder.sessions:
        session.outbox.write(b"hello")
    broker.settle()
    assert broken.aborted
    assert recorder.sessions[0].lost == "closed by the broker"
    assert good.take() == b"hello"
    assert [record.exc_info is not None for record in caplog.records] == [True]


def test_who_has_no_session_yet() -> None:
    broker, recorder = SimulatedBroker(), Recorder()

    def outer(broker: Broker, below: Carrier) -> tuple[Session, Outbox]:
        stage = Broken(broker, below)
        stage.carry(inner)
        return stage, stage.outbox

    def inner(broker: Broker, below: Carrier) -> tuple[Session, Outbox]:
        stage = Broken(broker, below)
        return stage, stage.outbox

    transport = accepted(broker, outer)
    found = stage_without_session(transport.session)
    assert isinstance(transport.session, Broken)
    assert found is transport.session.session
    assert found is not None
    found.carry(recorder.accept)
    assert stage_without_session(transport.session) is None
    assert stage_without_session(recorder.session) is None
