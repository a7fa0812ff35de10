"""A subscription: chunks of a stream, as they are stored, as Deliver frames.

A chunk goes out as it lies on disk but for its filter, which readers aren't sent; so sending one costs the same however
many messages are in it.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Final

from warren.adapters.stream.codec.keys import VERSION_1, VERSION_2, Key
from warren.core.queues.stream.chunk_consumer import ChunkConsumer

if TYPE_CHECKING:
    from warren.adapters.stream.session import StreamSession
    from warren.adapters.stream.single_active import SingleActive
    from warren.core.errors import AccessRefused
    from warren.core.queues.stream.arguments import Wanted
    from warren.core.queues.stream.queue import StreamQueue
    from warren.core.streams.cursor import Chunk

_DELIVER: Final = Struct(">IHHB")
_DELIVER_V2: Final = Struct(">IHHBQ")
_SIZE_BYTES: Final = 4

_FILTER_SIZE_AT: Final = 44
"""Where the head of a chunk has the size of its filter (core.streams.chunk)."""


class StreamSubscription(ChunkConsumer):
    """credit: chunks that the client still takes.  id: as it calls the subscription.  properties: as it gave them.

    turns: with whom it takes turns, where one of a group is active at a time.  is_consuming: it reads the stream.
    consumed: messages that it was sent.  offset: of the last of them; None before there was one.
    """

    __slots__ = ("_outbox", "_session", "_v2", "consumed", "credit", "id", "offset", "properties", "turns")

    def __init__(
        self,
        session: StreamSession,
        queue: StreamQueue,
        id: int,
        wanted: Wanted,
        credit: int,
        properties: dict[str, str],
    ) -> None:
        super().__init__(queue, session.logged_in, str(id), wanted)
        self._session = session
        self._outbox = session.outbox
        self._v2 = session.agreed.delivers_v2
        self.id = id
        self.credit = credit
        self.properties = properties
        self.turns: SingleActive | None = None
        self.consumed = 0
        self.offset: int | None = None

    @property
    def is_consuming(self) -> bool:
        return self.turns is None or self.turns.has_begun

    def can_take(self) -> bool:
        """True when there is credit and the connection's outbox has room."""
        return self.credit > 0 and self._outbox.room > 0

    @property
    def spare_credit(self) -> int:
        return self.credit if self.can_take() else 0

    def deliver_chunk(self, chunk: Chunk) -> bool:
        head_bytes = chunk.head_bytes
        if chunk.head.filter_size:
            head_bytes = head_bytes[:_FILTER_SIZE_AT] + b"\0" + head_bytes[_FILTER_SIZE_AT + 1 :]
        size = len(head_bytes) + len(chunk.data) - _SIZE_BYTES
        if self._v2:
            last = max(self.stream.log.last_chunk_offset, 0)
            head = _DELIVER_V2.pack(size + _DELIVER_V2.size, Key.DELIVER, VERSION_2, self.id, last)
        else:
            head = _DELIVER.pack(size + _DELIVER.size, Key.DELIVER, VERSION_1, self.id)
        outbox = self._outbox
        outbox.chunks.append(head + head_bytes)
        outbox.chunks.append(chunk.data)
        if not outbox.touched:
            outbox.touch()
        outbox.room -= len(head) + len(head_bytes) + len(chunk.data)
        self.credit -= 1
        self.consumed += chunk.head.records
        self.offset = chunk.head.first_offset + chunk.head.records - 1
        if outbox.room <= 0:
            outbox.park(self)
            return False
        return self.credit > 0

    def add_credit(self, count: int) -> None:
        """The client takes so many chunks more."""
        self.credit += count
        self.resume()

    def resume(self) -> None:
        """Available again if there is credit; else it waits where the credit is missing."""
        if self.parked and self.active:
            if self._outbox.room <= 0:
                self._outbox.park(self)
            elif self.credit > 0:
                self.queue.resume(self)

    def cancelled(self) -> None:
        """The stream is deleted: the client is told."""
        self._session.subscriptions.stream_gone(self)

    def withdrawn(self, error: AccessRefused) -> None:
        """The client is told the same, as the protocol has no other word; a new subscription is refused."""
        self._session.subscriptions.stream_gone(self)

    def session_name(self) -> str:
        return self._session.channel_name
