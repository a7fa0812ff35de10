"""The thread that writes commits: one, which waits for the next.

Starting a thread per commit, or taking one of Trio's and being woken by way of its scheduler, costs more than a small
write takes: this one is woken by an entry in a queue, and says that it is done by ringing the hub's bell.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue
from time import perf_counter


class DiskThread:
    """Does one work after the other; `on_done` is called after each, in the thread.

    error: what the last one raised.  took_s: how long it took.
    """

    def __init__(self, on_done: Callable[[], None]) -> None:
        self.error: Exception | None = None
        self.took_s = 0.0
        self._on_done = on_done
        self._works: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="warren-commits", daemon=True)
        self._thread.start()

    def start(self, work: Callable[[], None]) -> None:
        """Have `work` done."""
        self._works.put(work)

    def stop(self) -> None:
        """End the thread once what was given to it is done; waits for that."""
        self._works.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (work := self._works.get()) is not None:
            began_at = perf_counter()
            try:
                work()
            except Exception as error:
                self.error = error
            else:
                self.error = None
            self.took_s = perf_counter() - began_at
            self._on_done()
