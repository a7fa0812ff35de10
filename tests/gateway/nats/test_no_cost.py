"""A broker that is alone pays nothing for clusters: not one module of it is imported."""

from __future__ import annotations

import subprocess
import sys

from tests.support.warren_process import REPOSITORY

PROGRAM = """
import sys
from warren.gateway import embedding, server
from warren.gateway.control import commands
from warren.gateway.process import runner, stores
print(*[name for name in sys.modules if "nats" in name or "replicated" in name])
"""


def test_nothing_is_imported() -> None:
    command = [sys.executable, "-c", PROGRAM]
    found = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert found.stdout.split() == []
