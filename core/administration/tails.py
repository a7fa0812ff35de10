"""A look at messages as they come to a queue or an exchange, which takes none of them away.

Theory of operation
-------------------
A tail is told of each message by what it looks at: a queue asks about each that comes in while it is watched
(`Queue.watch_incoming`), an exchange observes (`Exchange.watch`).  Routes that sessions remember are void when that
begins or ends (`VirtualHost.changed`), so whoever isn't looked at pays nothing.

Messages wait for the reader in a bounded row.  While that is full, further ones are only counted: whoever reads slowly
is told how many it missed, and nobody waits for it.  When what is looked at goes, or the right to (tail_rights.py), the
reader is woken as well.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, Final

from warren.core.administration.tail_rights import TailRights
from warren.core.declaring.actor import Administrator
from warren.core.errors import PreconditionFailed
from warren.core.exchanges.topic import split_words
from warren.core.exchanges.topic_trie import TopicTrie
from warren.core.frozen import frozen
from warren.core.queues.browse import EVERYTHING, MessageFilter
from warren.core.watchers import Watcher

if TYPE_CHECKING:
    from warren.core.access.accounts import User
    from warren.core.exchanges.base import Exchange
    from warren.core.exchanges.binding import Binding
    from warren.core.messages.message import Message
    from warren.core.queues.base import Queue
    from warren.core.routing.vhost import VirtualHost

TAILS_MAX: Final = 50
"""Of a broker at a time: each looks at every message of what it tails."""

ROW_MESSAGES_MAX: Final = 1000
ROW_BYTES_MAX: Final = 4 * 1024 * 1024
"""What waits for a reader; a single larger message may wait alone."""

DEFAULT: Final = "amq.default"


@frozen
class Tailed:
    """What is looked at: a queue, or an exchange, whose messages' routing keys match a topic pattern.

    wanted: what messages must be like beside that.
    """

    queue: str | None = None
    exchange: str | None = None
    pattern: str = "#"
    wanted: MessageFilter = field(default=EVERYTHING)


class Tail(Watcher):
    """One that is under way; made by `begin`.

    missed: messages since the last `take` that found the row full, whether or not they were wanted.
    """

    def __init__(self, vhost: VirtualHost, tailed: Tailed, rights: TailRights) -> None:
        self.rights = rights
        self._vhost = vhost
        self._tailed = tailed
        self._row: deque[Message] = deque()
        self._size = 0
        self._trie: TopicTrie[bool] | None = None
        if tailed.pattern != "#":
            self._trie = TopicTrie()
            self._trie.insert(split_words(tailed.pattern), True)
        self.missed = 0
        self.wake: Callable[[], None] = _nobody
        self._queue: Queue | None = None
        self._exchange: Exchange | None = None
        if tailed.queue is not None:
            self._queue = vhost.queue(tailed.queue)
            self._queue.watch_incoming(self.offer)
        elif tailed.exchange is not None:
            self._exchange = vhost.exchange(tailed.exchange)
            self._exchange.watch(self.offer)
        vhost.changed()

    @property
    def is_over(self) -> bool:
        """True when what it looks at is gone, or its user may not look any more."""
        if self.rights.are_gone:
            return True
        vhost = self._vhost
        if vhost.broker.vhosts.get(vhost.name) is not vhost:
            return True
        if self._queue is not None:
            return vhost.queues.get(self._queue.name) is not self._queue
        return self._exchange is not None and vhost.exchanges.get(self._exchange.name) is not self._exchange

    def offer(self, message: Message) -> None:
        """A message has come."""
        row = self._row
        if len(row) >= ROW_MESSAGES_MAX or self._size >= ROW_BYTES_MAX:
            self.missed += 1
            return
        if self._trie is not None and not self._trie.match(split_words(message.address.routing_key)):
            return
        if self._tailed.wanted is not EVERYTHING and not self._tailed.wanted.matches(message):
            return
        row.append(message)
        self._size += message.body_size
        if len(row) == 1:
            self.wake()

    def take(self, count: int) -> tuple[list[Message], int]:
        """Up to `count` messages in the order of their coming, and how many were missed before now."""
        found: list[Message] = []
        while self._row and len(found) < count:
            message = self._row.popleft()
            self._size -= message.body_size
            found.append(message)
        missed, self.missed = self.missed, 0
        return found, missed

    def gone(self, target: Queue | Exchange) -> None:
        """A watcher's: nothing comes any more where it is this."""
        if target is self._queue or target is self._exchange:
            self.wake()

    def policies_changed(self, target: Queue | Exchange) -> None:
        """A watcher's: no matter."""

    def bound(self, exchange: Exchange, binding: Binding) -> None:
        """A watcher's: no matter."""

    def unbound(self, exchange: Exchange, bindings: Sequence[Binding]) -> None:
        """A watcher's: no matter."""

    def end(self) -> None:
        """Look no more."""
        if self._queue is not None:
            self._queue.unwatch_incoming(self.offer)
        if self._exchange is not None:
            self._exchange.unwatch(self.offer)
        self._vhost.broker.watchers.remove(self)
        self._vhost.broker.tails.discard(self)
        self.rights.end()
        self._vhost.changed()

    def _withdrawn(self) -> None:
        self._row.clear()
        self._size = 0
        self.wake()

    def begun(self) -> None:
        """It is one of the broker's from now on."""
        self._vhost.broker.tails.add(self)
        self._vhost.broker.watchers.add(self)
        self.rights.begin(self._withdrawn)


def begin(vhost: VirtualHost, tailed: Tailed, *, user: User | str | None = None) -> Tail:
    """Look at what comes from now on, until `end`.

    user: who has to have the permission to read the queue or exchange, and its routing keys as a binding would; None
    for the broker's owner.  Raises NotFound, AccessRefused, ResourceLocked for another connection's exclusive queue,
    and PreconditionFailed for what can't be looked at, or when too many look already.
    """
    if (tailed.queue is None) == (tailed.exchange is None):
        raise PreconditionFailed("name a queue or an exchange to look at")
    if tailed.exchange in ("", DEFAULT):
        raise PreconditionFailed("the default exchange can't be looked at: look at a queue")
    rights = TailRights(vhost, tailed, user)
    rights.check()
    if tailed.queue is not None:
        Administrator(vhost, user).check_owner(vhost.queue(tailed.queue))
    check_room(vhost)
    tail = Tail(vhost, tailed, rights)
    tail.begun()
    return tail


def check_room(vhost: VirtualHost) -> None:
    """Raise PreconditionFailed when too many look already."""
    if len(vhost.broker.tails) >= TAILS_MAX:
        raise PreconditionFailed(f"{TAILS_MAX} look at queues and exchanges already; try again when one has ended")


def _nobody() -> None:
    return


def message_filter(conditions: Mapping[str, str]) -> MessageFilter:
    """What messages must be like, from names such as `header.type`, `body` or a property, with the text of each."""
    properties: dict[str, str] = {}
    headers: dict[str, str] = {}
    body_part = ""
    for name, text in conditions.items():
        if name.startswith("header.") and name != "header.":
            headers[name.removeprefix("header.")] = text
        elif name == "body":
            body_part = text
        else:
            properties[name] = text
    if not conditions:
        return EVERYTHING
    return MessageFilter(properties=properties, headers=headers, body_part=body_part.encode("utf-8", "surrogateescape"))
