"""The program that is counted: `python -m tests.benchmarks.counted.program LOAD...`, under Callgrind.

What it has written, one file each: the instructions of the calibration, and of BLOCKS blocks of each load, in order.
Everything is put up and warmed up before counting begins.  It prints which form of Warren it ran.
"""

from __future__ import annotations

import gc
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from tests.benchmarks.counted.calibration import calibrate
from tests.benchmarks.counted.loads import LOADS
from tests.benchmarks.counted.valgrind import Counter

WARM_UP_BLOCKS = 6
BLOCKS = 10


def main(names: Sequence[str]) -> None:
    """Run the calibration and these loads."""
    counter = Counter()
    gc.disable()  # when it runs depends on all that was allocated before
    with ExitStack() as stack:
        directories = [Path(stack.enter_context(tempfile.TemporaryDirectory())) for _ in names]
        loads = [LOADS[name](directory) for name, directory in zip(names, directories, strict=True)]
        blocks = [[load.pieces(number) for number in range(WARM_UP_BLOCKS + BLOCKS)] for load in loads]
        for load, each in zip(loads, blocks, strict=True):
            load.check(load.run(each[:WARM_UP_BLOCKS]), WARM_UP_BLOCKS)
        calibrate()
        counter.start()
        counter.zero()
        calibrate()
        counter.write()
        for load, each in zip(loads, blocks, strict=True):
            counter.zero()
            came = load.run(each[WARM_UP_BLOCKS:])
            counter.write()
            load.check(came, BLOCKS)
    print(form())


def form() -> str:
    """ "compiled" where any of Warren's modules is a shared object, else "interpreted"."""
    files = [getattr(module, "__file__", None) or "" for name, module in sys.modules.items() if name[:7] == "warren."]
    return "interpreted" if all(file.endswith(".py") or not file for file in files) else "compiled"


if __name__ == "__main__":
    main(sys.argv[1:])
