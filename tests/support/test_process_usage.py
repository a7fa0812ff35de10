"""What a process has used, as seen from outside."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.support.process_usage import cpu_s_of, kept_waiting_s

SHARES = """
import os
os.sched_setaffinity(0, {%d})
while True:
    pass
"""


def test_threads_count_also_when_they_have_ended() -> None:
    def work() -> None:
        while time.thread_time() < 0.05:
            pass

    before_s = cpu_s_of(os.getpid())
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert cpu_s_of(os.getpid()) - before_s >= 0.05
    assert cpu_s_of(os.getpid()) == pytest.approx(time.process_time(), abs=0.5)


@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="the kernel doesn't count that")
def test_who_shares_a_processor_is_kept_waiting() -> None:
    both = [subprocess.Popen([sys.executable, "-c", SHARES % min(os.sched_getaffinity(0))]) for _ in range(2)]
    try:
        while not all(kept_waiting_s(each.pid) > 0.1 for each in both):
            assert [each.poll() for each in both] == [None, None]
    finally:
        for each in both:
            each.kill()
            each.wait()
    assert kept_waiting_s(both[0].pid) == 0.0


def test_a_process_that_is_gone_has_no_clock() -> None:
    child = os.posix_spawn("/bin/true", ["true"], {})
    os.waitpid(child, 0)
    with pytest.raises(OSError, match="Invalid argument"):
        cpu_s_of(child)
