"""Queues with rules against a simple model, under random doings: neither may ever disagree with the other.

A failure names its seed and ends with what was done; the same seed does it again.  How many histories of how many
steps are run is bounded for every day; many_rules.py runs more.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.simulation.rules_driver import RulesSimulation
from warren.core.queues.backlog import Paging

STEPS = 200
IN_MEMORY = range(120)
ON_DISK = range(1000, 1080)


TINY_PAGES = Paging(head_messages=2, page_messages=3)
"""Everything behind the first two messages leaves memory, and comes back three at a time."""


def run(simulation: RulesSimulation, steps: int = STEPS) -> None:
    try:
        for _ in range(steps):
            simulation.step()
    except Exception as error:
        error.add_note("\n".join(["the last steps:", *simulation.history[-30:]]))
        raise
    finally:
        simulation.simulated.close()


@pytest.mark.parametrize("seed", IN_MEMORY)
def test_in_memory(seed: int) -> None:
    run(RulesSimulation(seed))


@pytest.mark.parametrize("seed", ON_DISK)
def test_on_disk_with_hardly_any_memory(seed: int, tmp_path: Path) -> None:
    run(RulesSimulation(seed, tmp_path, paging=TINY_PAGES))
