"""A queue of another node, seen from here: what can be asked of it, and what comes back.

`FarQueue` is the way there.  It belongs to a link between two nodes and knows the wire; core knows only that messages
can be published by it, that consumers can be given credit, and that it may be lost at any time.  `NearQueue` is who has
asked: core.cluster.remote_queue.RemoteQueue.

Credit is granted, not derived from acknowledgements: a far consumer is given as many messages as were granted, and no
more, however many of them are settled.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from warren.core.queues.answer import Answer

if TYPE_CHECKING:
    from warren.core.errors import BrokerError
    from warren.core.messages.message import Message
    from warren.core.queues.consumer import Consumer
    from warren.core.storage.definitions.store import JSON

SHOWN: Final = ("messages", "messages_ready", "messages_unacknowledged", "messages_dlx", "consumers")
"""Columns of listings that a node tells others of its queues."""


UNKNOWN: Final = -1


class Arrival(NamedTuple):
    """A message that the other node has given to somebody who isn't a consumer: to be settled there by its tag.

    left: how many are ready behind it, as the other node says; UNKNOWN where it doesn't.
    """

    tag: int
    message: "Message"
    redelivered: bool
    left: int = UNKNOWN


class FarQueue(Protocol):
    """The way to one queue of another node.  Nothing of it raises; what can't be done any more is answered so, or void.

    Delivery tags and the numbers of publishes count from 1 with each opening, and say nothing after it was lost.
    """

    @property
    def is_open(self) -> bool:
        """Whether anything can be asked just now.  What is published and consumed before is for who asks to keep."""

    @property
    def unsent_bytes(self) -> int:
        """What the link has taken and its socket hasn't."""

    @property
    def node(self) -> str:
        """The name of the node that has the queue."""

    def open(self) -> None:
        """It is wanted: open it if it isn't, and go on trying, until `close`; `NearQueue.opened` follows."""

    def publish(self, messages: list[Message]) -> int:
        """Send messages, in order; the number of the last, which a confirm will name."""

    def consume(self, tag: str, consumer: Consumer) -> None:
        """Have this consumer be one of the far queue, at first without credit."""

    def cancel(self, tag: str) -> None:
        """End it.  What is on its way still arrives."""

    def grant(self, tag: str, credit: int) -> None:
        """Let it have so many more messages."""

    def revoke(self, tag: str) -> None:
        """Let it have nothing more of what was granted."""

    def acknowledge(self, tag: int, *, multiple: bool) -> None:
        """A delivery, or with `multiple` all up to it, is done with."""

    def discard(self, tag: int) -> None:
        """A delivery was rejected."""

    def requeue(self, tag: int, *, failed: bool) -> None:
        """A delivery comes back.  failed: that counts towards a delivery limit."""

    def get(self, answer: Answer[Arrival | None]) -> None:
        """Poll a message, which is to be settled."""

    def used(self) -> None:
        """Somebody has declared the queue again, or asked for it, which puts off its expiry."""

    def purge(self, answer: Answer[int]) -> None:
        """Drop all ready messages; the answer is how many."""

    def delete(self, answer: Answer[int]) -> None:
        """Delete the queue itself; the answer is how many ready messages went with it."""

    def look(self, answer: Answer[Mapping[str, JSON]]) -> None:
        """What listings show of the far queue: the columns by name."""

    def browse(self, start: int, count: int, answer: Answer[list[Arrival]]) -> None:
        """Ready messages from this position on, without changing anything; their tags are their positions."""

    def close(self) -> None:
        """It isn't wanted any more: its consumers end, and what wasn't settled goes back."""


class NearQueue(Protocol):
    """Who asks a FarQueue, and is told what comes of it, in the broker's turn."""

    def opened(self) -> None:
        """It is open from now on."""

    def confirmed(self, number: int, *, multiple: bool, taken: bool) -> None:
        """The other node's word about a publish, or with `multiple` about all up to it."""

    def arrived(self, tag: str, tags: list[int], messages: list[Message], *, redelivered: bool) -> None:
        """Deliveries to the consumer of this tag, in order, with a delivery tag each.

        redelivered: they were delivered before, all of them or none.
        """

    def ended(self, tag: str, error: BrokerError | None) -> None:
        """A consumer has ended there.  error: why it was refused; None where it ran and the queue is gone."""

    def lost(self, error: BrokerError) -> None:
        """It isn't open any more.  Nothing that was unsettled or unconfirmed is answered."""
