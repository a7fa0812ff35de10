"""Who wants to hear of changes to the topology, such as a plugin that brings exchanges their messages from elsewhere.

A watcher is called within the operation that changes something, so it notes what has changed and returns; what follows
from that is work of its own.  What a watcher raises is logged and hurts nobody.  With no watcher, none of it costs more
than a look at an empty list.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from warren.core.exchanges.base import Exchange
    from warren.core.exchanges.binding import Binding
    from warren.core.queues.base import Queue

_log = logging.getLogger("warren.watchers")

FAILED: Final = "who watches the topology failed, and may know less of it now than there is"


class Watcher(Protocol):
    """See the head of this file.  Calls come for every queue and exchange of all virtual hosts."""

    def policies_changed(self, target: Queue | Exchange) -> None:
        """What policies say of it is another thing now, also because it has come into being under one."""

    def gone(self, target: Queue | Exchange) -> None:
        """It is deleted; of an exchange, all bindings are gone with it, and `unbound` doesn't tell of them."""

    def bound(self, exchange: Exchange, binding: Binding) -> None:
        """The exchange has one binding more."""

    def unbound(self, exchange: Exchange, bindings: Sequence[Binding]) -> None:
        """The exchange has these bindings no more."""


class Watchers:
    """Of one broker; true while there are any."""

    __slots__ = ("_watchers",)

    def __init__(self) -> None:
        self._watchers: list[Watcher] = []

    def __bool__(self) -> bool:
        return bool(self._watchers)

    def add(self, watcher: Watcher) -> None:
        """Have it called from now on."""
        self._watchers.append(watcher)

    def remove(self, watcher: Watcher) -> None:
        """Have it called no more; nothing happens if it never was."""
        if watcher in self._watchers:
            self._watchers.remove(watcher)

    def policies_changed(self, target: Queue | Exchange) -> None:
        for watcher in self._watchers:
            try:
                watcher.policies_changed(target)
            except Exception:
                _log.exception(FAILED)

    def gone(self, target: Queue | Exchange) -> None:
        for watcher in self._watchers:
            try:
                watcher.gone(target)
            except Exception:
                _log.exception(FAILED)

    def bound(self, exchange: Exchange, binding: Binding) -> None:
        for watcher in self._watchers:
            try:
                watcher.bound(exchange, binding)
            except Exception:
                _log.exception(FAILED)

    def unbound(self, exchange: Exchange, bindings: Sequence[Binding]) -> None:
        for watcher in self._watchers:
            try:
                watcher.unbound(exchange, bindings)
            except Exception:
                _log.exception(FAILED)
