"""Run seeds: `python -m tests.simulation.whole --seeds A:B [--jobs N] [--length L]`.

Each failing seed is made short and told of, with the lines that do it again:

    python -m tests.simulation.whole --seeds 17 --verbose
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
import traceback
from collections import Counter
from typing import Final, NamedTuple

from tests.simulation.whole.run import Outcome, plan, run
from tests.simulation.whole.shrink import shrink

LENGTH: Final = 120
PROGRESS_EVERY: Final = 1_000
FAILURES_SHOWN: Final = 5


class Tally(NamedTuple):
    """One seed's outcome, as far as it is told of.  text: what failed, empty for nothing."""

    seed: int
    counts: dict[str, int]
    text: str


def one(seed: int, length: int) -> Tally:
    """Run a seed; a failure is made short."""
    actions = plan(seed, length)
    outcome = run(seed, actions)
    return Tally(seed, outcome.counts, "" if outcome.error is None else _told(seed, length, outcome))


def _told(seed: int, length: int, outcome: Outcome) -> str:
    kind = type(outcome.error)
    short = shrink(plan(seed, length), lambda actions: type(run(seed, actions).error) is kind, tries_max=400)
    again = run(seed, short)
    error = again.error or outcome.error
    lines = [f"seed {seed} fails: {error!r}", "the shortest list of actions that does:"]
    lines += [f"    {action}" for action in short]
    lines.append("what happens then:")
    lines += [f"    {line}" for line in again.lines[-60:]]
    if error is not None:
        lines += traceback.format_exception(error, limit=-8)
    return "\n".join(lines)


def _job(given: tuple[int, int]) -> Tally:
    return one(*given)


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.whole", description=__doc__)
    parser.add_argument("--seeds", required=True, help="A:B, B excluded, or one")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--length", type=int, default=LENGTH, help="actions of each seed")
    parser.add_argument("--verbose", action="store_true", help="show all that is seen")
    options = parser.parse_args()
    first, _, end = options.seeds.partition(":")
    seeds = range(int(first), int(end) if end else int(first) + 1)
    if options.verbose:
        for seed in seeds:
            outcome = run(seed, plan(seed, options.length))
            print("\n".join(outcome.lines), outcome.trace, repr(outcome.error), sep="\n")
        return 0
    began_s = time.monotonic()
    counts: Counter[str] = Counter()
    failed: list[int] = []
    done = 0
    with multiprocessing.Pool(options.jobs, maxtasksperchild=500) as pool:
        for tally in pool.imap_unordered(_job, ((seed, options.length) for seed in seeds)):
            done += 1
            counts.update(tally.counts)
            if tally.text:
                failed.append(tally.seed)
                if len(failed) <= FAILURES_SHOWN:
                    print(tally.text, flush=True)
            if done % PROGRESS_EVERY == 0 or done == len(seeds):
                told = ", ".join(f"{count} {what}" for what, count in sorted(counts.items()))
                print(f"{done} seeds in {time.monotonic() - began_s:.0f} s: {told}; failed: {failed}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
