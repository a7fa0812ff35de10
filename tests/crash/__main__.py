"""Crash tests for as long as one likes: `python -m tests.crash [--mixed] [--seed N] [--kills N] [--directory D]`.

    python -m tests.crash --mixed --seed 7 --kills 500

Without --mixed it is the load of AMQP alone, with transactions and definitions, that `tests/crash/test_kill.py` has.
The directory, a new one if none is named, is removed when nothing was wrong.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.crash.mixed.run import MixedError, MixedRun
from tests.support.crash_run import CrashError, CrashRun


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--mixed", action="store_true", help="all protocols at once")
    parser.add_argument("--seed", type=int, default=1, help="decides all that is random here")
    parser.add_argument("--kills", type=int, default=100, help="how often the broker is killed under load")
    parser.add_argument("--directory", type=Path, help="an empty one, for the data and the log")
    options = parser.parse_args()
    directory = options.directory or Path(tempfile.mkdtemp(prefix="warren-crash-"))
    directory.mkdir(parents=True, exist_ok=True)
    began_s = time.monotonic()
    run = MixedRun(directory, options.seed) if options.mixed else CrashRun(directory, options.seed)
    try:
        run.run(options.kills)
    except (CrashError, MixedError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"seed {options.seed}, {time.monotonic() - began_s:.0f} s: {run if options.mixed else run.counts}")
    shutil.rmtree(directory)
    return 0


if __name__ == "__main__":
    sys.exit(main())
