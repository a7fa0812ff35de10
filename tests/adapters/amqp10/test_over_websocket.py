"""AMQP 1.0 in WebSocket's messages, with the subprotocol `amqp`: told apart from 0-9-1 as on a socket."""

from __future__ import annotations

import pytest
from wsproto.events import BytesMessage

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_websocket import WebSocketClient, frame
from warren.adapters.amqp10.codec.framing import SASL_HEADER


@pytest.mark.parametrize("cut", ["whole", "byte by byte"])
@pytest.mark.parametrize("subprotocols", [["amqp"], []], ids=["amqp", "none"])
def test_the_header_tells_it(simulated: SimulatedBroker, subprotocols: list[str], cut: str) -> None:
    client = WebSocketClient(simulated)
    client.upgrade(subprotocols=subprotocols)
    client.send(frame(0x82, SASL_HEADER), cut)
    data = b"".join(bytes(event.data) for event in client.events() if isinstance(event, BytesMessage))
    assert data.startswith(SASL_HEADER)
    (session,) = simulated.broker.sessions
    assert session.connection_row().protocol == "Web AMQP 1-0"
    client.transport.lose()
    simulated.settle()
    assert not simulated.broker.sessions
