"""Starting and stopping child processes, above all that none survives."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import child
from tests.support.warren_process import REPOSITORY

SLEEP = [sys.executable, "-c", "import time; print('here', flush=True); time.sleep(600)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(15, signal.SIG_IGN); print('here', flush=True); time.sleep(600)",
]
KILLED_RUN = f"""
import os, pathlib, sys
from tests.support import child
started = child.start({SLEEP!r}, pathlib.Path(sys.argv[1]), os.environ, pathlib.Path("."))
print(started.pid, flush=True)
os.kill(os.getpid(), 9)
"""


def start(command: list[str], directory: Path) -> child.Child:
    log = directory / "log"
    process = child.start(command, log, os.environ, directory)
    child.wait_until(lambda: b"here" in log.read_bytes(), process, log, 30, "starting")
    return process


def test_stop_asks_first(tmp_path: Path) -> None:
    assert child.stop(start(SLEEP, tmp_path), grace_s=30) == -signal.SIGTERM


def test_stop_kills_what_does_not_listen(tmp_path: Path) -> None:
    assert child.stop(start(STUBBORN, tmp_path), grace_s=0.01) == -signal.SIGKILL


def test_an_ended_process_is_reported_with_its_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    process = child.start(["sh", "-c", "echo because; exit 3"], log, os.environ, tmp_path)
    with pytest.raises(child.ChildError, match=r"trying: the process ended with 3\nbecause"):
        child.wait_until(lambda: False, process, log, 30, "trying")
    assert child.stop(process, grace_s=0) == 3


def test_waiting_is_bounded(tmp_path: Path) -> None:
    process = start(SLEEP, tmp_path)
    with pytest.raises(child.ChildError, match=r"trying: not within 0 s"):
        child.wait_until(lambda: False, process, tmp_path / "log", 0, "trying")
    child.stop(process, grace_s=0)


def test_children_of_a_killed_run_are_killed(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", KILLED_RUN, str(tmp_path / "log")],
        stdout=subprocess.PIPE,
        cwd=REPOSITORY,
        timeout=60,
        check=False,
    )
    assert run.returncode == -signal.SIGKILL
    pidfd = _open_process(int(run.stdout))
    if pidfd is not None:
        with os.fdopen(pidfd) as ended:
            _wait_readable(ended.fileno(), timeout_s=30)


def _open_process(pid: int) -> int | None:
    """A descriptor that becomes readable when the process ends, or None if it has."""
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        return None


def _wait_readable(descriptor: int, timeout_s: float) -> None:
    readable, _, _ = select.select([descriptor], [], [], timeout_s)
    assert readable, "the child outlived the run that started it"
