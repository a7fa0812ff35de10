"""Runs a Python program and notes where it spends its CPU time: `python sampler.py FILE -m MODULE ARGUMENT...`.

SIGUSR1 begins, SIGUSR2 ends and writes FILE: JSON, a list of [module, function, samples].  In between a timer of CPU
time interrupts the program, which then looks where its main thread is.  What C code takes is its caller's; what other
threads take is put down to where the main thread is, which matters little: they write to disk.

It imports nothing of this repository, since the program may be another checkout's.
"""

from __future__ import annotations

import json
import os
import runpy
import signal
import sys
from pathlib import Path
from types import CodeType, FrameType

INTERVAL_S = 0.001


def main() -> None:
    """Put up the handlers, then become the program."""
    output, dash_m, module, *arguments = sys.argv[1:]
    if dash_m != "-m":
        raise SystemExit(__doc__)
    samples: dict[tuple[CodeType, str], int] = {}

    def sample(number: int, frame: FrameType | None) -> None:
        if frame is not None:
            key = frame.f_code, frame.f_globals.get("__name__", "?")
            samples[key] = samples.get(key, 0) + 1

    def begin(number: int, frame: FrameType | None) -> None:
        samples.clear()
        signal.setitimer(signal.ITIMER_PROF, INTERVAL_S, INTERVAL_S)

    def end(number: int, frame: FrameType | None) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)
        rows = [[name, code.co_qualname, count] for (code, name), count in samples.items()]
        unfinished = Path(f"{output}.unfinished")
        unfinished.write_text(json.dumps(rows))
        unfinished.rename(output)

    signal.signal(signal.SIGPROF, sample)
    signal.signal(signal.SIGUSR1, begin)
    signal.signal(signal.SIGUSR2, end)
    sys.argv[1:] = arguments
    sys.path[0] = os.getcwd()
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
