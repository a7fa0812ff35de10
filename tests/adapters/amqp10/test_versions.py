"""One listener for AMQP takes every version of it, told apart by the protocol header, however it is cut."""

from __future__ import annotations

import pytest

from tests.adapters.amqp10.conftest import Connect
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_transport import SimulatedTransport
from warren.adapters.amqp091.connection import Connection as Amqp091Connection
from warren.adapters.amqp10.connection import Connection as Amqp10Connection
from warren.adapters.interface import Beginning
from warren.gateway.configuration.config import Config
from warren.gateway.configuration.options import accept_by_protocol
from warren.gateway.protocols import PROTOCOLS


def accepted(simulated: SimulatedBroker, name: str) -> SimulatedTransport:
    """A connection to a listener of this name, which has said nothing yet."""
    transport = SimulatedTransport()
    transport.unkept = simulated.broker.unkept
    accept = accept_by_protocol(Config(in_memory=True), [name])[name]
    transport.session, transport.outbox = accept(simulated.broker, transport)
    return transport


@pytest.mark.parametrize("size", [1, 3, 5, 8])
@pytest.mark.parametrize("header", [b"AMQP\x03\x01\x00\x00", b"AMQP\x00\x01\x00\x00"], ids=["sasl", "amqp"])
def test_a_header_of_1_0_brings_1_0(simulated: SimulatedBroker, header: bytes, size: int) -> None:
    transport = accepted(simulated, "amqp")
    for at in range(0, 8, size):
        transport.receive(header[at : at + size])
    simulated.settle()
    assert transport.take().startswith(b"AMQP\x03\x01\x00\x00")
    assert isinstance(transport.session, Amqp10Connection)
    transport.lose()
    simulated.settle()
    assert not simulated.broker.sessions


@pytest.mark.parametrize("size", [1, 8])
def test_a_header_of_0_9_1_brings_that(simulated: SimulatedBroker, size: int) -> None:
    transport = accepted(simulated, "amqp")
    header = b"AMQP\x00\x00\x09\x01"
    for at in range(0, 8, size):
        transport.receive(header[at : at + size])
    simulated.settle()
    assert transport.take()[:1] == b"\x01"
    assert isinstance(transport.session, Amqp091Connection)
    transport.lose()


@pytest.mark.parametrize("header", [b"AMQP\x04\x01\x00\x00", b"AMQP\x00\x02\x00\x00", b"AMQP\x00\x01\x00\x01"])
def test_any_other_is_told_what_is_spoken(simulated: SimulatedBroker, header: bytes) -> None:
    transport = accepted(simulated, "amqp")
    transport.receive(header)
    simulated.settle()
    assert transport.take() == b"AMQP\x00\x00\x09\x01"


def test_a_listener_of_its_own_takes_1_0_alone(simulated: SimulatedBroker) -> None:
    transport = accepted(simulated, "amqp10")
    transport.receive(b"AMQP\x00\x00\x09\x01")
    simulated.settle()
    assert transport.take() == b"AMQP\x03\x01\x00\x00"


@pytest.mark.parametrize(
    ("start", "judged"),
    [
        (b"A", Beginning.MORE),
        (b"AMQP", Beginning.MORE),
        (b"AMQP\x00", Beginning.MORE),
        (b"AMQP\x00\x01\x00", Beginning.MORE),
        (b"AMQP\x00\x01\x00\x00", Beginning.MINE),
        (b"AMQP\x03\x01\x00\x00more", Beginning.MINE),
        (b"AMQP\x00\x00", Beginning.OTHER),
        (b"AMQP\x01", Beginning.OTHER),
        (b"GET", Beginning.OTHER),
    ],
)
def test_first_bytes(start: bytes, judged: Beginning) -> None:
    first_bytes = PROTOCOLS.adapter("amqp10").first_bytes
    assert first_bytes is not None
    assert first_bytes(start) is judged


def test_listings_show_what_is_open(connect: Connect, simulated: SimulatedBroker) -> None:
    client = connect()
    client.attach_sender("/queue/q")
    client.attach_receiver("/queue/q")
    row = client.connection.connection_row()
    assert (row.protocol_name, row.channels, row.sessions, row.links) == ("AMQP 1-0", 1, 1, 2)
    (session,) = client.connection.channel_rows()
    assert (session.number, session.consumer_count, session.exists) == (0, 1, True)
    client.end()
    assert not session.exists
