"""A broker process that speaks MQTT, shared by the tests of this folder; a traceback in its log fails the test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.warren_process import WarrenProcess, warren_process


@pytest.fixture(scope="module")
def process() -> Iterator[WarrenProcess]:
    """The module's broker."""
    with warren_process(listen=("mqtt=127.0.0.1:0", "amqp=127.0.0.1:0", "stomp=127.0.0.1:0")) as running:
        yield running


@pytest.fixture
def port(process: WarrenProcess) -> Iterator[int]:
    """Where it listens for MQTT."""
    length = len(process.log.read_text())
    yield process.addresses["mqtt"][1]
    written = process.log.read_text()[length:]
    assert "Traceback" not in written, written
