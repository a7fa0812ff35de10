"""One flood against a broker of its own."""

from __future__ import annotations

from contextlib import ExitStack

from tests.floods.stage import Measured, Stage
from tests.floods.table import Flood


def run(flood: Flood, size: int, how: str) -> Measured:
    """Do it, and say what was found.  how: see watched.py."""
    with ExitStack() as stack:
        stage = Stage(flood.name, size, how, stack)
        stage.start()
        flood.do(stage)
        return stage.finish()
