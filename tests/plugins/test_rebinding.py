"""A page whose own name points to this machine (DNS rebinding) gets nothing of the broker, whatever it asks for."""

from __future__ import annotations

import base64

import pytest
import trio

from warren.gateway import open_broker
from warren.gateway.configuration.config import Config

LOGIN = base64.b64encode(b"guest:guest").decode()

REQUESTS = (
    ("http", "GET", "/"),
    ("http", "GET", "/live/"),
    ("http", "GET", "/api/overview"),
    ("http", "PUT", "/api/queues/%2F/q"),
    ("http", "OPTIONS", "/api/overview"),
    ("http", "GET", "/api/nothing"),
    ("ws", "GET", "/api/overview"),
    ("auto", "GET", "/api/overview"),
    ("auto", "DELETE", "/api/queues/%2F/other"),
    ("metrics", "GET", "/metrics"),
    ("metrics", "GET", "/"),
)


async def answer(port: int, method: str, path: str, host: str) -> bytes:
    """All of it."""
    head = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Basic {LOGIN}\r\nConnection: close\r\n"
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    async with stream:
        await stream.send_all(f"{head}Content-Length: 0\r\nOrigin: http://{host}\r\n\r\n".encode())
        return b"".join([chunk async for chunk in stream])


@pytest.mark.parametrize("names", [(), ("evil.example",), ("*",)])
async def test_a_name_of_others(names: tuple[str, ...]) -> None:
    """Unless the operator says that it is the broker's."""
    config = Config(in_memory=True, plugins=("management", "metrics")).replace(http_host_names=frozenset(names))
    listen = [f"{each}=127.0.0.1:0" for each in ("http", "ws", "auto", "metrics")]
    async with open_broker(listen=listen, config=config) as broker:
        for listener, method, path in REQUESTS:
            port = broker.address(listener)[1]
            found = await answer(port, method, path, f"evil.example:{port}")
            if names:
                assert found.split()[1] != b"421", (listener, method, path)
            else:
                assert found.split()[1] == b"421", (listener, method, path)
                assert b"http_host_names" in found
                assert b"DNS rebinding" in found
                assert (await answer(port, "GET", path, f"localhost:{port}")).split()[1] != b"421"
        assert ("q" in broker._server.broker.vhosts["/"].queues) == bool(names), "nothing was changed"
