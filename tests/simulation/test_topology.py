"""Exchanges, bindings and transactions against a simple model, under random doings: neither may ever disagree.

A failure names its seed and ends with what was done; the same seed does it again.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.simulation.topology_driver import TopologySimulation

STEPS = 150


def run(simulation: TopologySimulation) -> None:
    try:
        for _ in range(STEPS):
            simulation.step()
    except Exception as error:
        error.add_note("\n".join(["the last steps:", *simulation.history[-40:]]))
        raise
    finally:
        simulation.simulated.close()


@pytest.mark.parametrize("seed", range(40))
def test_in_memory(seed: int) -> None:
    run(TopologySimulation(seed))


@pytest.mark.parametrize("seed", range(1000, 1030))
def test_on_disk(seed: int, tmp_path: Path) -> None:
    run(TopologySimulation(seed, tmp_path))
