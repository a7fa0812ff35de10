"""Ports that nobody else is given."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys

import pytest

from tests.support import ports
from tests.support.ports import LOOPBACK, free_ports
from tests.support.warren_process import PYTHON_PATH

HOLDER = """
import sys
from tests.support import ports
ports._choice = lambda: range(%d, %d)
print(ports.free_ports(%d), flush=True)
sys.stdin.read()
"""


def test_they_differ_and_nobody_listens_there() -> None:
    found = free_ports(20)
    assert len(set(found)) == 20
    for port in found:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((LOOPBACK, port), timeout=60)


def test_the_kernel_gives_out_none_of_them() -> None:
    if not (given := ports._choice()):
        pytest.skip("the kernel gives out almost all")
    with socket.socket() as sock:
        sock.bind((LOOPBACK, 0))
        assert sock.getsockname()[1] not in given
    assert all(port in given for port in free_ports(20))


def test_no_other_process_is_given_one_until_this_one_has_ended() -> None:
    count = 5
    (first,) = free_ports(1)
    few = range(first + 1, first + 1 + 4 * count)
    command = [sys.executable, "-c", HOLDER % (few.start, few.stop, count)]
    environment = {**os.environ, "PYTHONPATH": PYTHON_PATH}
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        theirs = json.loads(holder.stdout.readline())
        assert not any(ports._locked(port) for port in theirs)
        holder.stdin.close()
        holder.wait()
        assert all(ports._locked(port) for port in theirs)
        ports._taken.update(theirs)


def test_where_the_kernel_gives_out_all_its_own_are_locked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "_choice", lambda: range(0))
    found = free_ports(3)
    assert len(set(found)) == 3
    assert not set(found) & set(free_ports(3))


def test_none_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    (port,) = free_ports(1)
    monkeypatch.setattr(ports, "_choice", lambda: range(port, port + 1))
    with pytest.raises(OSError, match="no free port"):
        free_ports(1)
