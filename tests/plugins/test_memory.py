"""What management and metrics take of memory once somebody asks them: both together less than ten mebibytes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from tests.support.warren_process import REPOSITORY

TIME_LIMIT_S: Final = 60.0

BYTES_MAX: Final = 10 * 1024 * 1024
"""It is 9.6 MiB."""

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
        "".encode("idna")  # which is imported with the first connection of this client, and not the broker's
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


def run(bytecode: Path) -> Any:
    """What the program prints, with modules compiled into this directory, or read from there."""
    command = [sys.executable, "-c", PROGRAM.format(needless=NEEDLESS)]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(bytecode)
    done = subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=TIME_LIMIT_S, check=True
    )
    return json.loads(done.stdout)


def test_the_first_requests_take_less_than_ten_mebibytes(tmp_path: Path) -> None:
    run(tmp_path)  # compiles: what that leaves behind differs from run to run, and an installed broker has it done
    resident, needless = run(tmp_path)
    assert needless == []
    assert resident[-1] - resident[0] <= BYTES_MAX, resident
