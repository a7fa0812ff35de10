"""Where a process spends its time as `perf` sees it: kernel, interpreter, libraries, and functions compiled to C.

`perf` samples by a clock of the kernel's, so that it needs no counters of the processor.  Debian: linux-perf.
"""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

FREQUENCY_HZ = 999
STOP_TIMEOUT_S = 30.0

_COMPILED = re.compile(r"CPy(?:Def|Pattern|Gen|Vtable)?_")
_LINE = re.compile(r"\s*([\d.]+)%?\s*\|\s*([^|]+?)\s*\|\s*\[.\]\s*(\S+)")


class NativeProfile:
    """A recording of a process from `begin` to `end`."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._recorder: subprocess.Popen[bytes] | None = None

    def begin(self, pid: int) -> None:
        """Record from now on, where `perf` is installed."""
        program = perf()
        if program is None:
            return
        command = [program, "record", "-q", "-e", "cpu-clock", "-F", str(FREQUENCY_HZ), "-o", str(self._file)]
        self._recorder = subprocess.Popen(
            [*command, "-p", str(pid)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def end(self) -> Mapping[str, float]:
        """Part of the program to its share; empty without `perf`, or where it recorded nothing."""
        program = perf()
        if self._recorder is None or program is None:
            return {}
        self._recorder.send_signal(signal.SIGINT)
        self._recorder.wait(STOP_TIMEOUT_S)
        said = subprocess.run(
            [program, "report", "-i", str(self._file), "--stdio", "-q", "--sort", "dso,symbol", "-t", "|"],
            capture_output=True,
            text=True,
            check=False,
        )
        return parts(said.stdout.splitlines())


def perf() -> str | None:
    """The program, where it is installed."""
    return shutil.which("perf")


def parts(report: Iterable[str]) -> Mapping[str, float]:
    """What `perf report` says, by part: each compiled function is one."""
    shares: dict[str, float] = {}
    for line in report:
        found = _LINE.match(line)
        if found is not None:
            share, library, symbol = found.groups()
            part = _part(library, symbol)
            shares[part] = shares.get(part, 0.0) + float(share) / 100
    return shares


def _part(library: str, symbol: str) -> str:
    if library.startswith(("[kernel", "[guest")):
        return "kernel"
    if _COMPILED.match(symbol):
        return f"compiled: {symbol}"
    if library.startswith(("libpython", "python")):
        return "interpreter"
    return library
