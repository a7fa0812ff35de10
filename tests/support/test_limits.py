"""Tests that hang, or eat memory or the disk, fail, say why, and leave the tests after them alone."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import cast

import pytest
from trio._core._wakeup_socketpair import WakeupSocketpair

from tests.support import limits
from tests.support.warren_process import PYTHON_PATH, REPOSITORY

CONFTEST = """
from tests.support.limits import register as pytest_configure
"""

PRELUDE = """
import socket, subprocess, sys, time
from pathlib import Path
import pytest, trio

soon = pytest.mark.limits(seconds=0.3)
"""

LAST = """
def test_that_the_run_goes_on(): trio.run(trio.lowlevel.checkpoint)
"""

HANGING = {
    "loop": """
        @soon
        def test_it():
            while True:
                try: time.sleep(0)
                except Exception: pass
    """,
    "blocked read": """
        @soon
        def test_it():
            here, there = socket.socketpair()
            with here, there: here.recv(1)
    """,
    "child process": """
        @soon
        def test_it():
            with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as process:
                try: process.wait()
                finally: process.kill()
    """,
    "fixture": """
        @pytest.fixture
        def late():
            time.sleep(600)
        @soon
        def test_it(late): pass
    """,
    "end of a fixture": """
        @pytest.fixture
        def late():
            yield
            time.sleep(600)
        @soon
        def test_it(late): pass
    """,
    "waiting in Trio": """
        @soon
        async def test_it():
            await trio.sleep_forever()
    """,
    "waiting in Trio, shielded": """
        @soon
        async def test_it():
            with trio.CancelScope(shield=True): await trio.sleep_forever()
    """,
    "loop in Trio": """
        @soon
        async def test_it():
            while True: time.sleep(0)
    """,
}

EATING = {
    "memory": (
        "took more than 64 MiB of memory",
        """
        @pytest.mark.limits(memory_mib=64)
        def test_it():
            eaten = []
            while True: eaten.append(bytearray(100_000))
        """,
    ),
    "one large piece of memory": (
        "took more than 64 MiB of memory",
        """
        @pytest.mark.limits(memory_mib=64)
        def test_it():
            bytearray(1 << 34)
        """,
    ),
    "memory, in Trio": (
        "took more than 64 MiB of memory",
        """
        @pytest.mark.limits(memory_mib=64)
        async def test_it():
            eaten = []
            async def eat():
                while True: eaten.append(bytearray(1_000_000))  # what doesn't fit leaves Trio room to say so
            async with trio.open_nursery() as nursery: nursery.start_soon(eat)
        """,
    ),
    "memory of a child process": (
        "MemoryError",
        """
        @pytest.mark.limits(memory_mib=64)
        def test_it():
            done = subprocess.run([sys.executable, "-c", "bytearray(1 << 34)"], capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
        """,
    ),
    "memory of several child processes": (
        "took more than 64 MiB of memory, with its child processes",
        """
        @pytest.mark.limits(memory_mib=64)
        def test_it():
            program = "import time; eaten = b'x' * (40 << 20); time.sleep(600)"
            processes = [subprocess.Popen([sys.executable, "-c", program]) for _ in range(3)]
            try:
                for process in processes: process.wait()
            finally:
                for process in processes:
                    process.kill()
                    process.wait()
        """,
    ),
    "one file": (
        "wrote more than 8 MiB to one file",
        """
        @pytest.mark.limits(disk_mib=8)
        def test_it(tmp_path):
            with open(tmp_path / "file", "wb", buffering=0) as file:
                while True: file.write(bytes(100_000))
        """,
    ),
    "many files": (
        "wrote more than 8 MiB to ",
        """
        @pytest.mark.limits(disk_mib=8)
        def test_it(tmp_path):
            number = 0
            while True:
                number += 1
                (tmp_path / str(number % 100)).write_bytes(bytes(100_000))
        """,
    ),
}


def run(directory: Path, program: str) -> str:
    """What pytest prints for a file with this test and another that passes; the first has to fail, and that alone."""
    (directory / "conftest.py").write_text(CONFTEST)
    lines = [line.removeprefix("        ") if line.startswith("        ") else line for line in program.splitlines()]
    (directory / "test_program.py").write_text(PRELUDE + "\n".join(lines) + LAST)
    command = [sys.executable, "-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider", "-o", "trio_mode=true"]
    done = subprocess.run(
        [*command, "--rootdir", str(directory), str(directory)],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": PYTHON_PATH},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 1, said
    assert "PASSED test_program.py::test_that_the_run_goes_on" in re.sub(r"\S*(?=test_program\.py)", "", said), said
    return said


@pytest.mark.parametrize("kind", HANGING)
def test_a_hanging_test_fails(tmp_path: Path, kind: str) -> None:
    said = run(tmp_path, HANGING[kind])
    assert "LimitExceededError: not done within 0.3 s" in said
    if "waiting in Trio" in kind:
        assert re.search(r"its tasks were at\n(E? +)\S+test_program\.py:\d+ in test_it", said), said


@pytest.mark.parametrize("kind", EATING)
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere only time and the disk are bounded")
def test_an_eating_test_fails(tmp_path: Path, kind: str) -> None:
    message, program = EATING[kind]
    assert message in run(tmp_path, program)


SHARED = """
        from tests.support import limits
        @pytest.fixture(scope="session")
        def server():
            program = "import sys, time; eaten = b'x' * (100 << 20); print(len(eaten), flush=True); time.sleep(600)"
            with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
                process.stdout.readline()
                limits.shared(process.pid)
                yield
                process.kill()
        def test_that_starts_it(server): pass
        @pytest.mark.limits(memory_mib=64)
        def test_beside_it(server): time.sleep(1.5)  # the timer looks once a second
        @pytest.mark.limits(memory_mib=64)
        def test_it(server):
            program = "import time; eaten = b'x' * (40 << 20); time.sleep(600)"
            processes = [subprocess.Popen([sys.executable, "-c", program]) for _ in range(3)]
            try:
                for process in processes: process.wait()
            finally:
                for process in processes:
                    process.kill()
                    process.wait()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere only time and the disk are bounded")
def test_what_a_child_of_the_whole_session_had_before_is_not_counted(tmp_path: Path) -> None:
    said = run(tmp_path, SHARED)
    assert "1 failed, 3 passed" in said
    assert "took more than 64 MiB of memory, with its child processes" in said


def test_what_cannot_be_ended_ends_the_run_with_its_stacks(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(
        CONFTEST + "from tests.support import limits\nlimits.REPEAT_S, limits.END_S = 0.1, 0.5\n"
    )
    (tmp_path / "test_program.py").write_text(
        PRELUDE
        + "@soon\ndef test_it():\n    while True:\n        try: time.sleep(0)\n        except BaseException: pass\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), str(tmp_path)],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": PYTHON_PATH},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 1
    assert "Timeout (0:00:00.5" in done.stderr, done.stderr
    assert "in test_it" in done.stderr


def test_a_child_that_ends_while_memory_is_counted_counts_nothing() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert list(limits._family(child.pid)) == [child.pid]
    assert limits._status_bytes(str(child.pid), "RssAnon") == 0


def test_a_signal_that_comes_as_trio_ends_is_written_nowhere() -> None:
    written_to: list[int] = []

    class Socket:
        def close(self) -> None:
            written_to.append(signal.set_wakeup_fd(-1))

    pair = WakeupSocketpair()
    pair.wakeup_on_signals()
    sockets = pair.wakeup_sock, pair.write_sock
    pair.wakeup_sock = pair.write_sock = cast("socket.socket", Socket())
    pair.close()
    for each in sockets:
        each.close()
    assert written_to == [-1, -1]
