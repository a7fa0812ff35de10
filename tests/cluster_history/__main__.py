"""Many rounds of faults over a cluster, until one history is wrong:

    python -m tests.cluster_history [--seed N] [--rounds N] [--histories N] [--directory DIR]

Each history begins with an empty cluster and has the seed behind that of the one before; what a wrong one leaves stays.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.cluster_history.rounds import run


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.cluster_history")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--histories", type=int, default=1)
    parser.add_argument("--directory", type=Path)
    options = parser.parse_args()
    total: Counter[str] = Counter()
    for seed in range(options.seed, options.seed + options.histories):
        directory = Path(tempfile.mkdtemp(prefix=f"history-{seed}-", dir=options.directory))
        outcome = run(directory, seed, options.rounds, say=lambda text: print(text, flush=True))
        print(f"seed {seed}: {outcome}", flush=True)
        if outcome.wrong:
            print(*outcome.wrong, f"what it leaves is in {directory}", sep="\n", flush=True)
            return 1
        total += outcome.faults
    print(f"in all: {dict(total)}")
    return 0


sys.exit(main())
