"""`python -m tests.benchmarks.counted`: instructions per message of each load, beside what is recorded."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from tests.benchmarks.counted import records
from tests.benchmarks.counted.counting import count


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code: 1 where a load takes too much."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.counted", description=__doc__)
    parser.add_argument("--record", action="store_true", help="write what is counted into records.json")
    options = parser.parse_args(arguments)
    counted = count()
    known = records.read().get(counted.form, {}).get(counted.version, {})
    print(f"{counted.form}, Python {counted.version}; the calibration takes {counted.calibration:,} instructions\n")
    print("| load | instructions/message | of the calibration, per 1,000 | recorded | of what is recorded |")
    print("|---|---:|---:|---:|---:|")
    for name, share in counted.shares.items():
        recorded = f"{known[name]:.4f} | {share / known[name]:.2f}" if name in known else "- | -"
        print(f"| {name} | {counted.loads[name]:,.0f} | {share:.4f} | {recorded} |")
    if options.record:
        records.write(counted)
        return 0
    problems = records.too_much(counted, records.read())
    print(*problems, sep="\n", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
