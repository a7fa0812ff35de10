"""Points to pictures: CPU time of a message on the left, how long messages take on the right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.benchmarks.curves.points import Curve
from tests.benchmarks.figures import Figures
from tests.benchmarks.targets import CPU

Points = Mapping[str, Mapping[int, Figures]]
"""Broker to size to figures."""

SIZE_INCHES = (9.0, 3.2)

TIMES = {"p50 ms": "-", "p99 ms": "--"}
"""Figure to the style of its line."""


def draw(curve: Curve, points: Points, file: Path) -> None:
    """Write an SVG, which is the same for the same points."""
    import matplotlib as mpl  # it takes a second, and nothing else here needs it

    mpl.use("svg")
    from matplotlib import pyplot as plt

    with mpl.rc_context({"svg.hashsalt": curve.name, "svg.fonttype": "none", "font.size": 9}):
        figure, (left, right) = plt.subplots(1, 2, figsize=SIZE_INCHES, layout="constrained")
        figure.suptitle(curve.title)
        for number, (broker, by_size) in enumerate(points.items()):
            sizes = sorted(by_size)
            colour = f"C{number}"
            left.plot(sizes, _values(by_size, sizes, CPU), "o-", color=colour, label=broker)
            for name, style in TIMES.items():
                label = f"{broker}, {name.removesuffix(' ms')}"
                right.plot(sizes, _values(by_size, sizes, name), f"o{style}", color=colour, label=label)
        for axes, label in ((left, CPU), (right, "ms until delivered")):
            axes.set_xscale("log")
            axes.set_xlabel(curve.axis)
            axes.set_ylabel(label)
            axes.grid(visible=True, alpha=0.3)
            axes.legend()
        left.set_ylim(bottom=0)
        right.set_yscale("log")
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
        plt.close(figure)
    text = file.read_text("utf-8")
    file.write_text("\n".join(line.rstrip() for line in text.splitlines()) + "\n", "utf-8")


def _values(by_size: Mapping[int, Figures], sizes: Sequence[int], figure: str) -> list[float]:
    return [by_size[size][figure] for size in sizes]
