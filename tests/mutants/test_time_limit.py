"""A process has its time by the processor's clock; what waits for ever ends all the same."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.mutants import time_limit
from tests.mutants.time_limit import TimeLimit


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere only the clock on the wall counts")
def test_a_loop_is_over_by_the_processors_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time_limit, "WALL_FACTOR", 1e9)
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as process:
        limit = TimeLimit(process.pid, 0.3)
        while not limit.is_over():
            assert process.poll() is None
        process.kill()


def test_what_waits_is_over_by_the_clock_on_the_wall(monkeypatch: pytest.MonkeyPatch) -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as process:
        assert not TimeLimit(process.pid, 600).is_over()
        monkeypatch.setattr(time_limit, "WALL_FACTOR", 1e-9)
        limit = TimeLimit(process.pid, 600)
        while not limit.is_over():
            assert process.poll() is None
        process.kill()
