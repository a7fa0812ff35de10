"""Child processes of the tests: starting them, waiting for something to become true, stopping what was started.

Every broker is started as the leader of a session of its own, so that it and whatever it started can be ended
by its process id alone, without looking for names.  Each has a guard besides: a shell that waits for a pipe from
the test process to close, and then kills that session.  So a test run that is itself killed, when no cleaning up
happens, leaves nothing running.

Waiting is always bounded and always watches the child: a broker that died while starting is reported at once,
with the end of its log.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

LOOPBACK = "127.0.0.1"

POLL_INTERVAL_S = 0.002
"""How often a condition is tried: well below the start-up times that are measured with it."""

ANSWER_S = 10.0
"""What accepts a connection may take so long to answer, before it is asked anew on another one."""

LOG_TAIL_BYTES = 4000
"""How much of a failed child's log is quoted."""


class ChildError(Exception):
    """A child process didn't start, didn't get ready, or didn't stop in time."""


GUARD = 'read -r _; kill -KILL "-$1"'
"""The guard's program, for a shell: the session to kill is its first argument."""


class Child(subprocess.Popen[bytes]):
    """A process that leads a session of its own, and its guard."""

    guard: subprocess.Popen[bytes]


def start(command: Sequence[str], log: Path, environment: Mapping[str, str], directory: Path) -> Child:
    """Start `command` in `directory`, leading a session of its own, with both outputs appended to `log`.

    Whoever starts it ends it with `stop`.
    """
    with log.open("ab") as output:
        process = Child(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            cwd=directory,
            start_new_session=True,
        )
    process.guard = subprocess.Popen(
        ["sh", "-c", GUARD, "guard", str(process.pid)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    return process


def wait_until(
    condition: Callable[[], bool],
    process: Child,
    log: Path,
    timeout_s: float,
    what: str,
    interval_s: float = POLL_INTERVAL_S,
) -> None:
    """Return once `condition` holds; raise ChildError if the process ends or `timeout_s` passes before.

    interval_s: how often it is tried.
    """
    give_up_at = time.monotonic() + timeout_s
    while not condition():
        if process.poll() is not None:
            raise ChildError(f"{what}: the process ended with {process.returncode}\n{log_tail(log)}")
        if time.monotonic() > give_up_at:
            raise ChildError(f"{what}: not within {timeout_s:g} s\n{log_tail(log)}")
        time.sleep(interval_s)


def stop(process: Child, grace_s: float) -> int:
    """End the process: SIGTERM, and after `grace_s` seconds SIGKILL.  Leftovers of its session are killed.

    Returns the exit code (negative: the signal that ended it).  A `grace_s` of 0 kills at once.
    """
    if process.poll() is None and grace_s > 0:
        process.terminate()
        try:
            process.wait(grace_s)
        except subprocess.TimeoutExpired:
            pass
    _dismiss(process.guard)
    _kill_session(process.pid)
    return process.wait()


def amqp_answers(port: int) -> bool:
    """Whether the server at a loopback port answers an AMQP 0-9-1 protocol header with a method frame."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=ANSWER_S) as connection:
            connection.sendall(b"AMQP\x00\x00\x09\x01")
            return connection.recv(1) == b"\x01"
    except OSError:
        return False


def accepts(port: int) -> bool:
    """Whether something accepts TCP connections at a loopback port."""
    try:
        socket.create_connection((LOOPBACK, port), timeout=1).close()
    except OSError:
        return False
    return True


def log_tail(log: Path) -> str:
    """The end of a log file, for a failure's text."""
    try:
        return log.read_bytes()[-LOG_TAIL_BYTES:].decode("utf-8", "replace")
    except OSError as error:
        return f"(no log: {error})"


def _dismiss(guard: subprocess.Popen[bytes]) -> None:
    guard.kill()
    guard.wait()
    if guard.stdin is not None:
        guard.stdin.close()


def _kill_session(leader: int) -> None:
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        pass
