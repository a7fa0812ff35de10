"""Whole sessions with bytes changed, left out, repeated: whatever comes, an answer or a closed connection, never a bug.

A bug of the broker's would be logged as an error, which the fixture `simulated` takes for a failure.
"""

from __future__ import annotations

import random

import pytest

from tests.adapters.stomp.conftest import Connect
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_stomp import frame
from warren.adapters.stomp.settings import StompSettings

SESSION = b"".join(
    [
        frame("CONNECT", accept_version="1.1,1.2", heart_beat="0,0", host="/"),
        frame("SUBSCRIBE", id="1", destination="/queue/a", ack="client", prefetch_count="5", x_priority="2"),
        frame("SUBSCRIBE", id="2", destination="/topic/a.#", durable="true", auto_delete="false"),
        frame("SUBSCRIBE", id="3", destination="/exchange/amq.headers/k", x_queue_name="mine"),
        frame("SEND", b"hello", destination="/queue/a", receipt="1", persistent="true", x_max_length="3"),
        frame("SEND", b"a\0b", destination="/topic/a.b", content_length="3", priority="1", timestamp="5"),
        frame("SEND", b"hello", destination="/queue/a", reply_to="/temp-queue/t", expiration="1000"),
        frame("BEGIN", transaction="t"),
        frame("SEND", b"hello", destination="/exchange/amq.fanout", transaction="t"),
        frame("ACK", id="T_1@@session-x@@1", transaction="t"),
        frame("COMMIT", transaction="t", receipt="2"),
        frame("UNSUBSCRIBE", id="2", durable="true"),
        b"HELP\r\nsend\r\ndestination: a\r\n\r\nhello\r\n.\r\n",
        frame("DISCONNECT", receipt="3"),
    ]
)

SPECIAL = [b"\0", b"\n", b"\r", b"\r\n", b":", b"\\", b"\\n", b"%2F", b"/", b"-", b"\xff", b"@@", b".", b""]

ROUNDS = 150


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("friendly", [False, True])
def test_mutated_sessions(accept: Connect, simulated: SimulatedBroker, seed: int, friendly: bool) -> None:
    chance = random.Random(seed)
    for _ in range(ROUNDS):
        data = bytearray(SESSION)
        for _ in range(chance.randrange(1, 8)):
            at = chance.randrange(len(data))
            stop = at + chance.choice([0, 0, 1, 1, 2, 20])
            data[at:stop] = chance.choice([*SPECIAL, bytes([chance.randrange(256)]), bytes(data[at : at + 40])])
        client = accept(StompSettings(friendly=friendly, implicit_connect=chance.random() < 0.2))
        for start in range(0, len(data), 97):
            client.transport.receive(bytes(data[start : start + 97]))
            simulated.settle()
        client.transport.lose()
        simulated.settle()
    assert simulated.broker.client_count == 0
