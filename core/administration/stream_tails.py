"""A look at a stream from some place in it on, and at what comes after; nobody is asked anything of its publishers.

Unlike other tails (tails.py) it misses nothing: it reads the stream, at the pace of who looks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from warren.core.administration import tails
from warren.core.administration.tail_rights import TailRights
from warren.core.administration.tails import check_room
from warren.core.errors import PreconditionFailed
from warren.core.exchanges.topic import split_words
from warren.core.exchanges.topic_trie import TopicTrie
from warren.core.queues.stream.arguments import OFFSET, offset_value, wanted
from warren.core.queues.stream.queue import StreamQueue
from warren.core.queues.stream.reader import Reader

if TYPE_CHECKING:
    from warren.core.access.accounts import User
    from warren.core.administration.tails import Tail, Tailed
    from warren.core.messages.message import Message
    from warren.core.queues.base import Queue
    from warren.core.routing.vhost import VirtualHost

READ_AT_ONCE: Final = 200
"""Messages that one look reads, whether or not they are wanted: some 20 µs each."""


class StreamTail:
    """One that is under way; made by `begin`.

    is_behind: there is more to read already.  wake: called when there is more than was read, and when the stream goes.
    """

    def __init__(self, queue: Queue, tailed: Tailed, offset: str, rights: TailRights) -> None:
        if not isinstance(queue, StreamQueue):
            raise PreconditionFailed(f"{queue.description} is no stream; what comes to it is shown from now on alone")
        self.rights = rights
        self._queue = queue
        self._tailed = tailed
        self._trie: TopicTrie[bool] | None = None
        if tailed.pattern != "#":
            self._trie = TopicTrie()
            self._trie.insert(split_words(tailed.pattern), True)
        asked = wanted(queue.description, {OFFSET: offset_value(offset)})
        self._reader = Reader(queue, asked, queue.vhost.broker.now_ms)
        self.is_behind = True
        self.wake: Callable[[], None] = _nobody
        queue.when_longer.append(self._wake)
        queue.when_gone.add(self._wake)

    @property
    def is_over(self) -> bool:
        """True when the stream is gone, or its user may not read it any more."""
        return self.rights.are_gone or self._queue.vhost.queues.get(self._queue.name) is not self._queue

    def take(self, count: int) -> tuple[list[Message], int]:
        """Up to `count` messages from where it is on; none are missed."""
        found: list[Message] = []
        self.is_behind = True
        if self.rights.are_gone:
            return found, 0
        for _ in range(READ_AT_ONCE):
            message = self._reader.next()
            if message is None:
                self.is_behind = self._reader.is_behind
                break
            if self._is_wanted(message):
                found.append(message)
                if len(found) == count:
                    break
        return found, 0

    def end(self) -> None:
        """Look no more."""
        self._queue.when_longer.remove(self._wake)
        self._queue.when_gone.remove(self._wake)
        self._queue.vhost.broker.tails.discard(self)
        self.rights.end()

    def begun(self) -> None:
        """It is one of the broker's from now on."""
        self._queue.vhost.broker.tails.add(self)
        self.rights.begin(self._wake)

    def _wake(self) -> None:
        self.wake()

    def _is_wanted(self, message: Message) -> bool:
        if self._trie is not None and not self._trie.match(split_words(message.address.routing_key)):
            return False
        return self._tailed.wanted.matches(message)


def begin(vhost: VirtualHost, tailed: Tailed, offset: str, *, user: User | str | None = None) -> StreamTail:
    """Look at a stream from this offset on, until `end`.

    offset: as `offset_value` takes it.  user: who has to have the permission to read the stream; None for the broker's
    owner.  Raises NotFound, AccessRefused, and PreconditionFailed for what is no stream or no offset, or when too many
    look already.
    """
    if tailed.queue is None:
        raise PreconditionFailed("only a stream can be looked at from an offset on")
    rights = TailRights(vhost, tailed, user)
    rights.check()
    queue = vhost.queue(tailed.queue)
    check_room(vhost)
    tail = StreamTail(queue, tailed, offset, rights)
    tail.begun()
    return tail


def look(
    vhost: VirtualHost, tailed: Tailed, offset: str | None, *, user: User | str | None = None
) -> Tail | StreamTail:
    """Look at whatever is named: a stream is read, from `offset` on or from what comes next; all else tells of itself.

    Raises as `begin` here and in tails.py.
    """
    is_stream = tailed.queue is not None and isinstance(vhost.queues.get(tailed.queue), StreamQueue)
    if offset is None and not is_stream:
        return tails.begin(vhost, tailed, user=user)
    return begin(vhost, tailed, "next" if offset is None else offset, user=user)


def _nobody() -> None:
    return
