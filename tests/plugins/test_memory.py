"""What management and metrics take of memory once somebody asks them: both together less than ten mebibytes."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Final

from tests.support.warren_process import REPOSITORY

TIME_LIMIT_S: Final = 60.0

BYTES_MAX: Final = 10 * 1024 * 1024
"""It is 7.8 MiB."""

NEEDLESS: Final = ("h2", "hypercorn", "multiprocessing", "wsproto", "warren.gateway.peers")
"""What some servers of HTTP bring with them, and who asks for a list has no use for."""

PROGRAM: Final = """
import base64, json, sys
import trio
import warren.gateway.control.commands, warren.gateway.server
from warren.gateway import memory, open_broker
from warren.gateway.configuration.config import Config

NEEDLESS = {needless!r}

async def ask(address, path):
    login = base64.b64encode(b"guest:guest").decode()
    async with await trio.open_tcp_stream(*address) as stream:
        await stream.send_all(
            f"GET {{path}} HTTP/1.1\\r\\nHost: localhost\\r\\nAuthorization: Basic {{login}}\\r\\n"
            "Connection: close\\r\\n\\r\\n".encode()
        )
        answer = b"".join([piece async for piece in stream])
        assert answer.startswith(b"HTTP/1.1 200 "), answer

async def main():
    config = Config(in_memory=True, plugins=("management", "metrics"))
    async with open_broker(listen=("http=127.0.0.1:0", "metrics=127.0.0.1:0"), config=config) as broker:
        before = set(sys.modules)
        memory.give_back()
        found = [memory.resident_bytes()]
        for name, path in (("http", "/api/overview"), ("http", "/api/queues"), ("metrics", "/metrics")):
            await ask(broker.address(name), path)
            found.append(memory.resident_bytes())
        needless = [name for name in NEEDLESS if name in sys.modules and name not in before]
        print(json.dumps([found, needless]))

trio.run(main)
"""


def test_the_first_requests_take_less_than_ten_mebibytes() -> None:
    command = [sys.executable, "-c", PROGRAM.format(needless=NEEDLESS)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=TIME_LIMIT_S, check=True)
    resident, needless = json.loads(done.stdout)
    assert needless == []
    assert resident[-1] - resident[0] <= BYTES_MAX, resident
