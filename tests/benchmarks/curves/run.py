"""Measures curves, draws them, and makes their tables: `python -m tests.benchmarks --curves`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.client import LoadError
from tests.benchmarks.curves.draw import Points, draw
from tests.benchmarks.curves.points import CURVES, Curve
from tests.benchmarks.figures import Figures
from tests.benchmarks.report import number, row
from tests.benchmarks.servers import Peer
from tests.benchmarks.targets import CPU, RATE
from tests.support.child import ChildError

FOLDER = Path(__file__).resolve().parents[3] / "docs" / "curves"

SIZE_MAX = 1_000_000
"""Unless more is asked for: ten million messages take minutes to queue, and gigabytes of disk."""

FIGURES = (RATE, CPU, "p50 ms", "p99 ms")


def run_curves(
    names: Sequence[str],
    brokers: Sequence[Peer],
    messages: int | None,
    size_max: int,
    parent: Path | None,
    folder: Path = FOLDER,
) -> tuple[str, int]:
    """The Markdown of these curves, and the exit code; the pictures are in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    text, failed = [], 0
    for name in names or CURVES:
        curve = CURVES[name]
        points, failures = _points(curve, brokers, messages or curve.messages, size_max, parent)
        failed |= bool(failures)
        text += [f"**{curve.title}**", "", *_table(curve, points)]
        text += [f"\n{each}" for each in failures]
        if any(points.values()):
            draw(curve, points, folder / f"{name}.svg")
            text += ["", f"![{curve.title}](curves/{name}.svg)"]
        text.append("")
    return "\n".join(text), int(failed)


def _points(
    curve: Curve, brokers: Sequence[Peer], messages: int, size_max: int, parent: Path | None
) -> tuple[Points, list[str]]:
    points: dict[str, dict[int, Figures]] = {broker.name: {} for broker in brokers}
    failures = []
    for size in curve.sizes:
        if size > size_max:
            continue
        for broker in brokers:
            try:
                with broker.start(parent, curve.protocol) as server:
                    figures = curve.measure(server, size, messages)
            except (ChildError, LoadError, OSError) as error:
                failures.append(f"{curve.name}, {broker.name}, {size:,} FAILED: {error}")
                print(failures[-1], file=sys.stderr, flush=True)
                continue
            points[broker.name][size] = figures
            said = ", ".join(f"{name} {value:,.2f}" for name, value in figures.items())
            print(f"{curve.name} {size:,} {broker.name}: {said}", file=sys.stderr, flush=True)
    return {name: by_size for name, by_size in points.items() if by_size}, failures


def _table(curve: Curve, points: Points) -> list[str]:
    several = len(points) > 1
    columns = [f"{broker}: {figure}" if several else figure for broker in points for figure in FIGURES]
    lines = [row([curve.axis, *columns]), "|---:|" + "---:|" * len(columns)]
    for size in sorted({size for by_size in points.values() for size in by_size}):
        cells = [
            number(by_size[size][figure]) if size in by_size else "-"
            for by_size in points.values()
            for figure in FIGURES
        ]
        lines.append(row([f"{size:,}", *cells]))
    return lines
