"""`warren serve` with small segments, so that a short test sees many of them begun, rewritten and deleted.

    python -m tests.support.crash_serve SEGMENT_BYTES serve ...
    python -m tests.support.crash_serve --disk-takes SECONDS SEGMENT_BYTES serve ...

Everything else is the real process: the size at which a flush begins a new segment is the only thing changed; with
`--disk-takes` also how long each write waits before it begins, as on a slow disk.  The longer, the more a kill takes
with it that has been given to consumers already.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Final

from warren.core.storage.disk.engine import DiskEngine
from warren.gateway.command_line.main import main
from warren.gateway.process import commit, stores
from warren.gateway.process.disk_thread import DiskThread

DISK_TAKES: Final = "--disk-takes"

DISK_S: Final = (0.0, 0.0, 0.02, 0.2)
"""What crash tests choose from for it, for each start."""


class SlowDiskThread(DiskThread):
    """Waits before each write."""

    def __init__(self, seconds: float, on_done: Callable[[], None]) -> None:
        super().__init__(on_done)
        self._seconds = seconds

    def start(self, work: Callable[[], None]) -> None:
        super().start(partial(self._after_a_while, work))

    def _after_a_while(self, work: Callable[[], None]) -> None:
        time.sleep(self._seconds)
        work()


def slow_down(seconds: float) -> None:
    """Have each write of this process wait so long."""
    if vars(commit).get("DiskThread") is not DiskThread:
        raise SystemExit("commits make their DiskThread in another way now")
    vars(commit)["DiskThread"] = partial(SlowDiskThread, seconds)


if __name__ == "__main__":
    if vars(stores).get("DiskEngine") is not DiskEngine:
        raise SystemExit("the stores make their DiskEngine in another way now")
    if sys.argv[1] == DISK_TAKES:
        slow_down(float(sys.argv[2]))
        del sys.argv[1:3]
    vars(stores)["DiskEngine"] = partial(DiskEngine, segment_bytes_max=int(sys.argv.pop(1)))
    main()
