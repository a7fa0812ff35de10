"""What a machine says of itself: addresses, who listens, free ports."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator

import pytest

from tests.support.ports import free_ports
from tests.support.warren_process import warren_process
from warren.gateway.network import machine


@pytest.fixture
def listening() -> Iterator[int]:
    """A port of 127.0.0.1 that this process listens on, and no others get the next ones from the kernel."""
    with socket.socket() as sock:
        (port,) = free_ports(1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", port))
        sock.listen()
        yield sock.getsockname()[1]


def test_addresses_can_be_listened_on() -> None:
    found = machine.addresses()
    assert found[0] == "127.0.0.1", "those of IPv4 come first"
    assert len(set(found)) == len(found)
    assert not [each for each in found if each.startswith("fe80")]
    for host in found:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as sock:
            sock.bind((host, 0))


@pytest.mark.skipif(sys.platform != "linux", reason="nobody tells without /proc")
def test_who_listens(listening: int) -> None:
    (holder,) = [each for each in machine.holders_of(listening) if each.pid == os.getpid()]
    assert not holder.is_warren
    assert str(holder) == f"{holder.name} (process {os.getpid()})"


@pytest.mark.skipif(sys.platform != "linux", reason="nobody tells without /proc")
def test_another_warren_is_known() -> None:
    with warren_process(in_memory=True) as running:
        (holder,) = machine.holders_of(running.amqp_port)
        assert str(holder) == f"another Warren (process {running.process.pid})"


def test_nobody_listens_there() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        assert machine.holders_of(sock.getsockname()[1]) == []


def test_a_free_port_is_the_next_one(listening: int) -> None:
    found = machine.free_port(["127.0.0.1"], listening, ())
    assert found != listening
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", found))


def test_a_port_that_is_promised_is_not_free() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    assert port not in {machine.free_port(["127.0.0.1"], port, {port})}


def test_no_port_is_left() -> None:
    assert machine.free_port(["127.0.0.1"], 65535, {65535}) == 0
