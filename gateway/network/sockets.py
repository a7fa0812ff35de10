"""Every socket that a hub looks at, by descriptor, and who is told when it can be read or written.

Descriptors are small numbers that the system gives out again, so a row with a place for each is all there is to it:
eight bytes a socket, where selectors keep an object and an entry of a dict.  Where the system has epoll it is asked
directly; elsewhere a selector is.  A socket is in the row from `place` to `forget`, whether or not anything is looked
for on it.

A descriptor that is closed and given out again within one `poll` may be reported to who has it now, and who is told
finds nothing to read.
"""

from __future__ import annotations

import select
import selectors
from time import perf_counter
from typing import TYPE_CHECKING, Final, Protocol

from warren.gateway.network.link import EVENT_READ, EVENT_WRITE, Link

if TYPE_CHECKING:
    from collections.abc import Iterator

EPOLL_READ: Final = 0x001
EPOLL_WRITE: Final = 0x004
"""EPOLLIN and EPOLLOUT (epoll_ctl(2)); what else it reports, an error or the peer's end, makes a socket ready for
both."""


class Ready(Protocol):
    """Who waits for a socket."""

    def ready(self, events: int) -> None:
        """It can be read or written, or has ended: EVENT_READ, EVENT_WRITE or both."""


class Sockets:
    """Of one hub.

    link_count: how many of them are links.  longest_s: how long the one of the last `poll` took that took longest, in
    seconds; 0 where none was ready.
    """

    __slots__ = ("_epoll", "_longest_descriptor", "_row", "_selector", "link_count", "longest_s")

    def __init__(self) -> None:
        self._row: list[Ready | None] = []
        self.link_count = 0
        self.longest_s = 0.0
        self._longest_descriptor = -1
        self._epoll: select.epoll | None = None
        self._selector: selectors.BaseSelector | None = None
        if selectors.DefaultSelector is getattr(selectors, "EpollSelector", None):
            self._epoll = select.epoll()
        else:
            self._selector = selectors.DefaultSelector()

    def descriptor(self) -> int | None:
        """What can be waited for until `poll` finds something; None where the system has no such thing."""
        if self._epoll is not None:
            return self._epoll.fileno()
        fileno = getattr(self._selector, "fileno", None)
        return None if fileno is None else int(fileno())

    def links(self) -> Iterator[Link]:
        """All links, in no order."""
        for each in list(self._row):
            if isinstance(each, Link):
                yield each

    def place(self, descriptor: int, who: Ready) -> None:
        """From now on, it is `who` that waits for this socket; nothing is looked for yet."""
        row = self._row
        if descriptor >= len(row):
            row.extend([None] * (descriptor + 1 - len(row)))
        if row[descriptor] is None and isinstance(who, Link):
            self.link_count += 1
        row[descriptor] = who

    def watch(self, descriptor: int, before: int, wanted: int) -> None:
        """Change what is looked for on a socket: event masks before and from now on, 0 for nothing."""
        epoll = self._epoll
        if epoll is not None:
            if not wanted:
                epoll.unregister(descriptor)
                return
            mask = EPOLL_READ if wanted & EVENT_READ else 0
            if wanted & EVENT_WRITE:
                mask |= EPOLL_WRITE
            if before:
                epoll.modify(descriptor, mask)
            else:
                epoll.register(descriptor, mask)
        elif self._selector is not None:
            if not wanted:
                self._selector.unregister(descriptor)
            elif before:
                self._selector.modify(descriptor, wanted)
            else:
                self._selector.register(descriptor, wanted)

    def forget(self, descriptor: int) -> None:
        """The socket is about to be closed; nothing is looked for any more."""
        row = self._row
        if descriptor < len(row):
            if isinstance(row[descriptor], Link):
                self.link_count -= 1
            row[descriptor] = None

    def poll(self, timeout_s: float = 0.0) -> bool:
        """Tell whoever has a socket that is ready, once each; False when there is none even after so long."""
        row = self._row
        if self._epoll is None:
            return self._poll_selector(timeout_s)
        ready = self._epoll.poll(timeout_s)
        self.longest_s = 0.0
        before_s = perf_counter()
        for descriptor, found in ready:
            who = row[descriptor]
            if found == EPOLL_READ:
                events = EVENT_READ
            else:
                events = EVENT_WRITE if found & ~EPOLL_READ else 0
                if found & ~EPOLL_WRITE:
                    events |= EVENT_READ
            if isinstance(who, Link):
                link: Link = who  # known to be one, it is called as compiled code calls its own
                link.ready(events)
            elif who is not None:
                who.ready(events)
            now_s = perf_counter()
            if now_s - before_s > self.longest_s:
                self.longest_s = now_s - before_s
                self._longest_descriptor = descriptor
            before_s = now_s
        return bool(ready)

    def _poll_selector(self, timeout_s: float) -> bool:
        ready = self._selector.select(timeout_s) if self._selector is not None else []
        self.longest_s = 0.0
        for key, events in ready:
            who = self._row[key.fd]
            before_s = perf_counter()
            if who is not None:
                who.ready(events)
            took_s = perf_counter() - before_s
            if took_s > self.longest_s:
                self.longest_s = took_s
                self._longest_descriptor = key.fd
        return bool(ready)

    def longest(self) -> Ready | None:
        """Who took `longest_s`; None where it has ended since."""
        descriptor = self._longest_descriptor
        return self._row[descriptor] if 0 <= descriptor < len(self._row) else None

    def close(self) -> None:
        """All sockets are closed."""
        if self._epoll is not None:
            self._epoll.close()
        elif self._selector is not None:
            self._selector.close()
