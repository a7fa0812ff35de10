"""What a service manager is told by a broker (sd_notify(3)), heard as systemd hears it: on a datagram socket."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from tests.support.warren_process import start_warren
from warren.gateway.process.service_manager import ServiceManager

TIME_LIMIT_S = 60.0


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.settimeout(TIME_LIMIT_S)
        yield sock


def test_a_broker_says_when_it_is_ready_reloads_and_stops(tmp_path: Path, listener: socket.socket) -> None:
    environment = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "3600000000"}
    running = start_warren(tmp_path, data_directory=tmp_path / "data", environment=environment)
    try:
        pid = running.process.pid
        ready = listener.recv(4096).decode().splitlines()
        assert ready[0] == "READY=1"
        assert ready[1].startswith("STATUS=Warren ")
        assert ready[2] == f"MAINPID={pid}"
        assert listener.recv(4096) == b"WATCHDOG=1"
        os.kill(pid, signal.SIGHUP)
        state, when = listener.recv(4096).decode().splitlines()
        assert state == "RELOADING=1"
        assert int(when.removeprefix("MONOTONIC_USEC=")) > 0
        assert listener.recv(4096).startswith(b"READY=1\n")
        os.kill(pid, signal.SIGTERM)
        assert listener.recv(4096) == b"STOPPING=1"
        assert running.process.wait(timeout=TIME_LIMIT_S) == 0
    finally:
        running.kill()


async def test_the_watchdog_hears_of_it_twice_within_its_time(
    tmp_path: Path, listener: socket.socket, autojump_clock: MockClock
) -> None:
    environment = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "10000000"}
    manager = ServiceManager.of_process(environment)
    assert manager.watchdog_s == 5.0
    with trio.move_on_after(11):
        await manager.watch()
    listener.setblocking(False)
    assert [listener.recv(100) for _ in range(3)] == [b"WATCHDOG=1"] * 3
    with pytest.raises(BlockingIOError):
        listener.recv(100)


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"NOTIFY_SOCKET": ""},
        {"NOTIFY_SOCKET": "vsock:2:1"},
        {"NOTIFY_SOCKET": "/nowhere", "WATCHDOG_USEC": "soon"},
        {"NOTIFY_SOCKET": "/nowhere", "WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"},
    ],
)
async def test_without_anybody_who_listens_nothing_happens(environment: dict[str, str]) -> None:
    manager = ServiceManager.of_process(environment)
    assert manager.watchdog_s == 0.0
    manager.ready("here")
    manager.stopping()
    await manager.watch()


def test_an_abstract_address(listener: socket.socket) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(f"\0warren-test-{os.getpid()}")
        sock.settimeout(TIME_LIMIT_S)
        ServiceManager.of_process({"NOTIFY_SOCKET": f"@warren-test-{os.getpid()}"}).stopping()
        assert sock.recv(100) == b"STOPPING=1"
