"""Runs to the one table of targets: what was aimed at, what was reached, and where the generator was the limit."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from tests.benchmarks.report import Run, heading, number, row
from tests.benchmarks.scenarios import GENERATOR_BUSY
from tests.benchmarks.servers import OTHER
from tests.benchmarks.targets import CPU, RATE, ROWS, Row

WARREN = "warren"

BUSY = 0.9
"""Above this share of a core, the generator is named as the limit."""

COLUMNS = ("", "Warren", "before", "ratio", "CPU ratio", "target", "peer", "ratio", "CPU ratio", "target")


def table(runs: Sequence[Run], facts: Mapping[str, str]) -> str:
    """The Markdown of it."""
    lines = [
        heading(facts),
        "- medians; a ratio is Warren's figure divided by the other's, the CPU ratio that of CPU time per message",
        "- ✓ reached, ✗ not reached; * the generator took more than nine tenths of a core",
        "",
        row(COLUMNS),
        "|---|" + "---:|" * (len(COLUMNS) - 1),
    ]
    ran = {run.scenario for run in runs}
    medians = _medians(runs)
    lines += [row(_cells(each, medians)) for each in ROWS if each.scenario in ran]
    lines += [f"\n{run.scenario}, {run.peer}, run {run.number} FAILED: {run.failure}" for run in runs if run.failure]
    return "\n".join(lines)


Medians = Mapping[tuple[str, str, str], float]
"""Scenario, broker and figure to the median."""


def _medians(runs: Sequence[Run]) -> Medians:
    values: dict[tuple[str, str, str], list[float]] = {}
    for run in runs:
        for figure, value in run.figures.items():
            values.setdefault((run.scenario, run.peer, figure), []).append(value)
    return {key: statistics.median(each) for key, each in values.items()}


def _cells(target: Row, medians: Medians) -> list[str]:
    own = _cell(target, WARREN, medians)
    limit = [_verdict(target, medians.get((target.scenario, WARREN, target.figure)), target.limit, "at most ")]
    before = [_cell(target, OTHER, medians), *_ratios(target, OTHER, medians), _aim(target, OTHER, medians)]
    if target.limit is not None:
        before[-1:] = limit
    if not target.peer:
        return [target.label, own, *before, "-", "-", "-", "-"]
    peer = [_cell(target, target.peer, medians), *_ratios(target, target.peer, medians)]
    return [target.label, own, *before, _named(target.peer, peer[0]), *peer[1:], _aim(target, target.peer, medians)]


def _named(peer: str, cell: str) -> str:
    return cell if cell == "-" else f"{peer} {cell}"


def _cell(target: Row, broker: str, medians: Medians) -> str:
    value = medians.get((target.scenario, broker, target.figure))
    if value is None:
        return "-"
    limited = medians.get((target.scenario, broker, GENERATOR_BUSY), 0.0) > BUSY and target.figure == RATE
    return number(value) + ("*" if limited else "")


def _ratio(target: Row, broker: str, figure: str, medians: Medians) -> float | None:
    own, others = (medians.get((target.scenario, each, figure)) for each in (WARREN, broker))
    return own / others if own is not None and others else None


def _ratios(target: Row, broker: str, medians: Medians) -> list[str]:
    found = [_ratio(target, broker, figure, medians) for figure in (target.figure, CPU)]
    return ["-" if each is None else f"{each:.2f}" for each in found]


def _aim(target: Row, broker: str, medians: Medians) -> str:
    aim = target.before if broker == OTHER else target.beside
    return _verdict(target, _ratio(target, broker, target.figure, medians), aim, "")


def _verdict(target: Row, reached: float | None, aim: float | None, words: str) -> str:
    if aim is None:
        return "-"
    said = f"{words}{aim:,g}"
    return said if reached is None else f"{said} {'✓' if target.reached(reached, aim) else '✗'}"
