"""A real Mosquitto as a child process, for tests that need one."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.support import child
from tests.support.ports import free_ports

READY_S = 60.0
STOP_GRACE_S = 60.0


def mosquitto_path() -> str | None:
    """Where the broker is, if it is installed."""
    return shutil.which("mosquitto") or shutil.which("/usr/sbin/mosquitto")


class Mosquitto:
    """A broker in memory, on a port that it keeps."""

    def __init__(self, directory: Path, lines: Sequence[str] = ()) -> None:
        self._directory = directory
        (self.port,) = free_ports(1)
        self._configuration = directory / "mosquitto.conf"
        self._configuration.write_text(
            f"listener {self.port} {child.LOOPBACK}\nallow_anonymous true\nmax_queued_messages 0\n"
            f"user {'root' if os.geteuid() == 0 else ''}\n" + "".join(f"{line}\n" for line in lines)
        )
        self._process: child.Child | None = None

    def start(self) -> None:
        """Start it, and wait until it accepts connections."""
        path = mosquitto_path()
        if path is None:
            raise child.ChildError("mosquitto isn't installed")
        log = self._directory / "mosquitto.log"
        self._process = child.start([path, "-c", str(self._configuration)], log, os.environ, self._directory)
        child.wait_until(self._accepts, self._process, log, READY_S, "starting mosquitto")

    def stop(self, grace_s: float = STOP_GRACE_S) -> None:
        """End it in good order, or with no grace by killing it."""
        if self._process is not None:
            child.stop(self._process, grace_s)
            self._process = None

    def _accepts(self) -> bool:
        try:
            socket.create_connection((child.LOOPBACK, self.port), 1).close()
        except OSError:
            return False
        return True


@contextmanager
def mosquitto(directory: Path, lines: Sequence[str] = ()) -> Iterator[Mosquitto]:
    """A running broker, ended at the end.  lines: of its configuration, beside the usual ones."""
    broker = Mosquitto(directory, lines)
    try:
        broker.start()
        yield broker
    finally:
        broker.stop(0)
