"""No input makes a codec raise what isn't its own error, nor a session or a client half anything at all.

All kept inputs, then ones made of them by Hypothesis and by chance, within a time; `python -m tests.fuzz TARGET` goes
on for longer, guided by what each input reaches.
"""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.__main__ import plain
from tests.fuzz.inputs import CORPUS, inputs_of
from tests.fuzz.targets import TARGETS

PLAIN_S = 0.5
GUIDED_S = 2
GUIDED = ("session-any", "session-amqp10", "session-stream", "client-amqp091", "codec-mqtt-5")
"""One of each kind: all together take no more time than two did."""

EXAMPLES = 40
CORPUS_BYTES_MAX = 1 << 20

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", TARGETS)
def test_kept_inputs(name: str) -> None:
    for data in inputs_of(name):
        TARGETS[name](data)


@pytest.mark.limits(seconds=120)
@pytest.mark.parametrize("name", TARGETS)
def test_changed_inputs(name: str) -> None:
    # Each time the tests run, the same: what is new is for those who fuzz.
    assert plain(name, PLAIN_S, seed=1) > 0


@pytest.mark.limits(seconds=120)
@pytest.mark.parametrize("name", TARGETS)
def test_properties(name: str) -> None:
    kept = inputs_of(name)

    @settings(
        max_examples=EXAMPLES, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    @given(st.sampled_from(kept), st.integers(0, 4_096), st.integers(0, 4_096), st.binary(max_size=64))
    def holds(data: bytes, start: int, size: int, put: bytes) -> None:
        TARGETS[name](data[:start] + put + data[start + size :])

    holds()


@pytest.mark.limits(seconds=600)
@pytest.mark.interpreted("is guided by what of Python's code an input reaches")
@pytest.mark.skipif(find_spec("atheris") is None, reason="Atheris has no package for this machine")
@pytest.mark.parametrize("name", GUIDED)
def test_guided(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", name, "--seconds", str(GUIDED_S)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4_000:]
    assert "stat::number_of_executed_units" in done.stderr


def test_the_kept_inputs_are_few_and_of_targets() -> None:
    paths = [path for path in CORPUS.rglob("*") if path.is_file()]
    assert {path.parent.name for path in paths} <= set(TARGETS)
    assert sum(path.stat().st_size for path in paths) < CORPUS_BYTES_MAX
