"""`python -m tests.benchmarks.cluster`: the curves and figures of docs/cluster.md, "How large"."""

from __future__ import annotations

import argparse
from pathlib import Path

from tests.benchmarks.cluster.logins import Logins, logins
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
from tests.benchmarks.cluster.storms import Storm, storm

NODES = 50
BINDINGS = (24_500, 49_000, 98_000, 196_000)
NODE_COUNTS = (3, 10, 20, 30, 40, 50)
STORM_NODES = (3, 10, 25, 50)
STORM_QUEUES = 5_000
DEVICES = 1_000_000
TOGETHER = (1, 100)
SIZE_INCHES = (9.0, 6.4)


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
    storms = [storm(nodes, STORM_QUEUES) for nodes in STORM_NODES]
    rows = [["nodes", "definitions", "writes", "refused", "MiB heard by each", "rounds", "CPU s of each"]]
    rows += [
        [
            str(each.nodes),
            f"{each.definitions:,}",
            f"{each.writes:,}",
            str(each.refused),
            f"{each.heard_bytes / MEBIBYTE:.1f}",
            str(each.rounds),
            f"{each.seconds:.1f}",
        ]
        for each in storms
    ]
    print("", table(rows), "", sep="\n")
    rows = [["nodes", "logins in a word", "µs of its own", "µs of another's", "bytes each", "CPU s of each node"]]
    devices = {together: [logins(nodes, DEVICES, together) for nodes in STORM_NODES] for together in TOGETHER}
    rows += [
        [
            str(each.nodes),
            str(together),
            f"{each.own_s / each.own * 1e6:.0f}",
            f"{each.heard_s / each.heard * 1e6:.1f}",
            f"{each.bytes_each:.0f}",
            f"{each.own_s + each.heard_s:.1f}",
        ]
        for together, found in devices.items()
        for each in found
    ]
    print(table(rows))
    if arguments.svg is not None:
        draw(joins, changes, storms, devices, arguments.svg)


def draw(
    joins: list[Heard], changes: list[Change], storms: list[Storm], devices: dict[int, list[Logins]], file: Path
) -> None:
    """Write an SVG."""
    import matplotlib as mpl  # it takes a second

    mpl.use("svg")
    from matplotlib import pyplot as plt

    with mpl.rc_context({"svg.hashsalt": "cluster", "svg.fonttype": "none", "font.size": 9}):
        figure, ((left, right), (declared, logged_in)) = plt.subplots(2, 2, figsize=SIZE_INCHES, layout="constrained")
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
        declared.set_title(f"{STORM_QUEUES:,} queues declared and bound at once")
        declared.plot(
            [each.nodes for each in storms], [each.seconds for each in storms], "o-", label="CPU s of each node"
        )
        declared.set_xlabel("nodes")
        declared.set_ylim(bottom=0)
        declared.legend()
        logged_in.set_title("A million devices log in")
        for together, found in devices.items():
            logged_in.plot(
                [each.nodes for each in found],
                [each.own_s + each.heard_s for each in found],
                "o-",
                label=f"CPU s of each node, {together} in a word",
            )
        logged_in.set_xlabel("nodes")
        logged_in.set_ylim(bottom=0)
        logged_in.legend()
        for axes in (left, right, declared, logged_in):
            axes.grid(visible=True, alpha=0.3)
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
        plt.close(figure)
    text = file.read_text("utf-8")
    file.write_text("\n".join(line.rstrip() for line in text.splitlines()) + "\n", "utf-8")


if __name__ == "__main__":
    main()
