"""Runs a Python program by a wall clock that can be set: `python jumping_clock.py FILE -m MODULE ARGUMENT...`.

FILE holds by how many seconds it is wrong, and may be written at any time; a file that isn't there is a right clock.
`time.time` and `time.time_ns` go by it.  Monotonic clocks are the kernel's, which nobody can set.
"""

from __future__ import annotations

import os
import runpy
import sys
import time
from pathlib import Path


def main() -> None:
    """Exchange the clocks, then become the program."""
    name, dash_m, module, *arguments = sys.argv[1:]
    if dash_m != "-m":
        raise SystemExit(__doc__)
    file = Path(name)
    time_s, time_ns = time.time, time.time_ns

    def wrong_by_s() -> float:
        try:
            return float(file.read_text() or 0)
        except FileNotFoundError:
            return 0.0

    time.time = lambda: time_s() + wrong_by_s()
    time.time_ns = lambda: time_ns() + int(wrong_by_s() * 1_000_000_000)
    sys.argv[1:] = arguments
    sys.path[0] = os.getcwd()
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
