"""`python -m tests.benchmarks`: run scenarios against brokers in turn and print a Markdown report.

Progress goes to standard error, the report to standard output.  The exit code is 1 if any run failed.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from tests.benchmarks.client import LoadError
from tests.benchmarks.machine import machine_facts
from tests.benchmarks.profiled.measure import profile
from tests.benchmarks.profiled.tables import tables
from tests.benchmarks.report import Run, markdown
from tests.benchmarks.scenarios import DEFAULT_SCENARIOS, LOADS, SCENARIOS, Scenario
from tests.benchmarks.servers import OTHER, Peer, other_checkout, peers
from tests.benchmarks.table import table
from tests.benchmarks.targets import SCENARIO_NAMES, peers_of
from tests.support.child import ChildError
from tests.support.warren_process import REPOSITORY


PROFILE_TIMES = 3
"""A profile takes so many times a scenario's messages: samples come with the kernel's tick, some hundred a second."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line asks for.  Returns the exit code."""
    options = _parser().parse_args(arguments)
    others = [] if options.against is None else [other_checkout(options.against.resolve())]
    if options.profile:
        usual = LOADS
    else:
        usual = SCENARIO_NAMES if options.table else DEFAULT_SCENARIOS
    names = options.scenario or usual
    chosen: dict[str, Sequence[Peer]]
    if options.table:
        peers_wanted = list(dict.fromkeys(["warren", *(peer for name in names for peer in peers_of(name))]))
        known = {peer.name: peer for peer in _available(peers_wanted)}
        chosen = {
            name: [known["warren"], *others, *(known[each] for each in peers_of(name) if each in known)]
            for name in names
        }
    else:
        compared = [*_available(options.peers if options.against is None else ["warren"]), *others]
        if not compared:
            print("none of the brokers asked for is installed", file=sys.stderr)
            return 1
        chosen = dict.fromkeys(names, compared)
    if options.profile:
        checkouts = {"warren": REPOSITORY, **({OTHER: options.against.resolve()} if options.against else {})}
        return _profile(names, checkouts, options.messages, options.directory)
    everybody = {peer.name: peer for each in chosen.values() for peer in each}
    facts = {
        **machine_facts(options.directory or Path(tempfile.gettempdir())),
        **{peer.name: peer.version for peer in everybody.values()},
        "generator": f"CPython {platform.python_version()}",
    }
    runs: list[Run] = []
    for name, brokers in chosen.items():
        runs += _alternate(SCENARIOS[name], brokers, options.runs, options.messages, options.directory)
    if options.table:
        print(table(runs, facts))
    else:
        print(markdown(runs, list(everybody), {each.name: each.about for each in SCENARIOS.values()}, facts))
    if options.json is not None:
        content = {"machine": facts, "runs": [asdict(run) for run in runs]}
        options.json.write_text(json.dumps(content, indent=2) + "\n")
    return 1 if any(run.failure is not None for run in runs) else 0


def _profile(names: Sequence[str], checkouts: Mapping[str, Path], messages: int | None, parent: Path | None) -> int:
    failed = 0
    for name in names:
        scenario = SCENARIOS[name]
        try:
            found = {
                warren: profile(scenario, checkout, messages or scenario.messages * PROFILE_TIMES, parent)
                for warren, checkout in checkouts.items()
            }
        except (ChildError, LoadError) as error:
            print(f"{name}: {error}", file=sys.stderr, flush=True)
            failed = 1
            continue
        print(tables(f"{name}: {scenario.about}", found), flush=True)
    return failed


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument(
        "--scenario",
        action="append",
        choices=list(SCENARIOS),
        help="which to run; repeatable (all but backlog and recovery)",
    )
    parser.add_argument(
        "--table",
        action="store_true",
        help="one table of what is aimed at and reached, against the peers of each scenario and --against",
    )
    parser.add_argument(
        "--profile",
        action="store_true",
        help="instead: where the CPU time of a message goes, here and with --against, of scenarios that are one load",
    )
    parser.add_argument("--runs", type=int, default=5, help="runs per scenario and broker (5)")
    parser.add_argument("--messages", type=int, help="messages per run instead of the scenario's own number")
    parser.add_argument(
        "--peers",
        type=lambda text: text.split(","),
        default=["warren", "rabbitmq"],
        help=f"brokers, separated by commas, of: {', '.join(peers())} (warren,rabbitmq)",
    )
    parser.add_argument(
        "--against",
        type=Path,
        metavar="DIRECTORY",
        help="instead of --peers: this checkout of Warren and the one in DIRECTORY",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures of all runs to FILE")
    parser.add_argument(
        "--directory",
        type=Path,
        metavar="DIR",
        help="put the brokers' stores below DIR (temporary directory)",
    )
    return parser


def _available(names: Sequence[str]) -> list[Peer]:
    known = peers()
    chosen = []
    for name in names:
        if name not in known:
            raise SystemExit(f"no broker called {name!r}: choose from {', '.join(known)}")
        if known[name].available:
            chosen.append(known[name])
        else:
            print(f"{name} isn't installed here: left out", file=sys.stderr)
    return chosen


def _alternate(
    scenario: Scenario, chosen: Sequence[Peer], count: int, messages: int | None, directory: Path | None
) -> list[Run]:
    """`count` runs with each broker, in turn: what else the machine does then meets all of them alike."""
    runs = []
    for number in range(1, count + 1):
        for peer in chosen:
            run = _run(scenario, peer, number, messages or scenario.messages, directory)
            result = run.failure or ", ".join(f"{name} {value:,.2f}" for name, value in run.figures.items())
            print(f"{scenario.name} {number}/{count} {peer.name}: {result}", file=sys.stderr, flush=True)
            runs.append(run)
    return runs


def _run(scenario: Scenario, peer: Peer, number: int, messages: int, directory: Path | None) -> Run:
    try:
        with peer.start(directory, scenario.protocol) as server:
            return Run(scenario.name, peer.name, number, scenario.measure(server, messages))
    except (ChildError, LoadError) as error:
        return Run(scenario.name, peer.name, number, {}, str(error))


if __name__ == "__main__":
    sys.exit(main())
