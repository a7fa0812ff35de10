"""Telling senders that what they sent is safe: dispositions for runs of delivery ids (part 2, 2.6.12).

What needs no disk is told at the end of a batch, what does once a flush is on disk (core.broker.Committed).  A message
that came settled is counted in the same way, as its sender gets no new credit before it is safe.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from warren.adapters.amqp10.codec import quick

if TYPE_CHECKING:
    from warren.adapters.amqp10.amqp_session import AmqpSession
    from warren.adapters.amqp10.incoming_link import IncomingLink

_IDS: Final = 0xFFFF_FFFF


class Safe:
    """Of one session.

    Of what has been accepted, and isn't told, the runs of ids: where each begins, and where it ends.  Of what waits for
    the disk, the link, the first id (-1 for messages that came settled), how many, and their state.
    """

    __slots__ = ("_asked", "_ends", "_firsts", "_on_disk", "_session", "_stored")

    def __init__(self, session: AmqpSession) -> None:
        self._session = session
        self._firsts: list[int] = []
        self._ends: list[int] = []
        self._stored: deque[tuple[IncomingLink, int, int, bytes]] = deque()
        self._asked = 0
        self._on_disk = 0

    @property
    def waiting(self) -> int:
        """How many messages wait for the disk."""
        return self._asked - self._on_disk

    def accept(self, link: IncomingLink, delivery_id: int, state: bytes = quick.ACCEPTED_BYTES) -> None:
        """A message is safe.  delivery_id: -1 for one that came settled.  state: encoded."""
        self._accept(link, delivery_id, 1, state)

    def accept_all(self, link: IncomingLink, first: int, count: int) -> None:
        """So many messages are safe, whose ids follow on each other.  first: -1 for those that came settled."""
        self._accept(link, first, count, quick.ACCEPTED_BYTES)

    def accept_after_flush(self, link: IncomingLink, delivery_id: int, state: bytes = quick.ACCEPTED_BYTES) -> None:
        """A message is safe with the next flush."""
        self._after_flush(link, delivery_id, 1, state)

    def accept_all_after_flush(self, link: IncomingLink, first: int, count: int) -> None:
        """As `accept_all`, with the next flush."""
        self._after_flush(link, first, count, quick.ACCEPTED_BYTES)

    def flush_batch(self) -> None:
        """Tell what has been accepted, in runs."""
        if not self._firsts:
            return
        firsts, ends = self._firsts, self._ends
        self._firsts, self._ends = [], []
        for first, end in zip(firsts, ends, strict=True):
            self._tell(first, (end - 1) & _IDS, quick.ACCEPTED_BYTES)

    def end(self) -> None:
        """The session is gone: nobody is there to be told, but links may be resumed that want to know."""
        self._firsts.clear()
        self._ends.clear()
        if not any(link.remembers for link, _, _, _ in self._stored):
            self._stored.clear()
            self._on_disk = self._asked
            self._session.connection.broker.awaiting_flush.pop(self, None)

    # warren.core.broker.Committed

    def mark(self) -> int:
        """What a flush that begins now covers."""
        return self._asked

    def flushed(self, mark: int) -> None:
        """That flush is on disk."""
        while self._stored and self._on_disk < mark:
            link, first, count, state = self._stored.popleft()
            self._on_disk += count
            self._accept(link, first, count, state)
        self._session.connection.flush_batch()

    # Below

    def _accept(self, link: IncomingLink, first: int, count: int, state: bytes) -> None:
        if link.remembers and link.decided(first, state):
            # What is remembered is accepted one by one.
            return
        if self._session.ended:
            return
        link.unconfirmed -= count
        self._session.touch_link(link)
        if first < 0:
            return
        self._session.counts.confirmed(count)
        end = first + count
        if state != quick.ACCEPTED_BYTES:
            self._tell(first, (end - 1) & _IDS, state)
        elif self._ends and self._ends[-1] == first:
            self._ends[-1] = end
        else:
            self._firsts.append(first)
            self._ends.append(end)

    def _after_flush(self, link: IncomingLink, first: int, count: int, state: bytes) -> None:
        self._asked += count
        self._stored.append((link, first, count, state))
        self._session.connection.broker.awaiting_flush[self] = None

    def _tell(self, first: int, last: int, state: bytes) -> None:
        session = self._session
        session.connection.outbox.write(
            quick.disposition(session.channel, receiver=True, first=first, last=last, state=state)
        )
