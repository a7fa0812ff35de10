"""X-Forwarded-For: believed from named proxies alone, and only as far as they wrote it."""

from __future__ import annotations

import pytest

from tests.adapters.websocket.conftest import Connect
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_websocket import MQTT_CONNECT, STOMP_CONNECT, frame
from warren.adapters.websocket.forwarded import client_host, networks, proxies

NEAR = ("127.0.0.1", "::1", "10.0.0.0/8")

ADDRESSES = [
    ("198.51.100.7", "198.51.100.7"),
    ("198.51.100.7, 10.1.2.3", "198.51.100.7"),
    ("127.0.0.1, 198.51.100.7", "198.51.100.7"),
    ("spoofed, 198.51.100.7, 10.0.0.1,10.0.0.2", "198.51.100.7"),
    ("198.51.100.7:56324", "198.51.100.7"),
    ("[2001:db8::7]:443", "2001:db8::7"),
    ("2001:db8::7", "2001:db8::7"),
    ("::ffff:198.51.100.7", "198.51.100.7"),
    ("::ffff:10.0.0.1", "10.0.0.1"),
    ("10.0.0.1", "10.0.0.1"),
    ("127.0.0.1", "127.0.0.1"),
    (None, "unknown"),
    ("", "unknown"),
    (" , ", "unknown"),
    ("unknown", "unknown"),
    ("198.51.100.7, _hidden", "unknown"),
    ("198.51.100.7, ::1::", "unknown"),
    ("_hidden, 10.0.0.1", "unknown"),
]


@pytest.mark.parametrize(("header", "host"), ADDRESSES)
@pytest.mark.parametrize("peer", ["127.0.0.1", "::1", "10.255.0.1", "::ffff:127.0.0.1"])
def test_the_client_of_a_named_proxy(header: str | None, host: str, peer: str) -> None:
    assert client_host(header, peer, networks(proxies(NEAR))) == host


@pytest.mark.parametrize("peer", ["198.51.100.9", "127.0.0.2", "unknown", "2001:db8::1"])
def test_who_is_no_named_proxy_speaks_for_itself(peer: str) -> None:
    assert client_host("198.51.100.7", peer, networks(proxies(NEAR))) is None
    assert client_host("198.51.100.7", peer, ()) is None


def test_what_is_written_as_a_proxy() -> None:
    assert proxies("127.0.0.1, 10.1.2.3/8,::1") == {"127.0.0.1/32", "10.0.0.0/8", "::1/128"}
    assert proxies([]) == frozenset()
    for value in (["localhost"], "10.0.0.0/33", 7, [""]):
        with pytest.raises(ValueError, match="addresses or networks, such as 127"):
            proxies(value)


UPGRADE = (
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
)

FORWARDED = {"X-Forwarded-For": "198.51.100.7"}

LOGINS = {"v12.stomp": (STOMP_CONNECT, b"CONNECTED"), "mqtt": (MQTT_CONNECT, bytes.fromhex("2002 0000"))}


@pytest.mark.parametrize("subprotocol", LOGINS)
@pytest.mark.parametrize(
    ("named", "peer", "header", "local"),
    [
        ((), "127.0.0.1", None, True),
        ((), "127.0.0.1", "198.51.100.7", True),
        (NEAR, "127.0.0.1", "198.51.100.7", False),
        (NEAR, "127.0.0.1", "127.0.0.1, 198.51.100.7", False),
        (NEAR, "127.0.0.1", None, False),
        (NEAR, "10.0.0.1", "127.0.0.1", True),
        (NEAR, "198.51.100.7", "127.0.0.1", False),
    ],
)
def test_guest_logs_in_from_where_the_proxy_says(
    connect: Connect,
    simulated: SimulatedBroker,
    subprotocol: str,
    named: tuple[str, ...],
    peer: str,
    header: str | None,
    local: bool,
) -> None:
    connect_frame, welcome = LOGINS[subprotocol]
    client = connect(peer, websocket_trusted_proxies=proxies(named))
    client.upgrade("/ws", [subprotocol], {} if header is None else {"X-Forwarded-For": header})
    client.send(frame(0x82, connect_frame))
    simulated.settle()
    assert (welcome in client.transport.take()) is local


def test_listings_show_the_client_and_several_headers_are_one_list(
    connect: Connect, simulated: SimulatedBroker
) -> None:
    client = connect("10.0.0.1", websocket_trusted_proxies=proxies(NEAR))
    forwarded = ("X-Forwarded-For: 127.0.0.1", "X-Forwarded-For: 198.51.100.7, 10.0.0.2")
    lines = ("GET /ws HTTP/1.1", "Host: broker", *UPGRADE, "Sec-WebSocket-Protocol: v12.stomp", *forwarded)
    client.send("\r\n".join((*lines, "", "")).encode())
    assert client.transport.take().startswith(b"HTTP/1.1 101 ")
    assert client.transport.peer_host == "198.51.100.7"


def test_a_proxy_on_this_host_that_is_not_named_is_warned_of(
    connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    warning = "name the proxy in websocket_trusted_proxies"
    connect("127.0.0.1").upgrade("/ws", ["v12.stomp"])
    connect("198.51.100.9").upgrade("/ws", ["v12.stomp"], FORWARDED)
    connect("127.0.0.1", websocket_trusted_proxies=proxies(NEAR)).upgrade("/ws", [], FORWARDED)
    assert warning not in caplog.text
    connect("127.0.0.1").upgrade("/ws", ["v12.stomp"], FORWARDED)
    assert warning in caplog.text
    for _ in range(3):
        connect("127.0.0.1").upgrade("/ws", ["v12.stomp"], FORWARDED)
    assert caplog.text.count(warning) == 1, "once in a while is enough"
