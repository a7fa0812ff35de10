"""One run of a scenario with a Warren that is sampled meanwhile."""

from __future__ import annotations

import json
import os
import signal
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from tests.benchmarks.client import LoadError
from tests.benchmarks.profiled.native import NativeProfile
from tests.benchmarks.scenarios import Scenario
from tests.benchmarks.servers import warren_of
from tests.benchmarks.targets import CPU
from tests.support.child import POLL_INTERVAL_S

SAMPLER = Path(__file__).with_name("sampler.py")

WRITE_TIMEOUT_S = 30.0
"""For the samples to be written."""


@dataclass(frozen=True, slots=True)
class Profile:
    """Where a load's time went.

    cpu_us: per message, sampling included.  functions: (module, function) to samples.  parts: what `perf` saw, as
    shares.
    """

    cpu_us: float
    functions: Mapping[tuple[str, str], int]
    parts: Mapping[str, float]


def profile(scenario: Scenario, checkout: Path, messages: int, parent: Path | None) -> Profile:
    """Run the scenario once.  Raises LoadError for one that has no single load to look at."""
    with tempfile.TemporaryDirectory(prefix="profile-") as name:
        output = Path(name) / "samples"
        native = NativeProfile(Path(name) / "perf")
        parts: dict[str, float] = {}
        launcher = (str(SAMPLER), str(output))
        with warren_of(checkout, parent, scenario.protocol, launcher=launcher) as server:

            def begin() -> None:
                os.kill(server.pid, signal.SIGUSR1)
                native.begin(server.pid)

            def end() -> None:
                parts.update(native.end())
                os.kill(server.pid, signal.SIGUSR2)
                _wait_for(output)

            figures = scenario.measure(replace(server, begin=begin, end=end), messages)
        if not output.exists():
            raise LoadError(f"{scenario.name} isn't one load that could be looked at")
        rows = json.loads(output.read_text())
    functions: dict[tuple[str, str], int] = {}
    for module, function, count in rows:
        functions[module, function] = functions.get((module, function), 0) + count
    return Profile(figures[CPU], functions, parts)


def _wait_for(file: Path) -> None:
    give_up_at = time.monotonic() + WRITE_TIMEOUT_S
    while not file.exists():
        if time.monotonic() > give_up_at:
            raise LoadError(f"no samples within {WRITE_TIMEOUT_S:g} s")
        time.sleep(POLL_INTERVAL_S)
