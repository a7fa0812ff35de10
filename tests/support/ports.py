"""Ports for what has to be told its port: servers of others, what is started again where it was, and nobody at all.

A port that was free a moment ago is somebody's a moment later: the kernel gives it to whoever listens on port 0, or
connects.  So these ports are outside of the range that the kernel gives out of (ip(7), ip_local_port_range), and no
other process of a test run is given one of them as long as this one lives: each is a lock on one byte of a file that
all of them have open (fcntl(2), F_SETLK), which goes with its process.

Where the kernel gives out almost all ports, they are those that it gives out, and the lock alone keeps them apart.
"""

from __future__ import annotations

import fcntl
import os
import random
import socket
import tempfile
from functools import cache
from pathlib import Path
from typing import IO, Final

LOOPBACK: Final = "127.0.0.1"

FIRST: Final = 20_000
"""Below are ports that programs listen on by default, RabbitMQ's and Warren's among them."""

COUNT_LEAST: Final = 2_000
"""So many ports are enough to choose from."""

ATTEMPTS_MAX: Final = 10_000

KERNEL_RANGE: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")

_chance = random.SystemRandom()
"""Tests seed the other one."""

_taken: set[int] = set()
"""A process that asks for a lock twice has it twice."""


def free_ports(count: int) -> list[int]:
    """`count` different loopback TCP ports that nobody listens on, and nobody else is given while this process lives.

    Raises OSError where there are no more.
    """
    return [_free_port() for _ in range(count)]


def _free_port() -> int:
    for _ in range(ATTEMPTS_MAX):
        ports = _choice()
        port = _chance.choice(ports) if ports else 0
        with socket.socket() as probe:
            # What has been closed lately hinders nobody who listens as servers do.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
            port = int(probe.getsockname()[1])
        if port not in _taken and _locked(port):
            _taken.add(port)
            return port
    raise OSError(f"no free port in {ATTEMPTS_MAX} attempts")


@cache
def _choice() -> range:
    """The ports that the kernel doesn't give out, but for those below `FIRST`; empty if they are few, or unknown."""
    try:
        kernels_first = int(KERNEL_RANGE.read_text().split()[0])
    except OSError:
        return range(0)
    found = range(FIRST, kernels_first)
    return found if len(found) >= COUNT_LEAST else range(0)


def _locked(port: int) -> bool:
    """Whether this process has it now."""
    try:
        fcntl.lockf(_locks(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except OSError:
        return False
    return True


@cache
def _locks() -> IO[bytes]:
    """Open as long as the process lives: closing it, or another descriptor of the file, would end all locks."""
    path = Path(tempfile.gettempdir()) / f"warren-test-ports-{os.getuid()}"
    return path.open("ab")
