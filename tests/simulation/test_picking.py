"""Consumers with selectors, and messages in groups, under random doings (picking_driver.py).

A failure names its seed and ends with what was done; the same seed does it again.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.simulation.picking_driver import PickingSimulation
from warren.core.queues.backlog import Paging

STEPS = 200
IN_MEMORY = range(30)
ON_DISK = range(1000, 1020)

TINY_PAGES = Paging(head_messages=2, page_messages=3)
"""Everything behind the first two messages leaves memory, and comes back three at a time."""


def run(simulation: PickingSimulation, steps: int = STEPS) -> None:
    try:
        for _ in range(steps):
            simulation.step()
        simulation.finish()
        assert simulation.delivered_count > 5
    except Exception as error:
        error.add_note("\n".join(["the last steps:", simulation.history[0], *simulation.history[-40:]]))
        raise
    finally:
        simulation.simulated.close()


@pytest.mark.parametrize("seed", IN_MEMORY)
@pytest.mark.parametrize("grouped", [False, True], ids=["selectors", "groups"])
def test_in_memory(seed: int, grouped: bool) -> None:
    run(PickingSimulation(seed, grouped=grouped))


@pytest.mark.parametrize("seed", ON_DISK)
@pytest.mark.parametrize("grouped", [False, True], ids=["selectors", "groups"])
def test_on_disk_with_hardly_any_memory(seed: int, grouped: bool, tmp_path: Path) -> None:
    run(PickingSimulation(seed, tmp_path, grouped=grouped, paging=TINY_PAGES))
