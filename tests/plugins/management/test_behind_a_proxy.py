"""Users who may log in from this machine alone don't by a proxy on it (X-Forwarded-For)."""

from __future__ import annotations

import base64

import pytest
import trio

from warren.gateway import open_broker
from warren.gateway.configuration.config import Config

LOGIN = base64.b64encode(b"guest:guest").decode()


async def status(port: int, *headers: str) -> int:
    head = "\r\n".join(
        ["GET /api/whoami HTTP/1.1", "Host: localhost", f"Authorization: Basic {LOGIN}", "Connection: close", *headers]
    )
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        await stream.send_all(f"{head}\r\n\r\n".encode())
        answer = b"".join([chunk async for chunk in stream])
    return int(answer.split()[1])


@pytest.mark.parametrize(
    ("proxies", "header", "wanted"),
    [
        ((), None, 200),
        ((), "192.0.2.7", 401),
        ((), "127.0.0.1", 401),
        (("127.0.0.1",), "192.0.2.7", 401),
        (("127.0.0.1",), "192.0.2.7, 127.0.0.1", 401),
        (("127.0.0.1",), None, 401),
        (("127.0.0.1",), "nonsense", 401),
    ],
)
async def test_guest(proxies: tuple[str, ...], header: str | None, wanted: int) -> None:
    config = Config(in_memory=True, plugins=("management",)).replace(
        refused_login_delay_s=0.0, websocket_trusted_proxies=frozenset(proxies)
    )
    async with open_broker(listen=["http=127.0.0.1:0"], config=config) as broker:
        headers = [] if header is None else [f"X-Forwarded-For: {header}"]
        assert await status(broker.address("http")[1], *headers) == wanted
