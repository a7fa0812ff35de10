"""A real Warren broker as a child process, for tests and measurements that need one that can be killed.

`warren_process()` starts `python -m warren serve` on a port of the kernel's choice, in a data directory of
the caller or in memory, and gives its address once the ready file says that connections are accepted.  Tests
that need no process of their own embed the broker instead (`gateway.open_broker`).
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support import child

REPOSITORY = Path(__file__).resolve().parents[2]

PYTHON_PATH = os.pathsep.join([str(REPOSITORY / "src"), str(REPOSITORY)])
"""Where processes that tests start find `warren` and `tests`, installed or not: the working tree, no installed copy."""

READY_TIMEOUT_S = 60.0
"""A start takes a fraction of a second; recovering a large store on a busy machine may take seconds."""

STOP_GRACE_S = 60.0
"""Closing connections, flushing and closing the store."""


@dataclass(frozen=True, slots=True)
class WarrenProcess:
    """A running broker: where it listens, and what it consists of."""

    process: child.Child
    addresses: Mapping[str, tuple[str, int]]
    data_directory: Path | None
    log: Path
    start_s: float
    """Seconds from starting the process to its first answer to an AMQP protocol header, or (without an AMQP
    listener) to its ready file."""

    @property
    def amqp_port(self) -> int:
        """The loopback port of its AMQP listener."""
        return self.addresses["amqp"][1]

    def kill(self) -> None:
        """End it as a crash does (SIGKILL), and wait until it is gone."""
        child.stop(self.process, grace_s=0)

    def stop(self) -> int:
        """End it in order (SIGTERM).  Returns the exit code; a broker that doesn't stop in time is killed."""
        return child.stop(self.process, STOP_GRACE_S)


def start_warren(
    directory: Path,
    *,
    data_directory: Path | None,
    listen: Sequence[str] = ("amqp=127.0.0.1:0",),
    options: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    python: str = sys.executable,
    checkout: Path = REPOSITORY,
    launcher: Sequence[str] = (),
) -> WarrenProcess:
    """Start a broker and wait until it accepts connections.  The caller ends it with `stop` or `kill`.

    directory: where the ready file and the log go.
    data_directory: the store; None keeps everything in memory.
    listen: all addresses, so that it opens no default ports.
    options: more command-line options of `warren serve`.
    environment: variables added to this process's own.
    python: the interpreter to run it with.
    checkout: the working tree it comes from, which may be an older one.
    launcher: a Python program, with arguments, that runs the broker: `-m warren serve ...` is added.
    Raises child.ChildError, with the end of the log, when it doesn't get ready.
    """
    ready_file = directory / "ready.json"
    ready_file.unlink(missing_ok=True)
    log = directory / "warren.log"
    command = [python, *launcher, "-m", program_of(checkout), "serve", "--ready-file", str(ready_file)]
    command += ["--in-memory"] if data_directory is None else ["--data-dir", str(data_directory)]
    # An older checkout may not have --listen-only, and has the key.
    if checkout == REPOSITORY:
        command += [part for each in listen for part in ("--listen-only", each)]
    else:
        command += ["--set", f"listen={','.join(listen)}"]
    started_at = time.perf_counter()
    process = child.start([*command, *options], log, _environment(checkout, environment), checkout)
    try:
        child.wait_until(ready_file.exists, process, log, READY_TIMEOUT_S, "starting Warren")
        addresses = _addresses(ready_file)
        if "amqp" in addresses:
            port = addresses["amqp"][1]
            child.wait_until(lambda: child.amqp_answers(port), process, log, READY_TIMEOUT_S, "answering AMQP")
    except (child.ChildError, ValueError):
        child.stop(process, grace_s=0)
        raise
    return WarrenProcess(process, addresses, data_directory, log, time.perf_counter() - started_at)


@contextmanager
def warren_process(
    *,
    in_memory: bool = False,
    listen: Sequence[str] = ("amqp=127.0.0.1:0",),
    options: Sequence[str] = (),
    parent: Path | None = None,
    checkout: Path = REPOSITORY,
    launcher: Sequence[str] = (),
) -> Iterator[WarrenProcess]:
    """A broker with a temporary directory of its own (below `parent`), stopped and removed at the end."""
    with tempfile.TemporaryDirectory(prefix="warren-", dir=parent) as name:
        directory = Path(name)
        data_directory = None if in_memory else directory / "data"
        broker = start_warren(
            directory,
            data_directory=data_directory,
            listen=listen,
            options=options,
            checkout=checkout,
            launcher=launcher,
        )
        try:
            yield broker
        finally:
            broker.stop()


def _addresses(ready_file: Path) -> dict[str, tuple[str, int]]:
    content = json.loads(ready_file.read_text())
    return {protocol: (str(host), int(port)) for protocol, (host, port) in content.items()}


def program_of(checkout: Path) -> str:
    """What `python -m` runs in a checkout: `warren`, or in one from before there was such a package, `gateway`."""
    return "warren" if (checkout / "src" / "warren").is_dir() else "gateway"


def _environment(checkout: Path, added: Mapping[str, str] | None) -> dict[str, str]:
    python_path = os.pathsep.join([str(checkout / "src"), str(checkout)])
    # An older one may not know the key.
    quick = {"WARREN_REFUSED_LOGIN_DELAY_S": "0.1"} if checkout == REPOSITORY else {}
    return {**quick, **os.environ, "PYTHONPATH": python_path, **(added or {})}
