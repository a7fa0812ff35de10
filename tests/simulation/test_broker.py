"""The broker against a simple model, under random doings: neither may ever disagree with the other.

A failure names its seed and ends with what was done; the same seed does it again.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.simulation.driver import Simulation
from warren.core.queues.backlog import Paging

STEPS = 350


TINY_PAGES = Paging(head_messages=4, page_messages=3)
"""Everything behind the first four messages leaves memory, and comes back three at a time."""


def run(simulation: Simulation) -> None:
    try:
        for _ in range(STEPS):
            simulation.step()
    except AssertionError as error:
        error.add_note("\n".join(["the last steps:", *simulation.history[-30:]]))
        raise
    finally:
        simulation.simulated.close()


@pytest.mark.parametrize("seed", range(12))
def test_in_memory(seed: int) -> None:
    run(Simulation(seed, None, restarts=False))


@pytest.mark.parametrize("seed", range(12))
def test_on_disk(seed: int, tmp_path: Path) -> None:
    run(Simulation(seed, tmp_path, restarts=True))


@pytest.mark.parametrize("seed", range(100, 124))
def test_on_disk_with_hardly_any_memory(seed: int, tmp_path: Path) -> None:
    run(Simulation(seed, tmp_path, restarts=True, paging=TINY_PAGES))
