"""Each test has a broker of its own, as the examples use the same names again and again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.examples.programs import Programs, interruptible_children
from tests.support.warren_process import WarrenProcess, warren_process


@pytest.fixture
def warren() -> Iterator[WarrenProcess]:
    """A broker in memory.  A traceback in its log fails the test."""
    with warren_process(in_memory=True, listen=("amqp=127.0.0.1:0", "stomp=127.0.0.1:0", "mqtt=127.0.0.1:0")) as broker:
        yield broker
        log = broker.log.read_text()
    assert "Traceback" not in log, log


@pytest.fixture
def url(warren: WarrenProcess) -> str:
    """Where it is, as the examples want it."""
    return f"amqp://guest:guest@127.0.0.1:{warren.amqp_port}"


@pytest.fixture
def programs(url: str, warren: WarrenProcess, tmp_path: Path) -> Iterator[Programs]:
    """Examples of one test, ended with it."""
    with interruptible_children():
        here = "guest:guest@127.0.0.1"
        stomp_url = f"stomp://{here}:{warren.addresses['stomp'][1]}"
        started = Programs(url, tmp_path, stomp_url, f"mqtt://{here}:{warren.addresses['mqtt'][1]}")
        try:
            yield started
        finally:
            started.end()
