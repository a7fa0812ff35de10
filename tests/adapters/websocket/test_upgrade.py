"""The opening handshake: which subprotocol, which origins, whose credentials; and what is refused, in which words."""

from __future__ import annotations

import pytest

from tests.adapters.websocket.conftest import Connect
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_websocket import MQTT_CONNECT, STOMP_CONNECT, WebSocketClient, frame
from warren.adapters.websocket.deflate import negotiate
from warren.adapters.websocket.subprotocols import Endpoints
from warren.gateway.configuration.config import Config
from warren.gateway.configuration.options import options_of

KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
VERSION = "Sec-WebSocket-Version: 13"
UPGRADE = ("Upgrade: websocket", "Connection: Upgrade")


def handshake(path: str, *lines: str, version: str = "1.1", method: str = "GET") -> str:
    return "\n".join([f"{method} {path} HTTP/{version}", "Host: broker", *lines])


def test_the_answer_of_rfc_6455(connect: Connect, cut: str) -> None:
    client = connect()
    lines = handshake("/ws", *UPGRADE, KEY, VERSION, "Sec-WebSocket-Protocol: v12.stomp").replace("\n", "\r\n")
    client.send(lines.encode() + b"\r\n\r\n", cut)
    head, _, rest = client.transport.take().partition(b"\r\n\r\n")
    status, *headers = head.decode().lower().split("\r\n")
    assert status.startswith("http/1.1 101 ")
    assert sorted(headers) == [
        "connection: upgrade",
        "sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=",
        "sec-websocket-protocol: v12.stomp",
        "upgrade: websocket",
    ]
    assert rest == b""


@pytest.mark.parametrize("line", ["Upgrade: h2c, WebSocket", "upgrade: WEBSOCKET"])
def test_headers_in_other_spellings(connect: Connect, line: str) -> None:
    client = connect()
    client.send(handshake("/ws", line, "Connection: keep-alive, upgrade", KEY, VERSION).replace("\n", "\r\n").encode())
    client.send(b"\r\n\r\n")
    assert client.transport.take().startswith(b"HTTP/1.1 101 ")


def test_subprotocols_in_several_lines(connect: Connect) -> None:
    client = connect()
    offers = ("Sec-WebSocket-Protocol: soap, v10.stomp", "Sec-WebSocket-Protocol: v12.stomp")
    client.send(handshake("/ws", *UPGRADE, KEY, VERSION, *offers).replace("\n", "\r\n").encode() + b"\r\n\r\n")
    assert b"\r\nSec-WebSocket-Protocol: v12.stomp\r\n" in client.transport.take()


def test_compression_offered_in_several_lines(connect: Connect) -> None:
    client = connect()
    offers = ("Sec-WebSocket-Extensions: x-unknown", "Sec-WebSocket-Extensions: a; b, permessage-deflate")
    client.send(handshake("/ws", *UPGRADE, KEY, VERSION, *offers).replace("\n", "\r\n").encode() + b"\r\n\r\n")
    assert b"\r\nSec-WebSocket-Extensions: permessage-deflate; " in client.transport.take()


@pytest.mark.parametrize(
    ("offered", "selected"),
    [
        (["v10.stomp", "v12.stomp", "v11.stomp"], "v12.stomp"),
        (["v10.stomp", "v11.stomp"], "v11.stomp"),
        (["v10.stomp"], "v10.stomp"),
        (["mqtt"], "mqtt"),
        (["mqttv3.1"], "mqttv3.1"),
        (["mqttv3.1", "mqtt"], "mqttv3.1"),
        (["amqp"], "amqp"),
        (["unknown", "mqtt", "v12.stomp"], "mqtt"),
        (["v10.stomp", "mqtt", "v12.stomp"], "v12.stomp"),
        (["MQTT"], None),
        (["unknown"], None),
        ([], None),
    ],
)
def test_selection(offered: list[str], selected: str | None) -> None:
    found = Endpoints(options_of(Config(in_memory=True))).select(offered)
    assert (found[0] if found is not None else None) == selected


