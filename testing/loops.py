"""Who may wait where: a wait in a plain call would stop the event loop that it is made in.

And with it the clients that it waits for.  Looks and faults take a millisecond, and may be called anywhere.
"""

from __future__ import annotations

import sys

from warren.testing.errors import WarrenError

REMEDIES = {
    "asyncio": "await asyncio.to_thread(warren_broker.{0}, ...)",
    "trio": "await trio.to_thread.run_sync(lambda: warren_broker.{0}(...))",
}


def running_loop() -> str:
    """What runs in this thread: asyncio, trio, or nothing."""
    asyncio, trio = sys.modules.get("asyncio.events"), sys.modules.get("trio")
    if asyncio is not None and asyncio._get_running_loop() is not None:
        return "asyncio"
    if trio is not None and trio.lowlevel.in_trio_run():
        return "trio"
    return ""


def check_may_wait(method: str) -> None:
    """WarrenError with what to write instead, in an event loop."""
    loop = running_loop()
    if loop:
        raise WarrenError(
            f"{method} waits, and would stop the event loop of this test while it does ({loop}); "
            f"write: {REMEDIES[loop].format(method)}"
        )
