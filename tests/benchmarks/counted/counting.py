"""Instructions per message, counted by Valgrind's Callgrind, as parts of the calibration's in the same run.

Instructions rather than time: they are the same to a few thousandths, whatever else the machine does.  What they leave
out is the kernel's part, and how well a processor gets on with them; for those there is the harness on a quiet machine.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.counted.loads import BLOCK_MESSAGES, LOADS
from tests.benchmarks.counted.program import BLOCKS
from tests.support.child import ChildError
from tests.support.warren_process import PYTHON_PATH, REPOSITORY

TIMEOUT_S = 300.0
"""A run takes 15 s on an idle machine."""


@dataclass(frozen=True, slots=True)
class Counted:
    """What a run counted.

    form: "compiled" where any of Warren's modules is a shared object, else "interpreted".  version: the interpreter's.
    calibration: instructions of the calibration.  loads: instructions per message of each.
    """

    form: str
    version: str
    calibration: int
    loads: Mapping[str, float]

    @property
    def shares(self) -> Mapping[str, float]:
        """A load's instructions per thousand messages as a part of the calibration's."""
        return {name: count * 1000 / self.calibration for name, count in self.loads.items()}


def valgrind() -> str:
    """Valgrind's program.  Raises ChildError where there is none."""
    path = shutil.which("valgrind")
    if path is None:
        raise ChildError("valgrind isn't installed (Debian: valgrind)")
    return path


def count(names: Sequence[str] = tuple(LOADS)) -> Counted:
    """Count these loads in a process of their own.  Raises ChildError with its output when that fails."""
    with tempfile.TemporaryDirectory(prefix="counted-") as directory:
        output = Path(directory) / "counts"
        command = [valgrind(), "-q", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={output}"]
        command += [sys.executable, "-m", "tests.benchmarks.counted.program", *names]
        environment = {**os.environ, "PYTHONPATH": _python_path(), "PYTHONHASHSEED": "0"}
        done = subprocess.run(
            command, capture_output=True, text=True, cwd=REPOSITORY, env=environment, timeout=TIMEOUT_S, check=False
        )
        if done.returncode != 0:
            raise ChildError(f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}")
        totals = [_total(Path(f"{output}.{number}")) for number in range(1, len(names) + 2)]
    calibration, *counts = totals
    messages = BLOCKS * BLOCK_MESSAGES
    loads = {name: each / messages for name, each in zip(names, counts, strict=True)}
    return Counted(done.stdout.strip(), platform.python_version(), calibration, loads)


def _python_path() -> str:
    """This process's own, so that an interpreter can be tried with another's packages."""
    return os.pathsep.join([PYTHON_PATH, *filter(None, [os.environ.get("PYTHONPATH")])])


def _total(file: Path) -> int:
    """What a file of Callgrind's says was counted altogether."""
    found = re.search(r"^totals: (\d+)$", file.read_text(), re.MULTILINE)
    if found is None:
        raise ChildError(f"{file.name} has no total")
    return int(found.group(1))