@pytest.mark.parametrize("path", ["/", "/ws", "/mqtt", "/stomp", "/ws/amqp"])
@pytest.mark.parametrize("subprotocol", ["v10.stomp", "v11.stomp", "v12.stomp", "mqtt", "mqttv3.1", "amqp"])
def test_every_endpoint_takes_every_subprotocol(connect: Connect, path: str, subprotocol: str) -> None:
    client = connect()
    client.upgrade(path, ["unknown", subprotocol])
    assert client.subprotocol == subprotocol


@pytest.mark.parametrize(
    ("path", "lines", "status", "words"),
    [
        ("/elsewhere", (*UPGRADE, KEY, VERSION), 404, "no WebSocket endpoint"),
        ("/ws", ("Upgrade: websocket", "Connection: keep-alive", KEY, VERSION), 400, "Connection: Upgrade"),
        ("/ws", (*UPGRADE, VERSION), 400, "Sec-WebSocket-Key"),
        ("/ws", (*UPGRADE, VERSION, "Sec-WebSocket-Key: c2hvcnQ="), 400, "Sec-WebSocket-Key"),
        ("/ws", (*UPGRADE, VERSION, "Sec-WebSocket-Key: ????"), 400, "Sec-WebSocket-Key"),
        ("/ws", (*UPGRADE, VERSION, KEY, KEY), 400, "Sec-WebSocket-Key"),
        ("/ws", (*UPGRADE, KEY), 426, "speaks version 13"),
        ("/ws", (*UPGRADE, KEY, "Sec-WebSocket-Version: 8"), 426, "speaks version 13"),
        ("/ws", (*UPGRADE, KEY, VERSION, "Sec-WebSocket-Protocol: soap"), 400, "v12.stomp, v11.stomp, v10.stomp, mqtt"),
        ("/mqtt", (*UPGRADE, KEY, VERSION, "Sec-WebSocket-Protocol: soap"), 400, "mqtt"),
        ("/mqtt", (*UPGRADE, KEY, VERSION), 400, "MQTT over WebSocket needs one"),
    ],
)
def test_refusals(
    connect: Connect,
    simulated: SimulatedBroker,
    path: str,
    lines: tuple[str, ...],
    status: int,
    words: str,
    cut: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    client = connect()
    answer = client.request(handshake(path, *lines), cut)
    assert answer.status == status
    assert words in answer.text
    if status == 426:
        assert answer.headers["sec-websocket-version"] == "13"
        assert (answer.headers["upgrade"], answer.headers["connection"]) == ("websocket", "Upgrade")
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith(
        f"connection 127.0.0.1:40000 -> 127.0.0.1:15674: WebSocket at {path} refused (HTTP {status}): "
    )
    assert not simulated.broker.sessions
    assert client.request("GET / HTTP/1.1\nHost: broker").status == 200


def test_http_1_0_can_not_upgrade(connect: Connect) -> None:
    answer = connect().request(handshake("/ws", *UPGRADE, KEY, VERSION, version="1.0"))
    assert answer.status == 400
    assert "HTTP/1.1" in answer.text


def test_only_get_upgrades(connect: Connect) -> None:
    assert connect().request(handshake("/ws", *UPGRADE, KEY, VERSION, method="POST")).status == 405


# Origins

ORIGINS = frozenset({"https://shop.example", "http://localhost:8080"})


@pytest.mark.parametrize(
    "origin",
    ["https://shop.example", "HTTPS://Shop.Example", "https://shop.example:443", "http://localhost:8080", None],
)
def test_an_origin_that_may_connect(connect: Connect, origin: str | None) -> None:
    client = connect(websocket_allow_origins=ORIGINS)
    client.upgrade(headers={} if origin is None else {"Origin": origin})


def test_a_star_stands_for_every_origin(connect: Connect) -> None:
    client = connect(websocket_allow_origins=frozenset({"*"}))
    client.upgrade(headers={"Origin": "https://elsewhere.example"})


@pytest.mark.parametrize(
    "origin",
    [
        "http://shop.example",
        "https://shop.example.org",
        "https://shop.example:8443",
        "https://shop.example:80",
        "https://shop.example:8443:443",
        "http://localhost",
        "null",
        "https://evil.example",
        "",
    ],
)
def test_another_origin(connect: Connect, origin: str, caplog: pytest.LogCaptureFixture) -> None:
    client = connect(websocket_allow_origins=ORIGINS)
    answer = client.request(handshake("/ws", *UPGRADE, KEY, VERSION, f"Origin: {origin}"))
    assert answer.status == 403
    assert "websocket_allow_origins" in answer.text
    assert f"127.0.0.1:40000 -> 127.0.0.1:15674: WebSocket at /ws refused (HTTP 403): origin {origin!r}" in caplog.text


def test_the_port_of_a_scheme_may_be_named_in_the_list(connect: Connect) -> None:
    allowed = frozenset({"https://shop.example:443", "http://shop.example:80/"})
    for origin in ("https://shop.example", "http://shop.example"):
        connect(websocket_allow_origins=allowed).upgrade(headers={"Origin": origin})


@pytest.mark.parametrize(
    "origin", ["http://localhost:3000", "https://shop.localhost", "http://127.0.0.1", "http://[::1]:8"]
)
def test_pages_of_this_machine_by_default(connect: Connect, origin: str) -> None:
    connect().upgrade(headers={"Origin": origin})


@pytest.mark.parametrize(
    "origin",
    ["https://anybody.example", "http://203.0.113.9", "null", "http://localhost.evil.example", "http://127.evil"],
)
def test_no_others_on_a_loopback_address_by_default(connect: Connect, origin: str) -> None:
    """Or a page on the web would log in as guest by the browser of whoever looks at it."""
    client = connect()
    answer = client.request(handshake("/ws", *UPGRADE, KEY, VERSION, f"Origin: {origin}"))
    assert answer.status == 403
    assert "websocket_allow_origins" in answer.text


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "Via"])
def test_a_proxy_on_this_machine_stands_for_others(connect: Connect, header: str) -> None:
    connect().upgrade(headers={"Origin": "https://anybody.example", header: "something"})


