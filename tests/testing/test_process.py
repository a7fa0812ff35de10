"""The broker's process of the plugin, when that of the tests is killed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from tests.support.until import until
from tests.support.warren_process import PYTHON_PATH

LOOK_S = 0.05
"""Between two looks; nothing tells of a directory that goes."""

PROGRAM = """
import os
from warren.testing.process import BrokerProcess
process = BrokerProcess()
process.start()
process.ask("open_vhost", vhost="test")
print(process.data_directory.parent, flush=True)
os.kill(os.getpid(), 9)
"""


def test_it_ends_and_leaves_nothing_when_the_tests_are_killed() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "PYTHONPATH": PYTHON_PATH},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == -9, done.stderr
    directory = Path(done.stdout.strip())
    assert directory.name.startswith("warren-tests-")
    until(lambda: not directory.exists(), lambda left_s: time.sleep(min(left_s, LOOK_S)))
