"""The API on ports for everything and for WebSocket, under the same paths; the page there is as it was."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
import trio
import trio.testing

from tests.support.certificates import TestAuthority, config_with
from warren.adapters.websocket.management import METHOD_BYTES_MAX, is_for_management
from warren.gateway import EmbeddedBroker, open_broker
from warren.gateway.configuration.config import Config

TIME_LIMIT_S = 60

GUEST = "Authorization: Basic Z3Vlc3Q6Z3Vlc3Q="

PORTS = ("auto", "ws")


@asynccontextmanager
async def serving(
    *, plugins: Sequence[str] = ("management",), config: Config | None = None
) -> AsyncIterator[EmbeddedBroker]:
    chosen = (config or Config(in_memory=True)).replace(plugins=tuple(plugins), refused_login_delay_s=0.0)
    async with open_broker(listen=[f"{name}=127.0.0.1:0" for name in PORTS], config=chosen) as broker:
        yield broker


def client_of(broker: EmbeddedBroker, port: str, *, context: ssl.SSLContext | None = None) -> httpx.AsyncClient:
    host, number = broker.address(port)
    base = f"{'http' if context is None else 'https'}://{host}:{number}"
    verify = True if context is None else context
    return httpx.AsyncClient(
        base_url=base, auth=("guest", "guest"), verify=verify, timeout=TIME_LIMIT_S, trust_env=False
    )


def request(path: str, method: str = "GET", *lines: str, body: str = "") -> bytes:
    head = [f"{method} {path} HTTP/1.1", "Host: localhost", GUEST, *lines]
    if body:
        head.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*head, "", body]).encode()


async def exchange(broker: EmbeddedBroker, port: str, *pieces: bytes) -> bytes:
    """All that is answered to these, until the connection is closed."""
    host, number = broker.address(port)
    answer = b""
    with trio.fail_after(TIME_LIMIT_S):
        async with await trio.open_tcp_stream(host, number) as stream:
            for piece in pieces:
                await stream.send_all(piece)
                await trio.testing.wait_all_tasks_blocked(0.001)
            while data := await stream.receive_some(65536):
                answer += data
    return answer


@pytest.mark.parametrize("port", PORTS)
async def test_the_api_answers_one_request_of_a_connection(port: str) -> None:
    async with serving() as broker, client_of(broker, port) as http:
        assert (await http.get("/api/overview")).json()["product_name"] == "Warren"
        assert (await http.put("/api/queues/%2F/q", json={"durable": True})).status_code == 201
        sent = {"routing_key": "q", "payload": "x" * 100_000, "payload_encoding": "string"}
        published = await http.post("/api/exchanges/%2F/amq.default/publish", json=sent)
        assert (published.json(), published.headers["connection"]) == ({"routed": True}, "close")
        assert (await http.delete("/api/queues/%2F/q")).status_code == 204
        assert (await http.get("/api/queues/%2F/q")).status_code == 404
        assert (await http.get("/api/overview", auth=("guest", "wrong"))).status_code == 401
        assert "Warren" in (await http.get("/")).text, "the page is the WebSocket listeners'"
        assert (await http.get("/apis")).status_code == 404
        assert (await http.post("/")).status_code == 405


@pytest.mark.parametrize("port", PORTS)
async def test_however_it_is_cut(port: str) -> None:
    async with serving() as broker:
        whole = request("/api/whoami")
        for cut in (1, 3, 4, 7, 8, 9, 40):
            answer = await exchange(broker, port, whole[:cut], whole[cut:])
            assert answer.startswith(b"HTTP/1.1 200 "), (cut, answer)
            assert b'"name":"guest"' in answer


async def test_behind_a_request_for_the_page() -> None:
    async with serving() as broker:
        answer = await exchange(broker, "ws", request("/nothing"), request("/api/whoami"))
        assert answer.index(b"HTTP/1.1 404 ") < answer.index(b"HTTP/1.1 200 ")
        assert answer.endswith(b'"is_internal_user":true}')


async def test_over_tls(tmp_path: Path) -> None:
    authority = TestAuthority(tmp_path)
    files = authority.issue("server", "127.0.0.1")
    config = config_with(authority, files)
    context = authority.client_context()
    async with serving(config=config) as broker, client_of(broker, "auto", context=context) as http:
        assert (await http.get("/api/whoami")).json()["name"] == "guest"


@pytest.mark.parametrize("port", PORTS)
async def test_where_nobody_serves_it_there_is_nothing(port: str) -> None:
    async with serving(plugins=()) as broker:
        answer = await exchange(broker, port, request("/api/whoami", "GET", "Connection: close"))
        assert answer.startswith(b"HTTP/1.1 404 ")


DECISIONS = [
    (b"", None),
    (b"G", None),
    (b"\r\nGET", None),
    (b"GET ", None),
    (b"GET /ap", None),
    (b"DELETE /api", None),
    (b"GET /api/", True),
    (b"GET /api ", True),
    (b"GET /api?x", True),
    (b"\r\nPATCH /api/x", True),
    (b"GET /apis", False),
    (b"GET /a/api/", False),
    (b"GET / ", False),
    (b"GET http://x/api/", False),
    (b"{", False),
    (b"A" * (METHOD_BYTES_MAX + 1), False),
    (b"\xff\xff", False),
]


@pytest.mark.parametrize(("data", "wanted"), DECISIONS)
def test_what_a_request_is_known_by(data: bytes, wanted: bool | None) -> None:
    assert is_for_management(data, b"/api") is wanted


@pytest.mark.parametrize("port", PORTS)
async def test_below_a_prefix(port: str) -> None:
    config = Config(in_memory=True).replace(management_path_prefix="/ws/mq")
    async with serving(config=config) as broker, client_of(broker, port) as http:
        assert (await http.get("/ws/mq/api/whoami")).json()["name"] == "guest"
        assert (await http.get("/api/whoami")).status_code == 404
        assert (await http.get("/ws/mq/")).status_code == 404, "the page there is the WebSocket listeners'"
        assert "Warren" in (await http.get("/")).text
        assert (await http.get("/ws")).status_code == 426, "what is for WebSocket stays there"