def test_all_origins_by_default_where_other_machines_come(connect: Connect) -> None:
    client = connect()
    client.transport.host = "192.0.2.1"
    client.upgrade(headers={"Origin": "https://anybody.example"})


# HTTP Basic

ALICE = {"Authorization": "Basic YWxpY2U6d29u"}
"""alice:won"""

EVE = {"Authorization": "Basic YWxpY2U6bG9zdA=="}
"""alice:lost"""


@pytest.fixture
def client(connect: Connect, simulated: SimulatedBroker) -> WebSocketClient:
    """With use_http_auth, and a user alice whose password is `won`."""
    users = simulated.broker.users
    users.add_user("alice", "won")
    users.set_permissions("alice", "/", ".*", ".*", ".*")
    return connect(websocket_use_http_auth=True)


def user_of(simulated: SimulatedBroker) -> object:
    (session,) = simulated.broker.sessions
    return session.connection_row().user


@pytest.mark.parametrize("login", [b"", b"login:nobody\npasscode:x\n"])
def test_stomp_by_http_basic(client: WebSocketClient, simulated: SimulatedBroker, login: bytes) -> None:
    client.upgrade(subprotocols=["v12.stomp"], headers=ALICE)
    client.send(frame(0x81, STOMP_CONNECT.replace(b"host:/\n", b"host:/\n" + login)))
    assert client.text().startswith("CONNECTED\n")
    assert user_of(simulated) == "alice"


def test_stomp_without_it_is_the_default_user(client: WebSocketClient, simulated: SimulatedBroker) -> None:
    client.upgrade(subprotocols=["v12.stomp"])
    client.send(frame(0x81, STOMP_CONNECT.replace(b"host:/\n", b"host:/\nlogin:alice\npasscode:won\n")))
    assert client.text().startswith("CONNECTED\n")
    assert user_of(simulated) == "guest"


def test_stomp_with_a_wrong_password(client: WebSocketClient, simulated: SimulatedBroker) -> None:
    client.upgrade(subprotocols=["v12.stomp"], headers=EVE)
    client.send(frame(0x81, STOMP_CONNECT))
    simulated.advance(simulated.broker.refused_logins.delay_ms)
    message = client.events()[0]
    assert "Access refused for user 'alice'" in getattr(message, "data", "")


