"""`warren serve` with small segments, so that a short test sees many of them begun, rewritten and deleted.

    python -m tests.support.crash_serve SEGMENT_BYTES serve ...

Everything else is the real process: the size at which a flush begins a new segment is the only thing changed.
"""

from __future__ import annotations

import sys

from warren.core.storage.disk.engine import DiskEngine
from warren.gateway.command_line.main import main

if __name__ == "__main__":
    defaults = DiskEngine.__init__.__kwdefaults__
    if defaults is None or "segment_bytes_max" not in defaults:
        raise SystemExit("DiskEngine has no segment_bytes_max any more")
    defaults["segment_bytes_max"] = int(sys.argv.pop(1))
    main()
