"""A name for each message that is the same whenever it is moved again, for a destination that drops what it has seen.

A message that is in the source until the destination has confirmed it may be published twice: the confirm was lost, or
one of the brokers died.  Both times it gets the same stamp, in the header that `dest-deduplication-header` names:

    it has this header already       that stays: who published it knows best
    it has a message_id              that, with address and body, as applications repeat ids
    it is in a queue of this broker  where the message log has it, which neither a restart nor a compaction changes
    its source numbers messages      what that says: partition and offset, the id of an event
    none of these                    no stamp: two messages that look alike may well be two

A hash, so that values are short, and say nothing of the message.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

import trio

from warren.adapters.direct.delivery import Delivery

if TYPE_CHECKING:
    from warren.core.messages.properties import Properties
    from warren.gateway.plugin import Context, Subscription
    from warren.plugins.bridging.ends import Arrived

HASH_SIZE_BYTES: Final = 16
"""128 bits: two messages never get the same stamp by chance."""


@runtime_checkable
class Numbered(Protocol):
    """A message whose source says which it is, within itself and for ever; None for one of which it doesn't."""

    @property
    def source_id(self) -> str | None: ...


class Stamping:
    """Of one shovel.  header: that the stamp goes into.  unstamped: messages so far that got none.

    place: what tells this broker, and its queue, from others.  run: what tells this run of the broker from others.
    """

    def __init__(self, header: str, place: str, run: str) -> None:
        self.header = header
        self.unstamped = 0
        self.subscription: Subscription | None = None
        self._place = place
        self._run = run

    def stamp(self, message: Arrived, properties: Properties) -> str | None:
        """The stamp that a message is to get, None for none.  properties: as they go out."""
        if (properties.headers or {}).get(self.header) is not None:
            return None
        found = self._identity(message)
        if found is None:
            self.unstamped += 1
            return None
        return blake2b("\0".join(found).encode("utf-8", "surrogateescape"), digest_size=HASH_SIZE_BYTES).hexdigest()

    def _identity(self, message: Arrived) -> tuple[str, ...] | None:
        message_id = message.properties.message_id
        if message_id is not None:
            body = blake2b(message.body, digest_size=HASH_SIZE_BYTES).hexdigest()
            return "id", message_id, message.exchange, message.routing_key, body
        if isinstance(message, Delivery):
            return self._local(message)
        if isinstance(message, Numbered) and message.source_id is not None:
            return "source", message.source_id
        return None

    def _local(self, message: Delivery) -> tuple[str, ...] | None:
        """What isn't in the log goes with this run of the broker, within which its number is its own."""
        if self.subscription is None:
            return None
        position, sequence = self.subscription.stored_at(message)
        where = f"log {position}" if position else f"run {self._run} {sequence}"
        return "queue", self._place, self.subscription.queue_name, where, str(message.published_at_ms)


class _Flushed:
    """Implements core.broker.Committed."""

    def __init__(self) -> None:
        self.over = trio.Event()

    def mark(self) -> int:
        return 0

    def flushed(self, mark: int) -> None:
        self.over.set()


async def until_stored(context: Context) -> None:
    """Return when all persistent messages that are in the broker now have their place in the log."""
    if not context.broker.store.durable:
        await trio.lowlevel.checkpoint()
        return
    flushed = _Flushed()
    context.broker.awaiting_flush[flushed] = None
    context.changed()
    await flushed.over.wait()