def test_mqtt_by_http_basic(client: WebSocketClient, simulated: SimulatedBroker) -> None:
    client.upgrade(subprotocols=["mqtt"], headers=ALICE)
    client.send(frame(0x82, MQTT_CONNECT))
    assert client.binary() == b"\x20\2\0\0"
    assert user_of(simulated) == "alice"


def test_mqtt_without_it_logs_in_by_itself(client: WebSocketClient, simulated: SimulatedBroker) -> None:
    client.upgrade(subprotocols=["mqtt"])
    client.send(frame(0x82, bytes.fromhex("101800044d51545404c2000000000005") + b"alice\0\3won"))
    assert client.binary() == b"\x20\2\0\0"
    assert user_of(simulated) == "alice"


WRONG_PASSWORD = bytes.fromhex("101800044d51545404c2000000000005") + b"alice\0\3xxx"


@pytest.mark.parametrize("subprotocols", [["mqtt"], []], ids=["mqtt", "no subprotocol"])
def test_the_default_user_is_for_stomp_alone(
    client: WebSocketClient, simulated: SimulatedBroker, subprotocols: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    client.upgrade("/ws", subprotocols)
    client.send(frame(0x82, WRONG_PASSWORD))
    assert user_of(simulated) == ""
    assert "access refused for user 'alice'" in caplog.text


def test_stomp_without_a_subprotocol_is_the_default_user(client: WebSocketClient, simulated: SimulatedBroker) -> None:
    client.upgrade("/ws")
    client.send(frame(0x81, STOMP_CONNECT.replace(b"host:/\n", b"host:/\nlogin:alice\npasscode:xxx\n")))
    assert client.text().startswith("CONNECTED\n")
    assert user_of(simulated) == "guest"


@pytest.mark.parametrize("value", ["Basic", "Basic ???", "Basic YWxpY2U=", "Bearer YWxpY2U6d29u", "Basic //79/A=="])
def test_credentials_that_can_not_be_read(client: WebSocketClient, value: str) -> None:
    answer = client.request(handshake("/ws", *UPGRADE, KEY, VERSION, f"Authorization: {value}"))
    assert answer.status == 401
    assert answer.headers["www-authenticate"].startswith("Basic ")


def test_without_the_option_the_header_is_ignored(connect: Connect, simulated: SimulatedBroker) -> None:
    client = connect()
    client.upgrade(subprotocols=["v12.stomp"], headers=EVE)
    client.send(frame(0x81, STOMP_CONNECT))
    assert client.text().startswith("CONNECTED\n")
    assert user_of(simulated) == "guest"


# permessage-deflate

AGREED = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"


@pytest.mark.parametrize(
    ("offers", "answer"),
    [
        (["permessage-deflate"], (AGREED, 15)),
        (["permessage-deflate; client_max_window_bits"], (AGREED, 15)),
        (["permessage-deflate; client_max_window_bits=10"], (AGREED, 15)),
        (["permessage-deflate; server_max_window_bits=10"], (f"{AGREED}; server_max_window_bits=10", 10)),
        (['permessage-deflate; server_max_window_bits="12"'], (f"{AGREED}; server_max_window_bits=12", 12)),
        (["permessage-deflate; server_no_context_takeover; client_no_context_takeover"], (AGREED, 15)),
        (["permessage-deflate; server_max_window_bits=8", "permessage-deflate"], (AGREED, 15)),
        (["permessage-deflate; server_max_window_bits=8"], None),
        (["permessage-deflate; server_max_window_bits"], None),
        (["permessage-deflate; server_max_window_bits=16"], None),
        (["permessage-deflate; server_max_window_bits=010"], None),
        (["permessage-deflate; server_max_window_bits=ten"], None),
        (["permessage-deflate; client_max_window_bits=7"], None),
        (["permessage-deflate; client_max_window_bits="], None),
        (["permessage-deflate; server_no_context_takeover=1"], None),
        (["permessage-deflate; server_no_context_takeover; server_no_context_takeover"], None),
        (["permessage-deflate; unknown"], None),
        (["x-webkit-deflate-frame"], None),
        ([], None),
    ],
)
def test_compression_offers(offers: list[str], answer: tuple[str, int] | None) -> None:
    assert negotiate(offers) == answer
