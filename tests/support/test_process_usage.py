"""What a process has used, as seen from outside."""

from __future__ import annotations

import os
import threading
import time

import pytest

from tests.support.process_usage import cpu_s_of


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


def test_a_process_that_is_gone_has_no_clock() -> None:
    child = os.posix_spawn("/bin/true", ["true"], {})
    os.waitpid(child, 0)
    with pytest.raises(OSError, match="Invalid argument"):
        cpu_s_of(child)
