"""A bell: how another thread wakes the hub.

A descriptor that the hub's selector watches, readable from a ring until it is cleared.  That is one system call for
whoever rings and one for the hub, and the hub looks at its selector anyway: a third of what a call by way of Trio's
scheduler costs (`TrioToken.run_sync_soon`: a lock, a socket, a task that runs the call, and the task that it wakes).
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

from warren.gateway.network.link import EVENT_READ

if TYPE_CHECKING:
    from warren.gateway.network.hub import Hub


class Bell:
    """`ring` may be called in any thread; `rung` is called by the hub then, in a turn."""

    def __init__(self, hub: Hub, rung: Callable[[], None]) -> None:
        self._hub = hub
        self._rung = rung
        self._wire: _Wire = _EventWire() if hasattr(os, "eventfd") else _SocketWire()
        hub.sockets.place(self._wire.descriptor, self)
        hub.sockets.watch(self._wire.descriptor, 0, EVENT_READ)

    def ring(self) -> None:
        """Have `rung` called soon, once for all rings until then."""
        self._wire.put()

    def close(self) -> None:
        """Nobody rings any more."""
        self._hub.sockets.watch(self._wire.descriptor, EVENT_READ, 0)
        self._hub.sockets.forget(self._wire.descriptor)
        self._wire.close()

    def ready(self, events: int) -> None:
        """The hub's side: it was rung."""
        self._wire.clear()
        self._rung()


class _EventWire:
    """By Linux's eventfd(2)."""

    def __init__(self) -> None:
        self.descriptor = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def put(self) -> None:
        os.eventfd_write(self.descriptor, 1)

    def clear(self) -> None:
        os.eventfd_read(self.descriptor)

    def close(self) -> None:
        os.close(self.descriptor)


class _SocketWire:
    """By a pair of sockets, where there is no eventfd."""

    def __init__(self) -> None:
        self._near, self._far = socket.socketpair()
        self._near.setblocking(False)
        self.descriptor = self._near.fileno()

    def put(self) -> None:
        self._far.send(b"\0")

    def clear(self) -> None:
        self._near.recv(64)

    def close(self) -> None:
        self._near.close()
        self._far.close()


_Wire = _EventWire | _SocketWire
