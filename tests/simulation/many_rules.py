"""More histories of queues with rules than a test run has time for: python -m tests.simulation.many_rules FIRST COUNT

Each seed from FIRST on is one history in memory and one on disk with hardly any memory; what disagrees is printed with
the end of its history.
"""

from __future__ import annotations

import logging
import sys
import tempfile
from pathlib import Path

from tests.simulation.rules_driver import RulesSimulation
from warren.core.queues.backlog import USUAL_PAGING, Paging

STEPS = 300
TINY_PAGES = Paging(head_messages=2, page_messages=3)


def agrees(seed: int, directory: Path | None) -> bool:
    """Run one history."""
    simulation = RulesSimulation(seed, directory, paging=TINY_PAGES if directory else USUAL_PAGING)
    try:
        for _ in range(STEPS):
            simulation.step()
    except AssertionError as error:
        where = "on disk" if directory else "in memory"
        print(f"seed {seed} {where}: {error}", *simulation.history[-30:], sep="\n  ", flush=True)
        return False
    finally:
        simulation.simulated.close()
    return True


def main(first: int, count: int) -> int:
    """How many histories disagreed, as an exit code."""
    logging.disable()
    wrong = 0
    for seed in range(first, first + count):
        wrong += not agrees(seed, None)
        with tempfile.TemporaryDirectory() as directory:
            wrong += not agrees(seed, Path(directory))
    print(f"{2 * count} histories of {STEPS} steps, {wrong} disagreed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2])))
