"""Which messages this side has for certain, in case the upstream delivers them once more.

An acknowledgement may be lost with the link that it was sent over; then the upstream delivers again what was confirmed
here.  A message with a message_id is recognised by that, its address and its body, and isn't published twice.  Without
one, two messages that look alike may well be two, and a duplicate is the lesser evil.  It takes what was on its way
when the link broke, which the prefetch bounds, so few have to be remembered.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from warren.adapters.amqp091.client.incoming import Incoming

_Identity: TypeAlias = tuple[str, str, str, int]
"""message_id, exchange, routing key, hash of the body."""


class Remembered:
    """Of one link.  prefetch: deliveries that may be unacknowledged at a time; twice as many are remembered."""

    def __init__(self, prefetch: int) -> None:
        self._count_max = 2 * prefetch
        self._open: deque[tuple[int, _Identity | None]] = deque()
        self._known: dict[_Identity, None] = {}

    def begin(self) -> None:
        """A new connection: what wasn't acknowledged over the last one isn't known to be here."""
        self._open.clear()

    def is_known(self, message: Incoming) -> bool:
        """Whether a delivery is one that is here already."""
        if not message.redelivered or not self._known:
            return False
        identity = _identity(message)
        return identity is not None and identity in self._known

    def forwarded(self, message: Incoming) -> None:
        """A delivery was sent on."""
        self._open.append((message.tag, _identity(message)))

    def acknowledged(self, tag: int) -> None:
        """All deliveries up to this one are here."""
        waiting = self._open
        while waiting and waiting[0][0] <= tag:
            self._is_here(waiting.popleft()[1])

    def acknowledged_alone(self, tag: int) -> None:
        """This delivery is here, though one before it isn't; looked for one by one, at the end of a connection."""
        self._is_here(self._taken_out(tag))

    def rejected(self, tag: int) -> None:
        """This delivery is not here, and won't be."""
        self._taken_out(tag)

    def _taken_out(self, tag: int) -> _Identity | None:
        for each in self._open:
            if each[0] == tag:
                self._open.remove(each)
                return each[1]
        return None

    def _is_here(self, identity: _Identity | None) -> None:
        known = self._known
        if identity is not None:
            known.pop(identity, None)
            known[identity] = None
        while len(known) > self._count_max:
            del known[next(iter(known))]


def _identity(message: Incoming) -> _Identity | None:
    message_id = message.properties.message_id
    if message_id is None:
        return None
    return message_id, message.exchange, message.routing_key, hash(message.body)
