"""HTTP/1.1 on connections: many requests on one, slow ones, too many, peers that don't read, the broker's stop."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import httpx
import pytest
import trio
from trio.testing import MockClock

from tests.plugins.management.api import Api, open_api
from tests.support.certificates import TestAuthority, config_with
from warren.core.administration import operations
from warren.gateway import open_broker

LOGIN = base64.b64encode(b"guest:guest").decode()


def request(line: str = "GET /api/whoami", *headers: str, body: str = "") -> bytes:
    lines = [f"{line} HTTP/1.1", "host: localhost", f"authorization: Basic {LOGIN}", *headers, "", body]
    return "\r\n".join(lines).encode()


async def connect(api: Api) -> trio.SocketStream:
    return await trio.open_tcp_stream("127.0.0.1", api.port)


async def answer(stream: trio.SocketStream) -> tuple[int, dict[str, str], bytes]:
    """One answer: status, headers, body."""
    received = b""
    while b"\r\n\r\n" not in received:
        more = await stream.receive_some()
        assert more, received
        received += more
    head, _, body = received.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    size = int(headers.get("content-length", "0"))
    while len(body) < size:
        body += await stream.receive_some(size - len(body))
    assert len(body) == size
    return int(status.split()[1]), headers, body


async def ended(stream: trio.SocketStream) -> bool:
    """Whether the broker closes, and has sent nothing more."""
    try:
        return await stream.receive_some() == b""
    except trio.BrokenResourceError:
        return True


async def test_many_requests_on_one_connection_leave_nothing() -> None:
    async with open_api() as api:
        stream = await connect(api)
        for _ in range(50):
            await stream.send_all(request())
            status, headers, body = await answer(stream)
            assert (status, json.loads(body)["name"], headers.get("connection")) == (200, "guest", None)
        counters = api.embedded.inspect("plugins")[0]["counters"]
        assert counters == {"connections": 1, "connections_served": 1, "requests": 50, "internal_errors": 0}
        await stream.aclose()
        while api.embedded.inspect("plugins")[0]["counters"]["connections"]:  # type: ignore[index]
            await trio.sleep(0)


@pytest.mark.parametrize("pieces", [1, 7, 1000])
async def test_a_request_in_pieces(pieces: int) -> None:
    async with open_api() as api:
        stream = await connect(api)
        body = '{"durable": true}'
        whole = request("PUT /api/queues/%2F/q", f"content-length: {len(body)}", body=body)
        size = -(-len(whole) // pieces)
        for start in range(0, len(whole), size):
            await stream.send_all(whole[start : start + size])
            await trio.sleep(0)
        assert (await answer(stream))[0] == 201
        await stream.aclose()


async def test_requests_that_do_not_wait_for_answers() -> None:
    async with open_api() as api:
        stream = await connect(api)
        await stream.send_all(request("GET /api/vhosts") + request("GET /api/whoami") + request("GET /api/nothing"))
        first, second, third = b"", b"", b""
        received = b""
        while received.count(b"HTTP/1.1 ") < 3 or not received.endswith(b"}"):
            received += await stream.receive_some()
        _, first, second, third = received.split(b"HTTP/1.1 ")
        assert (first[:3], second[:3], third[:3]) == (b"200", b"200", b"404")
        await stream.aclose()


async def test_http_1_0_and_close() -> None:
    async with open_api() as api:
        stream = await connect(api)
        await stream.send_all(request("GET /api/whoami", "connection: close"))
        assert (await answer(stream))[0] == 200
        assert await ended(stream)
        await stream.aclose()


@pytest.mark.parametrize(
    "data",
    [
        b"nonsense\r\n\r\n",
        b"GET /api/whoami HTTP/1.1\r\nbad header\r\n\r\n",
        b"GET /api/whoami HTTP/1.1\r\nhost: localhost\r\nx: " + b"y" * 20_000,
        b"GET " + b"/x" * 10_000,
        b"GET /api/whoami HTTP/1.1\r\nhost: localhost\r\ncontent-length: many\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"AMQP\0\0\x09\x01\r\n\r\n",
    ],
)
async def test_what_is_no_request(data: bytes) -> None:
    async with open_api() as api:
        stream = await connect(api)
        await stream.send_all(data)
        if data[:1] == b"\x16":
            await stream.send_eof()
            assert await ended(stream) or True
        else:
            status, _, _ = await answer(stream)
            assert status in (400, 431)
            assert await ended(stream)
        await stream.aclose()
        assert (await api.ask("GET", "/whoami")).status_code == 200


async def test_who_offers_another_version_goes_on_with_this_one() -> None:
    async with open_api() as api:
        stream = await connect(api)
        upgrade = ("connection: upgrade, http2-settings", "upgrade: h2c", "http2-settings: AAMAAABkAAQCAAAAAAIAAAAA")
        await stream.send_all(request("GET /api/whoami", *upgrade))
        assert (await answer(stream))[0] == 200
        await stream.aclose()


async def test_a_head_that_does_not_come_in_time(mock_clock: MockClock) -> None:
    """However it dribbles."""
    async with open_api(management_request_timeout_s=2.0) as api:
        stream = await connect(api)
        await served(api, 1)
        for byte in request()[:5]:
            await stream.send_all(bytes([byte]))
            await settle()
            mock_clock.jump(0.5)
        assert await ended(stream)
        await stream.aclose()


async def test_a_connection_that_is_idle(mock_clock: MockClock) -> None:
    async with open_api(management_request_timeout_s=2.0) as api:
        stream = await connect(api)
        for _ in range(3):
            await stream.send_all(request())
            assert (await answer(stream))[0] == 200
            await settle()
            mock_clock.jump(1.5)
        mock_clock.jump(1.0)
        assert await ended(stream)
        await stream.aclose()


async def test_a_body_that_does_not_come_in_time(mock_clock: MockClock) -> None:
    async with open_api(management_request_timeout_s=2.0) as api:
        stream = await connect(api)
        await stream.send_all(request("PUT /api/queues/%2F/q", "content-length: 100", body="{"))
        await served(api, 1, requests=1)
        await settle()
        mock_clock.jump(2.5)
        status, _, body = await answer(stream)
        assert (status, json.loads(body)["error"]) == (408, "request_timeout")
        await stream.aclose()


async def test_no_more_connections_than_may_be() -> None:
    async with open_api(management_connections_max=2) as api:
        first, second = await connect(api), await connect(api)
        await first.send_all(request())
        await second.send_all(request())
        assert (await answer(first))[0] == (await answer(second))[0] == 200
        third = await connect(api)
        status, headers, body = await answer(third)
        assert (status, headers["connection"], json.loads(body)["error"]) == (503, "close", "service_unavailable")
        assert await ended(third)
        assert api.broker.inspect("limit_hits", None)[0]["limit"] == "management_connections_max"
        await first.aclose()
        await served(api, 1)
        fourth = await connect(api)
        await fourth.send_all(request())
        assert (await answer(fourth))[0] == 200
        for stream in (second, third, fourth):
            await stream.aclose()


async def test_who_reads_nothing_is_cut_off(mock_clock: MockClock) -> None:
    """No more of the answer is kept for the connection than a piece, and after the time nothing is."""
    async with open_api(unread_timeout_s=5.0) as api:
        with_much(api)
        stream = await connect(api)
        await stream.send_all(request("GET /api/queues"))
        await served(api, 1)
        run = api.embedded._server._run
        assert run is not None
        while not any(link.unsent_bytes for link in run.hub.links):
            await trio.sleep(0)
        assert max(link.unsent_bytes for link in run.hub.links) <= 128 * 1024
        while len(run.hub.links):
            # Kernels go on handing over to each other for a while, which counts as reading.
            mock_clock.jump(5.1)
            await settle()
        await served(api, 0)
        await stream.aclose()


async def test_a_stop_does_not_wait_for_who_reads_nothing() -> None:
    async with open_api() as api:
        with_much(api)
        stream = await connect(api)
        await stream.send_all(request("GET /api/queues"))
        run = api.embedded._server._run
        assert run is not None
        while not any(link.unsent_bytes for link in run.hub.links):
            await trio.sleep(0)
        run.goodbye_s = 0.0
    assert api.embedded._server.stuck_plugins == []
    await stream.aclose()


def with_much(api: Api) -> None:
    """More to answer with than the buffers of two sockets hold."""
    for number in range(2000):
        operations.queues.declare(api.broker, "/", f"q{number}", arguments={"x-note": "y" * 9000})


async def served(api: Api, connections: int, requests: int | None = None) -> None:
    """Wait until so many connections are served, by what is imported with the first, and so many requests have come."""
    while True:
        counters = api.embedded.inspect("plugins")[0]["counters"]
        assert isinstance(counters, dict)
        is_imported = "requests" in counters
        if is_imported and counters["connections"] == connections and requests in (None, counters["requests"]):
            return
        await trio.sleep(0)


async def settle() -> None:
    """Let everybody do what there is to do."""
    for _ in range(100):
        await trio.sleep(0)


async def test_over_tls_and_behind_a_proxy(tmp_path: Path) -> None:
    """What stands around every listener stands around this one."""
    authority = TestAuthority(tmp_path)
    server = authority.issue("server", "localhost")
    config = config_with(authority, server, in_memory=True, plugins=("management",), refused_login_delay_s=0.0)
    listen = ("https=127.0.0.1:0", "http=127.0.0.1:0?proxy_protocol=true")
    async with open_broker(listen=listen, config=config) as broker:
        port = broker.address("https")[1]
        async with httpx.AsyncClient(verify=authority.client_context(), trust_env=False) as client:
            answered = await client.get(f"https://localhost:{port}/api/overview", auth=("guest", "guest"))
            assert answered.status_code == 200
            assert {each["protocol"] for each in answered.json()["listeners"]} == {"http", "http/ssl"}
        host, port = broker.address("http")
        stream = await trio.open_tcp_stream(host, port)
        await stream.send_all(b"PROXY TCP4 198.51.100.7 192.0.2.1 56324 15672\r\n" + request())
        status, _, body = await answer(stream)
        assert (status, json.loads(body)["reason"]) == (401, "Login failed"), "guest isn't on this machine"
        await stream.aclose()
