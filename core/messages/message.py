"""One published message, shared by reference by every queue it was routed to.

A message is made once, in the publisher's adapter, and never changes in what it says: address, properties and body.
What changes is bookkeeping of the store: `position` and `references`.  State that differs from queue to queue
(redelivered, deadline) is the queue's.

The body is kept as the bytes that came in.  `content` holds it at `body_at`, with whatever stood around it on the wire;
`framed_for` says whether `content` as a whole is a ready-made frame sequence of some protocol, so that an adapter
which speaks the same dialect can send it as it is.  The tag is the adapter's own business; 0 means "body only".

Nothing that a message holds leads back to it, so that the cyclic collector needn't know of it: compiled, it doesn't,
and however many messages a queue holds, a collection walks past none of them.
"""

from __future__ import annotations

from typing import Final

from warren.core.compiled import mypyc_attr
from warren.core.messages.address import Address
from warren.core.messages.properties import Properties

UNSTORED: Final = 0
"""`position` of a message that no log record holds (yet): record positions start above it."""


@mypyc_attr(acyclic=True)
class Message:
    """Address, properties and body of one publish, plus its place in the log.

    sequence: orders messages within every queue, unique per broker run.
    published_at_ms: wall-clock time of the publish in milliseconds since 1970, for a transaction's that of its commit.
    position: log position of the record that holds it, or UNSTORED.
    references: durable queue entries not settled yet (maintained by the storage engine).
    """

    __slots__ = (
        "address",
        "body_at",
        "body_size",
        "content",
        "framed_for",
        "position",
        "properties",
        "published_at_ms",
        "references",
        "sequence",
    )

    def __init__(
        self,
        sequence: int,
        address: Address,
        properties: Properties,
        content: bytes,
        body_at: int,
        body_size: int,
        framed_for: int,
        published_at_ms: int,
    ) -> None:
        self.sequence = sequence
        self.address = address
        self.properties = properties
        self.content = content
        self.body_at = body_at
        self.body_size = body_size
        self.framed_for = framed_for
        self.published_at_ms = published_at_ms
        self.position = UNSTORED
        self.references = 0

    @property
    def body(self) -> bytes:
        """The body alone, as published."""
        return self.content[self.body_at : self.body_at + self.body_size]
