"""Runs to tables: medians and ranges per figure and broker, and the ratio of the first two brokers."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.benchmarks.figures import Figures


@dataclass(frozen=True, slots=True)
class Run:
    """One run: its figures, or why it failed."""

    scenario: str
    peer: str
    number: int
    figures: Figures
    failure: str | None = None


def markdown(runs: Sequence[Run], peers: Sequence[str], abouts: Mapping[str, str], facts: Mapping[str, str]) -> str:
    """The report.  abouts: scenario name to its description; facts: machine and versions, for the head."""
    lines = [heading(facts)]
    lines.append("- each figure: median (least to most) of the runs, which alternate between the brokers")
    for scenario in dict.fromkeys(run.scenario for run in runs):
        lines += ["", f"**{scenario}**: {abouts[scenario]}", ""]
        lines += _table([run for run in runs if run.scenario == scenario], peers)
    return "\n".join(lines)


def heading(facts: Mapping[str, str]) -> str:
    """What a report begins with: the machine, and what ran."""
    return "".join(f"- {name}: {value}\n" for name, value in facts.items()).rstrip("\n")


def _table(runs: Sequence[Run], peers: Sequence[str]) -> list[str]:
    with_ratio = len(peers) > 1
    columns = ["figure", *peers, *([f"{peers[0]} / {peers[1]}"] if with_ratio else [])]
    lines = [row(columns), "|---|" + "---:|" * (len(columns) - 1)]
    for figure in dict.fromkeys(name for run in runs for name in run.figures):
        values = [_values(runs, peer, figure) for peer in peers]
        cells = [_summary(each) for each in values]
        if with_ratio:
            cells.append(_ratio(values[0], values[1]))
        lines.append(row([figure, *cells]))
    lines += [f"\n{run.peer}, run {run.number} FAILED: {run.failure}" for run in runs if run.failure is not None]
    return lines


def _values(runs: Sequence[Run], peer: str, figure: str) -> list[float]:
    return [run.figures[figure] for run in runs if run.peer == peer and figure in run.figures]


def _summary(values: Sequence[float]) -> str:
    if not values:
        return "-"
    return f"{number(statistics.median(values))} ({number(min(values))} to {number(max(values))})"


def _ratio(first: Sequence[float], second: Sequence[float]) -> str:
    if not first or not second or not statistics.median(second):
        return "-"
    return f"{statistics.median(first) / statistics.median(second):.2f}"


def number(value: float) -> str:
    """A figure for people: three significant digits or all before the point, whichever is more."""
    for limit, digits in ((10, 2), (100, 1)):
        if abs(value) < limit:
            return f"{value:.{digits}f}"
    return f"{value:,.0f}"


def row(cells: Sequence[str]) -> str:
    """A row of a Markdown table."""
    return f"| {' | '.join(cells)} |"
