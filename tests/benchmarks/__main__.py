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
from tests.benchmarks.curves.points import CURVES
from tests.benchmarks.curves.run import SIZE_MAX, run_curves
from tests.benchmarks.machine import machine_facts
from tests.benchmarks.page import put
from tests.benchmarks.profiled.measure import profile
from tests.benchmarks.profiled.tables import tables
from tests.benchmarks.report import Run, heading, markdown
from tests.benchmarks.scenarios import DEFAULT_SCENARIOS, LOADS, SCENARIOS, Scenario
from tests.benchmarks.servers import OTHER, Peer, other_checkout, peers
from tests.benchmarks.table import table
from tests.benchmarks.targets import SCENARIO_NAMES, is_compared_with_before, peers_of
from tests.support.child import ChildError
from tests.support.warren_process import REPOSITORY

DEFAULT_PEERS = ("warren", "rabbitmq")

PROFILE_TIMES = 3
"""A profile takes so many times a scenario's messages: samples come with the kernel's tick, some hundred a second."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line asks for.  Returns the exit code."""
    options = _parser().parse_args(arguments)
    facts = machine_facts(options.directory or Path(tempfile.gettempdir()))
    if options.curves:
        return _curves(options, facts)
    if options.profile:
        return _profile(options, facts)
    return _compare(options, facts)


def _curves(options: argparse.Namespace, facts: Mapping[str, str]) -> int:
    brokers = [*_available(options.peers or ["warren"]), *_others(options)]
    text, failed = run_curves(options.curve or (), brokers, options.messages, options.size_max, options.directory)
    _say(f"{heading(facts)}\n\n{text}", "curves", options.page)
    return failed


def _profile(options: argparse.Namespace, facts: Mapping[str, str]) -> int:
    checkouts = {"warren": REPOSITORY, **({OTHER: options.against.resolve()} if options.against else {})}
    text, failed = [heading(facts), ""], False
    for name in options.scenario or LOADS:
        scenario = SCENARIOS[name]
        messages = options.messages or scenario.messages * PROFILE_TIMES
        found = {}
        for warren, checkout in checkouts.items():
            try:
                found[warren] = profile(scenario, checkout, messages, options.directory)
            except (ChildError, LoadError) as error:
                print(f"{name}: {warren}: {error}", file=sys.stderr, flush=True)
                failed = failed or warren == "warren"  # an older one needn't know what the scenario needs
        if not found:
            continue
        text.append(tables(f"{name}: {scenario.about}", found))
        print(f"{name}: profiled", file=sys.stderr, flush=True)
    _say("\n".join(text), "profile", options.page)
    return int(failed)


def _compare(options: argparse.Namespace, facts: Mapping[str, str]) -> int:
    """Scenarios with brokers in turn, to tables or to the one table."""
    chosen = _table_brokers(options) if options.table else _brokers(options)
    if not chosen:
        print("none of the brokers asked for is installed", file=sys.stderr)
        return 1
    everybody = {peer.name: peer for each in chosen.values() for peer in each}
    facts = {
        **facts,
        **{peer.name: peer.version for peer in everybody.values()},
        "generator": f"CPython {platform.python_version()}",
    }
    runs: list[Run] = []
    for name, brokers in chosen.items():
        runs += _alternate(SCENARIOS[name], brokers, options.runs, options.messages, options.directory)
    if options.table:
        _say(table(runs, facts), "table", options.page)
    else:
        print(markdown(runs, list(everybody), {each.name: each.about for each in SCENARIOS.values()}, facts))
    if options.json is not None:
        content = {"machine": facts, "runs": [asdict(run) for run in runs]}
        options.json.write_text(json.dumps(content, indent=2) + "\n")
    return 1 if any(run.failure is not None for run in runs) else 0


def _others(options: argparse.Namespace) -> list[Peer]:
    return [] if options.against is None else [other_checkout(options.against.resolve())]


def _brokers(options: argparse.Namespace) -> dict[str, list[Peer]]:
    """Scenario to who runs it: the same for all."""
    names = ["warren"] if options.against is not None else options.peers or DEFAULT_PEERS
    brokers = [*_available(names), *_others(options)]
    return dict.fromkeys(options.scenario or DEFAULT_SCENARIOS, brokers) if brokers else {}


def _table_brokers(options: argparse.Namespace) -> dict[str, list[Peer]]:
    """The same for the table: this Warren, the other one unless it can't have what the scenario needs, and whom the
    scenario's rows are compared with.
    """
    names = options.scenario or SCENARIO_NAMES
    wanted = list(dict.fromkeys(["warren", *(peer for name in names for peer in peers_of(name))]))
    known = {peer.name: peer for peer in _available(wanted)}
    others = _others(options)
    return {
        name: [
            known["warren"],
            *(others if is_compared_with_before(name) else ()),
            *(known[each] for each in peers_of(name) if each in known),
        ]
        for name in names
    }


def _say(text: str, section: str, in_page: bool) -> None:
    print(text)
    if in_page:
        put(section, text)


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
    parser.add_argument(
        "--curves",
        action="store_true",
        help="instead: what a message costs and how long it takes as something grows, drawn into docs/curves",
    )
    parser.add_argument("--curve", action="append", choices=list(CURVES), help="which of them; repeatable (all)")
    parser.add_argument(
        "--size-max",
        type=int,
        default=SIZE_MAX,
        help=f"leave out points of curves beyond this ({SIZE_MAX:,}; the last is 10,000,000 messages waiting)",
    )
    parser.add_argument(
        "--page", action="store_true", help="write table, profile or curves into docs/performance.md, too"
    )
    parser.add_argument("--runs", type=int, default=5, help="runs per scenario and broker (5)")
    parser.add_argument("--messages", type=int, help="messages per run instead of the scenario's own number")
    parser.add_argument(
        "--peers",
        type=lambda text: text.split(","),
        help=f"brokers, separated by commas, of: {', '.join(peers())} (warren,rabbitmq; of curves warren)",
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
