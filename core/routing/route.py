"""Where messages of one address go: the answer of the exchanges, kept until the topology changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.core.routing.receipt import Receipt

if TYPE_CHECKING:
    from collections.abc import Collection

    from warren.core.exchanges.base import Exchange
    from warren.core.messages.address import Address
    from warren.core.queues.base import Queue


class Route:
    """The queues that an address leads to.

    store_ids: the storage numbers of those queues that store persistent messages.
    routed: False when nothing took the message, so that a mandatory one goes back to its publisher.
    cacheable: False when message headers had a say, so that the next message may go elsewhere.
    guarded: True when a queue among them may refuse or ignore a message, so each is to be asked.
    answers_late: True when a queue among them says later whether it takes a message, so publishing wants a Receipt.
    observers: the exchanges on the way that want to see the message itself.
    holders: the exchanges on the way that keep it for now instead of passing it on.
    extra_keys: further routing keys of the message (CC and BCC).
    behind: the exchange that held the message until now; the way begins behind it.
    transient_ids: the storage numbers of those queues that store transient messages too.
    kept: True when a queue among them keeps its messages by itself, and needs a flush for that; one that answers late
    says itself when it has them.
    """

    __slots__ = (
        "address",
        "answers_late",
        "behind",
        "cacheable",
        "extra_keys",
        "guarded",
        "holders",
        "kept",
        "observers",
        "queues",
        "routed",
        "store_ids",
        "transient_ids",
    )

    def __init__(
        self,
        address: Address,
        queues: tuple[Queue, ...],
        *,
        routed: bool,
        cacheable: bool,
        observers: tuple[Exchange, ...] = (),
        holders: tuple[Exchange, ...] = (),
        extra_keys: tuple[str, ...] = (),
        behind: Exchange | None = None,
    ) -> None:
        self.address = address
        self.queues = queues
        self.routed = routed
        self.cacheable = cacheable
        self.observers = observers
        self.holders = holders
        self.extra_keys = extra_keys
        self.behind = behind
        self.guarded = any(queue.guarded for queue in queues)
        self.answers_late = any(queue.answers_late for queue in queues)
        self.kept = any(queue.keeps_messages and not queue.answers_late for queue in queues)
        logged = [queue for queue in queues if queue.store_id and not queue.keeps_messages]
        self.store_ids = tuple(queue.store_id for queue in logged)
        self.transient_ids = tuple(queue.store_id for queue in logged if queue.stores_transient)

    @property
    def plain(self) -> bool:
        """True when every message of this address may be handled alike, without asking anybody."""
        return self.alike and not self.answers_late

    @property
    def alike(self) -> bool:
        """True when every message of this address may be handled alike, but for waiting for queues that answer later,
        each of which takes rows."""
        return (
            self.cacheable
            and not self.guarded
            and not self.transient_ids
            and not self.observers
            and (not self.answers_late or all(queue.takes_rows for queue in self.queues if queue.answers_late))
        )

    def next_to_ask(self, asked: Collection[Exchange]) -> Exchange | None:
        """The next exchange on the way that drops duplicates, and isn't among those that were asked already."""
        for observer in self.observers:
            if observer.duplicates is not None and observer not in asked:
                return observer
        return None

    @property
    def receipt(self) -> Receipt | None:
        """A new receipt for a publish by this route; None where nobody answers later."""
        return Receipt() if self.answers_late else None

    @property
    def refusal(self) -> str:
        """Why a message by this route was refused, for a publisher who can be told."""
        for queue in self.queues:
            if queue.guarded:
                return f"a queue has not taken it: {queue.refusal}"
        for queue in self.queues:
            if queue.answers_late and queue.late_refusal:
                return f"a queue has not taken it: {queue.late_refusal}"
        return "a queue has not taken it"
