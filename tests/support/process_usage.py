"""What a process and its descendants cost: CPU time and resident memory, from Linux's /proc.

CPU time counts all threads, including those that have ended, and children that have been waited for; its
resolution is the kernel's clock tick (10 ms as a rule).  Memory is the sum of the processes' resident sizes,
so pages that they share are counted once per process; for a broker of one big process and a few small helpers
that hardly matters.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")

# Fields of /proc/PID/stat, counted from the one after the command's closing parenthesis (proc_pid_stat(5)).
_PARENT = 1
_CPU_TIMES = slice(11, 15)

# How the kernel numbers the clock of what a process has run (clock_getcpuclockid(3)): what the scheduler has counted.
_SCHEDULER_CLOCK = 2


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU seconds (user and system) so far, resident bytes now, and the most there ever were."""

    cpu_s: float
    resident_bytes: int
    peak_bytes: int


def usage_of_tree(root: int) -> Usage:
    """The usage of process `root` and everything below it.  Raises ProcessLookupError if it is gone."""
    stats = _all_stats()
    if root not in stats:
        raise ProcessLookupError(f"no process {root}")
    tree = _descendants(root, {pid: int(fields[_PARENT]) for pid, fields in stats.items()})
    ticks = sum(int(each) for pid in tree for each in stats[pid][_CPU_TIMES])
    memory = [_memory_bytes(pid) for pid in tree]
    return Usage(
        cpu_s=ticks / TICKS_PER_SECOND,
        resident_bytes=sum(resident for resident, _ in memory),
        peak_bytes=sum(peak for _, peak in memory),
    )


def cpu_s_of(pid: int) -> float:
    """CPU seconds of one process so far, with all threads and without its children, finer than ticks.

    Raises OSError if it is gone.
    """
    return time.clock_gettime(~pid << 3 | _SCHEDULER_CLOCK)


def kept_waiting_s(pid: int) -> float:
    """Seconds that a process's first thread was ready to run, and others had the processor.

    Zero where the kernel doesn't count that, and for a process that is gone.
    """
    try:
        return int((PROC / str(pid) / "schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError):
        return 0.0


def _all_stats() -> dict[int, list[str]]:
    stats = {}
    for entry in PROC.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            text = (entry / "stat").read_text(errors="replace")
        except OSError:  # it ended in between
            continue
        stats[int(entry.name)] = text[text.rindex(")") + 2 :].split()
    return stats


def _descendants(root: int, parents: dict[int, int]) -> list[int]:
    tree = [root]
    for known in tree:
        tree.extend(pid for pid, parent in parents.items() if parent == known)
    return tree


def _memory_bytes(pid: int) -> tuple[int, int]:
    """(resident, peak resident) bytes; zeros for a process that ended in between, or is a zombie."""
    found = {"VmRSS": 0, "VmHWM": 0}
    try:
        lines = (PROC / str(pid) / "status").read_text(errors="replace").splitlines()
    except OSError:
        return 0, 0
    for line in lines:
        name, _, value = line.partition(":")
        if name in found:
            found[name] = int(value.split()[0]) * 1024
    return found["VmRSS"], found["VmHWM"]
