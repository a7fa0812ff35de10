"""`python -m tests.benchmarks.cluster`: the curves and figures of docs/cluster.md, "How large"."""

from __future__ import annotations

import argparse
from pathlib import Path

from tests.benchmarks.cluster.simulated import (
    MEBIBYTE,
    Change,
    Heard,
    claim_bytes,
    heard_at_a_join,
    one_change,
    shards_that_move,
    table,
)

NODES = 50
BINDINGS = (24_500, 49_000, 98_000, 196_000)
NODE_COUNTS = (3, 10, 20, 30, 40, 50)
SIZE_INCHES = (9.0, 3.2)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.cluster", description=__doc__)
    parser.add_argument("--svg", type=Path, help="where to draw the curves to")
    arguments = parser.parse_args()
    joins = [heard_at_a_join(NODES, bindings) for bindings in BINDINGS]
    changes = [one_change(nodes) for nodes in NODE_COUNTS]
    rows = [["bindings of 49 nodes", "words", "MiB heard", "CPU s", "MiB kept"]]
    rows += [
        [
            f"{each.bindings:,}",
            str(each.words),
            f"{each.word_bytes / MEBIBYTE:.1f}",
            f"{each.seconds:.1f}",
            f"{each.memory_bytes / MEBIBYTE:.0f}",
        ]
        for each in joins
    ]
    print(table(rows), end="\n\n")
    rows = [["nodes", "words for one binding", "bytes", "CPU µs of all nodes"]]
    rows += [
        [str(each.nodes), str(each.words), f"{each.word_bytes:,}", f"{each.seconds * 1e6:.0f}"] for each in changes
    ]
    print(table(rows), end="\n\n")
    lost, gained = shards_that_move(NODES, 256)
    print(f"of 256 shards on {NODES} nodes, {lost} others move when a node leaves, and {gained} when one comes")
    claimed, answered = claim_bytes(100)
    print(f"100 logins: {claimed:,} bytes to all nodes, {answered:,} bytes from each")
    if arguments.svg is not None:
        draw(joins, changes, arguments.svg)


def draw(joins: list[Heard], changes: list[Change], file: Path) -> None:
    """Write an SVG."""
    import matplotlib as mpl  # it takes a second

    mpl.use("svg")
    from matplotlib import pyplot as plt

    with mpl.rc_context({"svg.hashsalt": "cluster", "svg.fonttype": "none", "font.size": 9}):
        figure, (left, right) = plt.subplots(1, 2, figsize=SIZE_INCHES, layout="constrained")
        left.set_title("A node joins 49 others")
        thousands = [each.bindings / 1000 for each in joins]
        left.plot(thousands, [each.memory_bytes / MEBIBYTE for each in joins], "o-", label="MiB kept")
        left.plot(thousands, [each.word_bytes / MEBIBYTE for each in joins], "o-", label="MiB heard")
        seconds = left.twinx()
        seconds.plot(thousands, [each.seconds for each in joins], "o--", color="C2", label="CPU s")
        seconds.set_ylim(bottom=0)
        seconds.set_ylabel("s until it knows all")
        left.set_xlabel("thousand bindings of all nodes' own queues")
        left.set_ylabel("MiB")
        left.set_ylim(bottom=0)
        left.legend(loc="upper left")
        seconds.legend(loc="lower right")
        right.set_title("One binding more")
        nodes = [each.nodes for each in changes]
        right.plot(nodes, [each.words for each in changes], "o-", label="words between nodes")
        right.plot(nodes, [each.seconds * 1e4 for each in changes], "o--", label="CPU of all nodes, 100 µs")
        right.set_xlabel("nodes")
        right.set_ylim(bottom=0)
        right.legend()
        for axes in (left, right):
            axes.grid(visible=True, alpha=0.3)
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
        plt.close(figure)
    text = file.read_text("utf-8")
    file.write_text("\n".join(line.rstrip() for line in text.splitlines()) + "\n", "utf-8")


if __name__ == "__main__":
    main()
