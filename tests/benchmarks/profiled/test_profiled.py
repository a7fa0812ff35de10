"""Profiles: what is sampled, what `perf` says, and the tables of both."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks.client import LoadError
from tests.benchmarks.profiled.measure import Profile, profile
from tests.benchmarks.profiled.native import parts
from tests.benchmarks.profiled.tables import tables
from tests.benchmarks.scenarios import LOADS, SCENARIOS
from tests.support.warren_process import REPOSITORY

REPORT = """
 50.00% |libpython3.11.so.1.0|[.] _PyEval_EvalFrameDefault  |-      -
 10.00% |python3.11          |[.] PyObject_Free             |-      -
 20.00% |[kernel.kallsyms]   |[k] finish_task_switch.isra.0 |-      -
 15.00% |a.cpython-311.so    |[.] CPyDef_queue___drain      |-      -
  5.00% |libc.so.6           |[.] __memcpy_avx_unaligned    |-      -
not a line of it
""".splitlines()


def test_a_load_is_sampled_in_warrens_modules() -> None:
    found = profile(SCENARIOS["transient"], REPOSITORY, 100_000, None)
    assert found.cpu_us > 0
    assert sum(found.functions.values()) > 0
    assert any(module.startswith("warren.") for module, _ in found.functions)
    assert not any(module.startswith("importlib") for module, _ in found.functions)


def test_a_scenario_that_is_no_load_is_refused() -> None:
    assert "startup" not in LOADS
    with pytest.raises(LoadError, match="isn't one load"):
        profile(SCENARIOS["startup"], REPOSITORY, 1, None)


def test_what_perf_says_is_put_together() -> None:
    assert parts(REPORT) == pytest.approx(
        {"interpreter": 0.6, "kernel": 0.2, "compiled: CPyDef_queue___drain": 0.15, "libc.so.6": 0.05}
    )


def test_modules_and_functions_have_shares_and_times() -> None:
    first = Profile(2.0, {("warren.a", "f"): 30, ("warren.a", "g"): 10, ("trio.b", "h"): 60}, {"kernel": 0.5})
    second = Profile(4.0, {("warren.a", "f"): 1}, {})
    text = tables("the load", {"new": first, "old": second})
    assert text.startswith("**the load**: new 2.00 µs, old 4.00 µs\n")
    assert "| module | new: share | µs/message | old: share | µs/message |" in text
    assert "| a | 40% | 0.80 | 100% | 4.00 |" in text
    assert "| trio.b: h | 60% | 1.20 | 0% | 0.00 |" in text
    assert "| a: g | 10% | 0.20 | 0% | 0.00 |" in text
    assert "| kernel | 50% | 1.00 | 0% | 0.00 |" in text


def test_what_is_small_is_summed_up() -> None:
    functions = {("warren.a", "f"): 985, **{("warren.b", f"f{number}"): 5 for number in range(3)}}
    text = tables("", {"new": Profile(1.0, functions, {})})
    assert "b: f1" not in text
    assert text.count("| all else | 2% | 0.02 |") + text.count("| all else | 1% | 0.01 |") >= 1


def test_the_sampler_is_a_file_of_its_own() -> None:
    text = (Path(__file__).parent / "sampler.py").read_text()
    assert "import tests" not in text
    assert "from tests" not in text
