"""WebSocket listeners on real sockets: what is sent wrong, or not to its end, leaves no connection behind."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from tests.support.simulated_websocket import MQTT_CONNECT, STOMP_CONNECT, frame
from tests.support.tls_broker import broker_without_leftovers, hub_of
from warren.gateway import EmbeddedBroker, open_broker
from warren.gateway.configuration.config import Config

TIME_LIMIT_S = 60.0

LISTEN = "ws=127.0.0.1:0"

QUICK = Config(in_memory=True, handshake_timeout_s=0.2, websocket_idle_timeout_s=0.2)

BY_TIME = {"slow request", "nothing after the upgrade", "silence"}
"""What is refused because nothing more comes; the others are refused for what has come."""

GET = b"GET / HTTP/1.1\r\nHost: broker\r\n\r\n"


def upgrade(path: str, *more: str) -> bytes:
    lines = [f"GET {path} HTTP/1.1", "Host: broker", "Upgrade: websocket", "Connection: Upgrade", *more]
    return "\r\n".join([*lines, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "", ""]).encode()


WS = upgrade("/ws", "Sec-WebSocket-Version: 13")
MQTT = upgrade("/mqtt", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Protocol: mqtt") + frame(0x82, MQTT_CONNECT)

REFUSED = {
    "no HTTP": (b"hello\r\n\r\n", b"HTTP/1.1 400 ", "no HTTP request"),
    "TLS": (bytes.fromhex("16 0301 0200 01"), bytes.fromhex("15 0301"), "a TLS handshake"),
    "slow request": (b"GET / HT", b"HTTP/1.1 408 ", "wasn't complete within 0.2 s"),
    "long headers": (b"GET / HTTP/1.1\r\nX: " + b"y" * 20_000, b"HTTP/1.1 431 ", "longer than 16384 bytes"),
    "no subprotocol": (
        upgrade("/mqtt", "Sec-WebSocket-Version: 13", "Connection: close"),
        b"HTTP/1.1 400 ",
        "MQTT over WebSocket needs one",
    ),
    "nothing after the upgrade": (WS, b"\x88", "nothing was sent after the upgrade; log in at once"),
    "unmasked": (MQTT + frame(0x82, masked=False), b"\x88", "unexpected unmasked frame; closing it (1002)"),
    "text": (MQTT + frame(0x81, b"x"), b"\x88", "MQTT comes in binary messages"),
    "too large": (MQTT + b"\x82\xff" + (1 << 40).to_bytes(8, "big") + bytes(4), b"\x88", "closing it (1009)"),
    "silence": (MQTT, b"\x88", "nothing came for 0.2 s"),
}


async def connected(broker: EmbeddedBroker) -> trio.SocketStream:
    return await trio.open_tcp_stream(*broker.address("ws"))


async def read_all(stream: trio.SocketStream) -> bytes:
    """What comes until the broker closes, or resets a peer that was silent."""
    received = b""
    try:
        while part := await stream.receive_some():
            received += part
    except trio.BrokenResourceError:
        pass
    return received


async def taken(broker: EmbeddedBroker, count: int) -> None:
    """Return once the one connection's session has got so many bytes."""
    while [link.received_bytes for link in hub_of(broker).links] != [count]:
        await trio.sleep(0)


@pytest.mark.parametrize("case", REFUSED)
async def test_what_is_refused(case: str, mock_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    sent, answer, words = REFUSED[case]
    async with broker_without_leftovers(QUICK, LISTEN, log=caplog) as broker:
        stream = await connected(broker)
        await stream.send_all(sent)
        if case in BY_TIME:
            await taken(broker, len(sent))
            mock_clock.jump(0.2)
        received = await read_all(stream)
        await stream.aclose()
    assert answer in received
    lines = [record.getMessage() for record in caplog.records if words in record.getMessage()]
    assert lines
    assert lines[0].startswith("connection 127.0.0.1:")


@pytest.mark.parametrize(
    "sent", [b"", GET[:10], GET, WS[:100], WS, WS + frame(0x81, STOMP_CONNECT), MQTT, MQTT + b"\x82"]
)
async def test_a_peer_that_goes(sent: bytes, caplog: pytest.LogCaptureFixture) -> None:
    async with broker_without_leftovers(Config(in_memory=True), LISTEN, log=caplog) as broker:
        stream = await connected(broker)
        if sent:
            await stream.send_all(sent)
        await stream.aclose()


async def test_a_message_of_many_reads(caplog: pytest.LogCaptureFixture) -> None:
    body = b"x" * 3_000_000
    send = b"SEND\ndestination:/queue/q\nreceipt:1\n\n" + body + b"\0"
    async with broker_without_leftovers(Config(in_memory=True), LISTEN, log=caplog) as broker:
        stream = await connected(broker)
        await stream.send_all(WS + frame(0x81, STOMP_CONNECT))
        received = b""
        while b"CONNECTED\n" not in received:
            received += await stream.receive_some()
        await stream.send_all(frame(0x81, send))
        assert b"RECEIPT\nreceipt-id:1\n" in await stream.receive_some()
        await stream.send_all(frame(0x81, b"SUBSCRIBE\nid:1\ndestination:/queue/q\nack:auto\n\n\0"))
        received = b""
        while len(received) < len(body):
            received += await stream.receive_some()
        assert body in received
        assert received[:2] == b"\x81\x7f", "one message of text"
        await stream.aclose()


@pytest.mark.parametrize(
    ("sent", "answer"), [(MQTT, b"\x82\4\x20\2\0\0"), (WS, b"\r\n\r\n")], ids=["mqtt", "undecided"]
)
async def test_a_stop_closes_with_1001(sent: bytes, answer: bytes) -> None:
    received = bytearray()

    async def read_on(stream: trio.SocketStream) -> None:
        async with stream:
            received.extend(await read_all(stream))

    with trio.fail_after(TIME_LIMIT_S):
        async with trio.open_nursery() as nursery, open_broker(listen=[LISTEN]) as broker:
            stream = await connected(broker)
            await stream.send_all(sent)
            begun = b""
            while not begun.endswith(answer):
                begun += await stream.receive_some()
            nursery.start_soon(read_on, stream)
    assert received[:1] == b"\x88"
    assert received[2:4] == b"\x03\xe9"
