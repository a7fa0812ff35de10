"""What other nodes have said, put where routing looks for it: a `Beyond` for each virtual host.

What comes may be much (all bindings of a node that has joined), so it is put there slice by slice, in turns, in the
order of coming.
"""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING, Final

from warren.core.cluster.beyond import Beyond
from warren.core.cluster.interest import OthersInterest
from warren.core.errors import BrokerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from warren.core.broker import Broker
    from warren.core.cluster.audience import Audience
    from warren.core.cluster.interest import Ask, Beat, Interest, Snapshot, Update
    from warren.core.routing.vhost import VirtualHost

_log = logging.getLogger("warren.cluster")

CHANGES_PER_SLICE: Final = 1000
"""Bindings that are put where routing finds them in one turn: some 5 µs each."""

SWEEP_MS: Final = 10_000
"""How often it is looked whether nodes that want nothing any more are still kept a link to."""


class Audiences:
    """Of one broker.  node: its name.  make: makes what stands for the own queues of a node (core.cluster.audience).

    is_working: what was heard isn't all where routing finds it yet.
    """

    __slots__ = ("_beyond", "_broker", "_changes", "_make", "is_working", "others")

    def __init__(self, broker: Broker, node: str, make: Callable[[VirtualHost, str], Audience]) -> None:
        self._broker = broker
        self._make = make
        self.others = OthersInterest(node, self._changed)
        self._beyond: dict[VirtualHost, Beyond] = {}
        self._changes: deque[tuple[str, Iterator[Interest], bool]] = deque()
        self.is_working = False

    def begin(self) -> None:
        """Look after what virtual hosts there are; those to come ask for `of`."""
        for vhost in self._broker.vhosts.values():
            vhost.beyond = self.of(vhost)
        self._broker.deadlines.schedule(self._broker.now_ms + SWEEP_MS, self._sweep)

    def of(self, vhost: VirtualHost) -> Beyond:
        """That of a virtual host, with what is known already."""
        found = self._beyond.get(vhost)
        if found is None:
            found = self._beyond[vhost] = Beyond(vhost, lambda node: self._make(vhost, node))
            for node in self.others.nodes:
                for interest in self.others.interests(node):
                    if interest.vhost == vhost.name:
                        self._put(found, node, interest, is_there=True)
        return found

    def take(self, word: Update | Beat | Snapshot) -> Ask | None:
        """See OthersInterest."""
        return self.others.take(word)

    def set_nodes(self, names: Iterable[str]) -> list[Ask]:
        """These are the other nodes of the cluster that can be reached; what to ask them."""
        now = set(names)
        for node in self.others.nodes - now:
            self.others.gone(node)
            for beyond in self._beyond.values():
                beyond.gone(node)
        return [ask for name in sorted(now) if (ask := self.others.came(name)) is not None]

    def _changed(self, node: str, added: frozenset[Interest], removed: frozenset[Interest]) -> None:
        # First what comes, so that what has only another form isn't without a way in between.
        for interests, is_there in ((added, True), (removed, False)):
            if interests:
                self._changes.append((node, iter(interests), is_there))
        if not self.is_working:
            self.is_working = self._work()
            if self.is_working:
                self._broker.chores.add(self._work_on)

    def _work_on(self) -> bool:
        self.is_working = self._work()
        return self.is_working

    def _work(self) -> bool:
        """Do a slice of what is to be done; True where there is more."""
        left = CHANGES_PER_SLICE
        touched: set[VirtualHost] = set()
        while self._changes and left:
            node, interests, is_there = self._changes[0]
            interest = next(interests, None)
            if interest is None:
                self._changes.popleft()
                continue
            left -= 1
            vhost = self._broker.vhosts.get(interest.vhost)
            beyond = self._beyond.get(vhost) if vhost is not None else None
            if beyond is not None and vhost is not None:
                self._put(beyond, node, interest, is_there=is_there)
                touched.add(vhost)
        for vhost in touched:
            vhost.changed()
        return bool(self._changes)

    def _put(self, beyond: Beyond, node: str, interest: Interest, *, is_there: bool) -> None:
        try:
            if is_there:
                beyond.add(node, interest)
            else:
                beyond.remove(node, interest)
        except BrokerError as error:
            _log.warning("what node '%s' binds can't be known here: %s", node, error.text)

    def _sweep(self, now_ms: int) -> None:
        for vhost, beyond in list(self._beyond.items()):
            if self._broker.vhosts.get(vhost.name) is not vhost:
                beyond.end()
                del self._beyond[vhost]
                continue
            for node in list(beyond.audiences):
                beyond.sweep(node)
        self._broker.deadlines.schedule(now_ms + SWEEP_MS, self._sweep)
