"""Imports that a start doesn't wait for: done in a thread once the broker is ready, one after the other.

What somebody waits for comes first.  The hub goes on meanwhile: a thread that imports holds the interpreter for no
longer than `SWITCH_S` while another one wants it.  There is one such thread, so that no two of them wait for each
other's modules; what the hub imports by itself meanwhile waits as any import does.
"""

from __future__ import annotations

import logging
import sys
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from importlib import import_module
from typing import Final

import trio

_log = logging.getLogger("warren.start")

SWITCH_S: Final = 0.001
"""How long the importing thread keeps the interpreter from the hub, in seconds; Python's own is five times that."""

Then = Callable[[Exception | None], None]
"""Told, in Trio's thread, that the modules are there, or why not."""


class Loader:
    """Of one process.  Modules may be asked for before `run`, which does the work."""

    def __init__(self) -> None:
        self._urgent: deque[tuple[tuple[str, ...], Then]] = deque()
        self._later: deque[Callable[[], object]] = deque()
        self._there: set[str] = set()
        self._working = False
        self._asked = trio.Event()
        self._idle = trio.Event()

    def has(self, modules: Iterable[str]) -> bool:
        """Whether this loader has imported these."""
        return self._there.issuperset(modules)

    def soon(self, *modules: str) -> None:
        """Import these when nobody waits for something else; what fails is in the log, and tried again for `now`."""
        self._later.append(partial(self._import, modules))
        self._wake()

    def call_soon(self, load: Callable[[], object]) -> None:
        """The same for a function that imports something, and does nothing else."""
        self._later.append(load)
        self._wake()

    def now(self, modules: tuple[str, ...], then: Then) -> None:
        """Import these as soon as what is being imported is there, and call `then`."""
        self._urgent.append((modules, then))
        self._wake()

    async def done(self) -> None:
        """Return when everything that was asked for is there, or has failed."""
        while self._working or self._urgent or self._later:
            await self._idle.wait()

    async def run(self) -> None:
        """Import what is asked for, until cancelled; that waits for the import at hand."""
        while True:
            if self._urgent or self._later:
                await self._work()
            self._idle.set()
            self._asked = trio.Event()
            await self._asked.wait()

    def _wake(self) -> None:
        self._idle = self._idle if not self._idle.is_set() else trio.Event()
        self._asked.set()

    async def _work(self) -> None:
        before_s = sys.getswitchinterval()
        sys.setswitchinterval(min(SWITCH_S, before_s))
        self._working = True
        try:
            while self._urgent or self._later:
                if self._urgent:
                    modules, then = self._urgent.popleft()
                    problem = None if self.has(modules) else await self._load(partial(self._import, modules))
                    then(problem)
                else:
                    await self._load(self._later.popleft())
        finally:
            self._working = False
            sys.setswitchinterval(before_s)

    async def _load(self, load: Callable[[], object]) -> Exception | None:
        try:
            await trio.to_thread.run_sync(load)
        except Exception as error:
            _log.error("something of Warren can't be loaded: %s; install it again", error, exc_info=error)
            return error
        return None

    def _import(self, modules: Iterable[str]) -> None:
        """In the thread."""
        for name in modules:
            import_module(name)
            self._there.add(name)
