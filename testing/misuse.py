"""A call that waits for a broker in the very thread that the broker runs in would wait for ever.

So it is refused where it begins, at `connect`, with a sentence that says what to do: a client that blocks (pika's
BlockingConnection, stomp.py, ...) connects to the test's own broker, from its own thread.  Clients of Trio may.

Python tells of each `connect` by an audit hook (sys.addaudithook), which can't be taken away again; so there is one per
process, made with the first broker that needs it, and without such a broker it looks at nothing.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import trio

from warren.testing.errors import WarrenError

_guarded: dict[tuple[int, int], None] = {}
"""Thread and port of each broker that runs in the thread."""

_hooks: list[object] = []


@contextmanager
def blocking_calls_refused(listening: Mapping[str, Sequence[tuple[str, int]]]) -> Iterator[None]:
    """Refuse connections to these addresses that this thread makes otherwise than by Trio, for the block."""
    if not _hooks:
        _hooks.append(_look)
        sys.addaudithook(_look)
    mine = [(threading.get_ident(), port) for addresses in listening.values() for _, port in addresses]
    _guarded.update(dict.fromkeys(mine))
    try:
        yield
    finally:
        for each in mine:
            _guarded.pop(each, None)


def _look(event: str, arguments: tuple[Any, ...]) -> None:
    if event != "socket.connect" or not _guarded:
        return
    address = arguments[1]
    if not isinstance(address, tuple) or (threading.get_ident(), address[1]) not in _guarded:
        return
    caller = _caller()
    if caller == trio.__name__ or not trio.lowlevel.in_trio_run():
        return
    # Nobody else will: callers close what an OSError came of.
    arguments[0].close()
    raise WarrenError(
        f"{caller} connects to a broker that runs in this very thread and couldn't answer while {caller} waits for it. "
        "Use warren_url, whose broker is a process of its own; or have the client run in another thread: "
        "await trio.to_thread.run_sync(...)"
    )


def _caller() -> str:
    """The package that connects: the first on the way from here that isn't Python's own socket module."""
    frame = sys._getframe(2)
    while frame.f_back is not None:
        package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        if package not in ("socket", "asyncio", "selectors"):
            return package
        frame = frame.f_back
    return "the test"
