"""Telling senders that what they sent is safe: dispositions for runs of delivery ids (part 2, 2.6.12).

What needs no disk is told at the end of a batch, what does once a flush is on disk (core.broker.Committed).  A message
that came settled is counted in the same way, as its sender gets no new credit before it is safe.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from warren.adapters.amqp10.codec import quick

if TYPE_CHECKING:
    from warren.adapters.amqp10.amqp_session import AmqpSession
    from warren.adapters.amqp10.incoming_link import IncomingLink


class Safe:
    """Of one session."""

    __slots__ = ("_accepted", "_asked", "_on_disk", "_session", "_stored")

    def __init__(self, session: AmqpSession) -> None:
        self._session = session
        self._accepted: list[int] = []
        self._stored: deque[tuple[IncomingLink, int, bytes]] = deque()
        self._asked = 0
        self._on_disk = 0

    @property
    def waiting(self) -> int:
        """How many messages wait for the disk."""
        return len(self._stored)

    def accept(self, link: IncomingLink, delivery_id: int, state: bytes = quick.ACCEPTED_BYTES) -> None:
        """A message is safe.  delivery_id: -1 for one that came settled.  state: encoded."""
        if link.remembers and link.decided(delivery_id, state):
            return
        if self._session.ended:
            return
        link.unconfirmed -= 1
        self._session.touch()
        if delivery_id < 0:
            return
        self._session.counts.confirmed(1)
        if state is quick.ACCEPTED_BYTES:
            self._accepted.append(delivery_id)
        else:
            self._tell(delivery_id, delivery_id, state)

    def accept_after_flush(self, link: IncomingLink, delivery_id: int, state: bytes = quick.ACCEPTED_BYTES) -> None:
        """A message is safe with the next flush."""
        self._asked += 1
        self._stored.append((link, delivery_id, state))
        self._session.connection.broker.awaiting_flush[self] = None

    def flush_batch(self) -> None:
        """Tell what has been accepted, in runs."""
        accepted, self._accepted = self._accepted, []
        if not accepted:
            return
        first = last = accepted[0]
        for delivery_id in accepted[1:]:
            if delivery_id != last + 1:
                self._tell(first, last, quick.ACCEPTED_BYTES)
                first = delivery_id
            last = delivery_id
        self._tell(first, last, quick.ACCEPTED_BYTES)

    def _tell(self, first: int, last: int, state: bytes) -> None:
        session = self._session
        session.connection.outbox.write(
            quick.disposition(session.channel, receiver=True, first=first, last=last, state=state)
        )

    def end(self) -> None:
        """The session is gone: nobody is there to be told, but links may be resumed that want to know."""
        self._accepted.clear()
        if not any(link.remembers for link, _, _ in self._stored):
            self._stored.clear()
            self._session.connection.broker.awaiting_flush.pop(self, None)

    # warren.core.broker.Committed

    def mark(self) -> int:
        """What a flush that begins now covers."""
        return self._asked

    def flushed(self, mark: int) -> None:
        """That flush is on disk."""
        while self._stored and self._on_disk < mark:
            self._on_disk += 1
            self.accept(*self._stored.popleft())
        self._session.connection.flush_batch()
