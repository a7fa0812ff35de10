"""`warren serve` with small segments, so that a short test sees many of them begun, rewritten and deleted.

    python -m tests.support.crash_serve SEGMENT_BYTES serve ...

Everything else is the real process: the size at which a flush begins a new segment is the only thing changed.
"""

from __future__ import annotations

import sys
from functools import partial

from warren.core.storage.disk.engine import DiskEngine
from warren.gateway.command_line.main import main
from warren.gateway.process import stores

if __name__ == "__main__":
    if vars(stores).get("DiskEngine") is not DiskEngine:
        raise SystemExit("the stores make their DiskEngine in another way now")
    vars(stores)["DiskEngine"] = partial(DiskEngine, segment_bytes_max=int(sys.argv.pop(1)))
    main()
