"""The whole broker under faults, from seeds: no promise is broken; and whoever holds the promises would notice.

A failure names the seed and the shortest list of actions that fails; `python -m tests.simulation.whole --seeds N` does
it again.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.whole.__main__ import one
from tests.simulation.whole.broken_brokers import BROKEN
from tests.simulation.whole.regressions import REGRESSIONS, Regression
from tests.simulation.whole.run import plan, run
from tests.simulation.whole.shrink import shrink

LENGTH = 80
SEEDS = 2_000
AT_ONCE = 50

BROKEN_LENGTH = 120
BROKEN_SEEDS_MAX = 40
"""Within so many seeds each broken broker is caught."""

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.limits(seconds=600)
@pytest.mark.parametrize("first", range(0, SEEDS, AT_ONCE))
def test_promises_are_kept(first: int) -> None:
    for seed in range(first, first + AT_ONCE):
        told = one(seed, LENGTH)
        assert not told.text, told.text


@pytest.mark.parametrize("regression", REGRESSIONS, ids=lambda each: each.name)
def test_what_was_wrong_once(regression: Regression) -> None:
    outcome = run(regression.seed, regression.parsed())
    if outcome.error is not None:
        raise outcome.error


@pytest.mark.limits(seconds=600)
@pytest.mark.interpreted("replaces methods, which the compiled form doesn't let")
@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_broker_is_noticed(name: str) -> None:
    with BROKEN[name]():
        noticed = any(run(seed, plan(seed, BROKEN_LENGTH)).error is not None for seed in range(BROKEN_SEEDS_MAX))
    assert noticed, f"nobody notices a broker that {name.replace('_', ' ')}"


@pytest.mark.interpreted("replaces methods, which the compiled form doesn't let")
def test_a_failure_is_made_short() -> None:
    with BROKEN["gives_messages_twice"]():
        actions = plan(0, BROKEN_LENGTH)
        kind = type(run(0, actions).error)
        short = shrink(actions, lambda some: type(run(0, some).error) is kind, tries_max=300)
        assert type(run(0, short).error) is kind
    assert len(short) < len(actions) / 4
    assert run(0, short).error is None, "it fails without the mistake"


TRACES = """
from tests.simulation.whole.run import plan, run
for seed in range(5):
    print(run(seed, plan(seed, 100)).trace)
"""


def test_a_seed_does_the_same_again_whatever_the_process() -> None:
    here = [run(seed, plan(seed, 100)).trace for seed in range(5)]
    assert len(set(here)) == len(here), "different seeds do the same"
    for hashes in ("0", "1"):
        done = subprocess.run(
            [sys.executable, "-c", TRACES],
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": hashes, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        assert done.stdout.split() == here
