"""The log says of each connection, in a line each, that it was accepted, that somebody logged in, and that it ended."""

from __future__ import annotations

import logging
import re
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import pytest
import trio

from tests.support.certificates import TestAuthority, config_with
from tests.support.simulated_amqp10 import Amqp10Client
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_client import handshake_bytes
from tests.support.simulated_mqtt import MqttClient
from tests.support.simulated_stomp import StompClient, frame
from tests.support.tls_broker import hub_of, nobody_connected
from warren.adapters.amqp091.codec import methods
from warren.adapters.amqp091.codec.constants import PROTOCOL_HEADER
from warren.adapters.mqtt.codec import versions
from warren.adapters.mqtt.codec.encode import encode
from warren.adapters.mqtt.codec.packets import Connect
from warren.core.clients.transport import TlsState
from warren.gateway import EmbeddedBroker, open_broker

STOMP = frame("CONNECT", accept_version="1.2", login="guest", passcode="guest", client_id="typist")
HANDSHAKES = {
    "amqp": (handshake_bytes(), "AMQP 0-9-1"),
    "stomp": (STOMP, "STOMP 1.2, client 'typist'"),
    "mqtt": (
        encode(Connect(level=versions.V5, client_id="meter", username="guest", password=b"guest"), versions.V5),
        "MQTT 5-0, client 'meter'",
    ),
}
TIME_LIMIT_S = 60


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "warren.connection"]


async def log_in(broker: EmbeddedBroker, stream: trio.abc.Stream, data: bytes) -> None:
    """Return when the broker has let somebody in."""
    await stream.send_all(data)
    with trio.fail_after(TIME_LIMIT_S):
        while not broker.inspect("connections"):
            await stream.receive_some()


@pytest.mark.parametrize("protocol", HANDSHAKES)
async def test_three_lines_of_a_connection(protocol: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    data, who = HANDSHAKES[protocol]
    async with open_broker(listen=[f"{protocol}=127.0.0.1:0"]) as broker:
        stream = await trio.open_tcp_stream(*broker.address(protocol))
        await log_in(broker, stream, data)
        host, port = stream.socket.getsockname()
        await stream.aclose()
        await nobody_connected(broker)
        own_port = broker.address(protocol)[1]
    accepted, logged_in, ended = lines(caplog)
    name = f"connection {host}:{port} -> 127.0.0.1:{own_port}"
    assert accepted == f"{name} accepted on {protocol}"
    assert logged_in == f"{name} logged in: user 'guest', vhost '/', {who}, no TLS"
    assert re.fullmatch(rf"{name} ended: .+; {len(data)} bytes received, \d+ sent", ended)
    assert "passcode" not in caplog.text


def test_amqp_1_0_says_what_its_container_is_called(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    simulated = SimulatedBroker()
    client = Amqp10Client(simulated)
    client.transport.tls = TlsState("TLSv1.3", "TLS_AES_256_GCM_SHA384")
    client.transport.is_websocket = True
    client.open()
    simulated.close()
    (line,) = lines(caplog)
    assert line.endswith("logged in: user 'guest', vhost '/', AMQP 1-0 over WebSocket, client 'test', TLSv1.3")


def test_a_connection_of_amqp_says_the_name_it_gives_itself(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    simulated = SimulatedBroker()
    named = methods.ConnectionStartOk({"connection_name": "till 3"}, "PLAIN", b"\0guest\0guest", "en_US")
    said = (named, methods.ConnectionTuneOk(100, 131_072, 0), methods.ConnectionOpen("/"))
    simulated.accept().send_bytes(PROTOCOL_HEADER + b"".join(methods.encode_frame(0, each) for each in said))
    simulated.settle()
    (line,) = lines(caplog)
    assert line.endswith("AMQP 0-9-1, client 'till 3', no TLS")
    simulated.close()


async def test_with_tls_its_version_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    authority = TestAuthority(tmp_path)
    config = config_with(authority, authority.issue("server", "localhost"))
    async with open_broker(listen=["stomps=127.0.0.1:0"], config=config) as broker:
        context = authority.client_context()
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        raw = await trio.open_tcp_stream(*broker.address("stomps"))
        stream = trio.SSLStream(raw, context, server_hostname="localhost")
        await log_in(broker, stream, STOMP)
        await stream.transport_stream.aclose()
        await nobody_connected(broker)
    assert lines(caplog)[0].endswith("accepted on stomps")
    assert lines(caplog)[1].endswith("STOMP 1.2, client 'typist', TLSv1.3")


async def test_who_says_nothing_has_two_lines(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    async with open_broker(listen=["amqp=127.0.0.1:0"]) as broker:
        stream = await trio.open_tcp_stream(*broker.address())
        with trio.fail_after(TIME_LIMIT_S):
            while not hub_of(broker).links:
                await trio.lowlevel.checkpoint()
        await stream.aclose()
        await nobody_connected(broker)
    accepted, ended = lines(caplog)
    assert accepted.endswith("accepted on amqp")
    assert ended.endswith("ended: the peer closed the socket; 0 bytes received, 0 sent")


async def test_whoever_serves_operators_is_polled_by_programs_and_not_worth_a_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG")
    async with open_broker(listen=["metrics=127.0.0.1:0"]) as broker:
        stream = await trio.open_tcp_stream(*broker.address("metrics"))
        await stream.send_all(b"GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        with trio.fail_after(TIME_LIMIT_S):
            while await stream.receive_some():
                pass
        await stream.aclose()
        await nobody_connected(broker)
    levels = [record.levelno for record in caplog.records if record.name == "warren.connection"]
    assert levels == [logging.DEBUG, logging.DEBUG]


def test_programs_get_all_of_it_by_name(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    simulated = SimulatedBroker()
    MqttClient(simulated, versions.V5).send_bytes(HANDSHAKES["mqtt"][0])
    simulated.settle()
    (record,) = [each for each in caplog.records if each.name == "warren.connection"]
    assert cast("Mapping[str, object]", record.args) == {
        "event": "logged_in",
        "connection": "127.0.0.1:40000 -> 127.0.0.1:5672",
        "user": "guest",
        "vhost": "/",
        "client_id": "meter",
        "protocol": "MQTT 5-0",
        "websocket": False,
        "tls": None,
    }
    simulated.close()


def test_nothing_is_put_together_where_nobody_reads_it(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("WARNING", "warren.connection")
    simulated = SimulatedBroker()
    StompClient(simulated).send_bytes(STOMP)
    simulated.settle()
    assert lines(caplog) == []
    simulated.close()
