"""The broker's process, as the process of the tests sees it: start, ask, kill, start again.

It keeps its data in a directory of its own, so that it can be killed and come back.  Where there is a file system in
memory with room, that is where the directory is: what is written survives a killed process as well, and no test waits
for a disk.

Ports are free ones of the kernel's choice.  After a kill, clients find the broker where it was: while it is gone its
ports stay bound here, without listening, so that connections are refused and nobody else gets them.
"""

from __future__ import annotations

import json
import os
import selectors
import shutil
import site
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from warren.testing.errors import WarrenError

if TYPE_CHECKING:
    from collections.abc import Mapping

HOST: Final = "127.0.0.1"

PROTOCOLS: Final = ("amqp", "mqtt", "stomp", "ws")
"""What it listens for."""

READY_TIMEOUT_S: Final = 60.0
"""A start takes less than a second; on a machine that is very busy it may be many."""

ANSWER_TIMEOUT_S: Final = 60.0
"""An answer takes a millisecond; the broker may be busy with what the test has sent it."""

STOP_TIMEOUT_S: Final = 20.0
"""Closing connections and stores in good order."""

MEMORY_DIRECTORY: Final = Path("/dev/shm")

MEMORY_BYTES_MIN: Final = 1024**3
"""Less room than this, as in some containers (64 MiB), would fill up."""

LOG_LINES_SHOWN: Final = 40

READ_BYTES: Final = 65_536


class BrokerProcess:
    """A broker in a process of its own; `start` is to be called first, and `stop` in the end.

    config: a configuration file, or None.  addresses: where it listens, by protocol.  user, password: whom to log in
    as.  data_directory: for `warren ctl --data-dir`.
    """

    def __init__(self, config: Path | None = None) -> None:
        self.addresses: Mapping[str, tuple[str, int]] = {}
        self.user = self.password = ""
        self._config = config
        self._directory = Path(tempfile.mkdtemp(prefix="warren-tests-", dir=_parent()))
        self._log = self._directory / "log"
        self._process: subprocess.Popen[bytes] | None = None
        self._unread = bytearray()
        self._lock = threading.Lock()
        self._kept_ports: list[socket.socket] = []

    @property
    def data_directory(self) -> Path:
        """Of the broker."""
        return self._directory / "data"

    @property
    def running(self) -> bool:
        """False before `start`, and from `kill` until it is started again."""
        return self._process is not None

    def start(self) -> None:
        """Start it and wait until it accepts connections, at the addresses that it had before if it is started again.

        Raises WarrenError, with the end of its log, when that isn't possible.
        """
        listen = [f"{name}={HOST}:{self.addresses[name][1] if self.addresses else 0}" for name in PROTOCOLS]
        settings = {
            "data_directory": str(self.data_directory),
            "listen": listen,
            "config": None if self._config is None else str(self._config),
        }
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "warren.testing.serve", json.dumps(settings)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=_environment(),
                start_new_session=True,  # Ctrl-C is for the tests, which stop the broker in the end
            )
        self._unread.clear()
        try:
            ready = self._read_line(READY_TIMEOUT_S)
        except WarrenError:
            self.kill()
            raise
        finally:
            self._let_go_of_ports()
        self.addresses = {name: (str(found[0][0]), int(found[0][1])) for name, found in ready["listening"].items()}
        self.user, self.password = ready["user"], ready["password"]

    def ask(self, do: str, **given: object) -> Any:
        """Have a chore done (chores.py); what it gives.  Raises WarrenError.  Any thread may ask."""
        with self._lock:
            process = self._process
            if process is None:
                raise WarrenError("the broker has been killed; warren_broker.restart() starts it again")
            assert process.stdin is not None
            try:
                process.stdin.write(json.dumps({"do": do, **given}).encode("ascii") + b"\n")
                process.stdin.flush()
            except OSError:
                raise self._failure("the broker's process has ended") from None
            answer = self._read_line(ANSWER_TIMEOUT_S)
        if "error" in answer:
            raise WarrenError(answer["error"])
        return answer["value"]

    def kill(self) -> None:
        """End it as a crash does (SIGKILL); its ports are kept for it."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        _close(process)
        process.wait()
        for host, port in self.addresses.values():
            kept = socket.socket()
            self._kept_ports.append(kept)
            kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                kept.bind((host, port))
            except OSError:
                # A client of it has the port still; nobody else can have it then.
                continue

    def stop(self) -> None:
        """End it in good order, and remove everything that it has written."""
        process, self._process = self._process, None
        if process is not None:
            _close(process)
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._let_go_of_ports()
        shutil.rmtree(self._directory, ignore_errors=True)

    def log_size(self) -> int:
        """Where its log ends now, for `log_since`."""
        return self._log.stat().st_size if self._log.exists() else 0

    def log_since(self, position: int) -> str:
        """What it has logged from there on."""
        with self._log.open("rb") as log:
            log.seek(position)
            return log.read().decode("utf-8", "replace")

    def _read_line(self, timeout_s: float) -> dict[str, Any]:
        process = self._process
        assert process is not None
        assert process.stdout is not None
        give_up_at = time.monotonic() + timeout_s
        while b"\n" not in self._unread:
            left_s = give_up_at - time.monotonic()
            if not _is_readable(process.stdout, left_s):
                raise self._failure(f"the broker's process has said nothing for {timeout_s:g} s")
            data = os.read(process.stdout.fileno(), READ_BYTES)
            if not data:
                process.wait()
                raise self._failure(f"the broker's process has ended ({process.returncode})")
            self._unread += data
        line, _, rest = bytes(self._unread).partition(b"\n")
        self._unread = bytearray(rest)
        found = json.loads(line)
        assert isinstance(found, dict)
        return found

    def _failure(self, what: str) -> WarrenError:
        lines = self.log_since(0).splitlines()[-LOG_LINES_SHOWN:]
        return WarrenError("\n  ".join([f"{what}; the end of its log:", *(lines or ["(nothing)"])]))

    def _let_go_of_ports(self) -> None:
        for kept in self._kept_ports:
            kept.close()
        self._kept_ports.clear()


def _close(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        assert pipe is not None
        try:
            pipe.close()
        except OSError:
            # What was to be written to a process that is gone.
            continue


def _is_readable(pipe: IO[bytes], timeout_s: float) -> bool:
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        return bool(selector.select(max(timeout_s, 0)))


def _environment() -> dict[str, str]:
    """The process's own, and where Warren is if that isn't among the installed packages (a checkout, say)."""
    environment = dict(os.environ)
    root = str(Path(__file__).absolute().parents[2])
    if root not in (*site.getsitepackages(), site.getusersitepackages()):
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, (root, environment.get("PYTHONPATH"))))
    return environment


def _parent() -> Path | None:
    """The directory to make another one in; None for the usual one."""
    try:
        free = shutil.disk_usage(MEMORY_DIRECTORY).free
    except OSError:
        return None
    return MEMORY_DIRECTORY if free >= MEMORY_BYTES_MIN and os.access(MEMORY_DIRECTORY, os.W_OK) else None
