"""Where messages of one address go: the answer of the exchanges, kept until the topology changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.address import Address
    from core.queues.base import Queue


class Route:
    """The queues that an address leads to.

    store_ids: the storage numbers of those queues that store persistent messages.
    routed: False when nothing took the message, so that a mandatory one goes back to its publisher.
    cacheable: False when message headers had a say, so that the next message may go elsewhere.
    """

    __slots__ = ("address", "cacheable", "queues", "routed", "store_ids")

    def __init__(self, address: Address, queues: tuple[Queue, ...], *, routed: bool, cacheable: bool) -> None:
        self.address = address
        self.queues = queues
        self.routed = routed
        self.cacheable = cacheable
        self.store_ids = tuple(queue.store_id for queue in queues if queue.store_id)
