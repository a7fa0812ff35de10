"""A consumer: who takes messages from a queue, and with how much credit.

A queue gives messages only to *available* consumers.  `deliver` answers whether the consumer could take another one;
when it can't, the queue parks it, and whoever gives the credit back (an ack, a drained outbox, a larger prefetch)
calls `resume`.  So a queue never looks at consumers that can't take anything.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from warren.core.compiled import mypyc_attr

if TYPE_CHECKING:
    from collections import deque

    from warren.core.clients.client import Client
    from warren.core.counters import SessionCounts
    from warren.core.errors import AccessRefused
    from warren.core.given import Given
    from warren.core.messages.address import Address
    from warren.core.messages.field_table import FieldValue
    from warren.core.messages.message import Message
    from warren.core.messages.properties import Properties
    from warren.core.queues.base import Queue
    from warren.core.queues.framing import Framing
    from warren.core.selectors.selector import Selector

UNLIMITED_CREDIT = 1 << 60
"""Prefetch 0: more than any session can count down."""


@mypyc_attr(allow_interpreted_subclasses=True)
class Consumer:
    """One subscription to one queue; an adapter's subclass knows how a delivery looks on its wire.

    priority: from the argument x-priority; higher ones are served first while they have credit.
    tag: the consumer's name, unique in its session.  no_ack: deliveries count as acknowledged once sent.
    exclusive: no other consumer may be on the queue.  prefetch: the limit it was created with, 0 for none.
    counts: where the queue counts what it gives it: its channel's for queues of that type, or else the connection's.
    order: its number among those that its queue has had, from 1 on.  selector: which messages it wants.
    """

    is_components: ClassVar[bool] = False
    """A component of the broker looks after its rights (core.component), as they aren't those of its queue alone."""

    grants_credit: ClassVar[bool] = False
    """Its protocol has a credit that the peer grants, so that neither prefetch nor acknowledgements need be."""

    is_of_node: ClassVar[bool] = False
    """It stands for a consumer of another node of the cluster, which looks for its queue itself."""

    __slots__ = (
        "active",
        "arguments",
        "client",
        "counts",
        "exclusive",
        "no_ack",
        "order",
        "parked",
        "prefetch",
        "priority",
        "queue",
        "selector",
        "tag",
    )

    def __init__(
        self,
        queue: Queue,
        client: Client,
        tag: str,
        *,
        no_ack: bool,
        exclusive: bool,
        prefetch: int,
        arguments: Mapping[str, FieldValue],
        counts: SessionCounts | None = None,
    ) -> None:
        self.queue = queue
        self.client = client
        self.tag = tag
        self.no_ack = no_ack
        self.exclusive = exclusive
        self.prefetch = prefetch
        self.arguments = arguments
        self.counts: Given = (client.counts.own if counts is None else counts).of(queue)
        priority = arguments.get("x-priority", 0)
        self.priority = priority if isinstance(priority, int) else 0
        self.order = 0
        self.selector: Selector | None = None
        self.parked: bool = False
        self.active = True

    @abstractmethod
    def deliver(self, message: Message, redelivered: bool) -> bool:
        """Send `message` to the client; True when another one could follow at once.

        Called by the queue alone, which has already taken the message out of its ready messages.
        """

    def deliver_alike(self, ready: deque[Message | int]) -> int:
        """Send, from the front of `ready`, what goes like the delivery before; the bytes of the bodies sent.

        Called after a `deliver` that had room for another, when nothing in `ready` was ever delivered before.  What is
        sent is taken out of `ready`.  It stops, at any message, before the last that could be taken, so that it is
        `deliver` that says there is no more credit or room.  Sending none is always right: this is what an adapter does
        for the sake of speed.
        """
        return 0

    def framing(self, address: Address, properties: Properties, number_name: str, body_size: int) -> Framing | None:
        """What goes around messages of this address with these properties, a number as a further header, and bodies of
        this size.

        None: it makes that for each by itself.
        """
        return None

    @property
    def keeps_persistence(self) -> bool:
        """True when what `deliver_alike` sends behind a transient message is transient, too."""
        return False

    @abstractmethod
    def can_take(self) -> bool:
        """True when the consumer has credit and its outbox has room."""

    @property
    def spare_credit(self) -> int:
        """How many more messages it can take just now, for what fetches messages for it; counted where credit is."""
        return UNLIMITED_CREDIT if self.can_take() else 0

    @abstractmethod
    def cancelled(self) -> None:
        """The broker ended this consumer (its queue is gone); tell the client if it can be told."""

    def withdrawn(self, error: AccessRefused) -> None:
        """The user may not read the queue any more: the consumer has ended; tell the client if it can be told."""
        self.cancelled()

    @abstractmethod
    def session_name(self) -> str:
        """The channel or session that it belongs to, for listings."""

    @property
    def channel_number(self) -> int:
        """The number of its channel, 0 where the protocol has none."""
        return 0

    def activity_changed(self) -> None:
        """It is the single active consumer of its queue from now on, or isn't any more (`Queue.is_active`)."""

    def acknowledged(self) -> None:
        """One of its deliveries was settled: whoever counts credit has more of it."""

    def all_acknowledged(self, count: int) -> None:
        """So many of its deliveries were settled at once."""
        for _ in range(count):
            self.acknowledged()

    def resume(self) -> None:
        """Credit or room came back: if the queue had parked this consumer, it is available again."""
        if self.parked and self.active and self.can_take():
            self.queue.resume(self)
