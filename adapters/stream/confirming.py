"""Telling publishers that what they sent is safe, once the flush is on disk that has it (core.broker.Committed)."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from warren.adapters.stream.codec.keys import Key
from warren.adapters.stream.codec.messages import ID_BYTES
from warren.adapters.stream.publishing import IDS_PER_FRAME, ids_frame

if TYPE_CHECKING:
    from warren.adapters.stream.publishers import Publisher
    from warren.adapters.stream.session import StreamSession


class Confirming:
    """Of one connection.  waiting: messages that aren't on disk."""

    __slots__ = ("_asked", "_session", "_waiting", "waiting")

    def __init__(self, session: StreamSession) -> None:
        self._session = session
        self._waiting: deque[tuple[int, Publisher, bytes, int]] = deque()
        self._asked = 0
        self.waiting = 0

    def add(self, publisher: Publisher, ids: bytes, records: int) -> None:
        """These publishing ids, of so many messages, are safe with the next flush."""
        self._asked += 1
        self._waiting.append((self._asked, publisher, ids, records))
        self.waiting += records
        self._session.broker.awaiting_flush[self] = None

    def end(self) -> None:
        """The connection ends: nobody is there to be told."""
        self._waiting.clear()
        self.waiting = 0
        self._session.broker.awaiting_flush.pop(self, None)

    # warren.core.broker.Committed

    def mark(self) -> int:
        """What a flush that begins now covers."""
        return self._asked

    def flushed(self, mark: int) -> None:
        """That flush is on disk."""
        waiting = self._waiting
        safe: dict[Publisher, list[bytes]] = {}
        confirmed = 0
        while waiting and waiting[0][0] <= mark:
            _, publisher, ids, records = waiting.popleft()
            self.waiting -= records
            if not publisher.ended:
                confirmed += records
                safe.setdefault(publisher, []).append(ids)
        client = self._session.client
        if client is None:
            return
        client.counts.own.confirmed(confirmed)
        for publisher, parts in safe.items():
            ids = b"".join(parts)
            publisher.confirmed += len(ids) // ID_BYTES
            self._tell(publisher.id, ids)

    def _tell(self, publisher_id: int, ids: bytes) -> None:
        each_bytes = ID_BYTES * IDS_PER_FRAME
        for at in range(0, len(ids), each_bytes):
            some = ids[at : at + each_bytes]
            count = len(some) // ID_BYTES
            self._session.outbox.write(ids_frame(Key.PUBLISH_CONFIRM, publisher_id, count, some))
