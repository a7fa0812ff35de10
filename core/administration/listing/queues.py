"""Queues, as list_queues shows them (spec F.3, F.8).

What only some types know, such as how many messages are paged out, comes from the type (`Queue.columns`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from warren.core.administration.listing.column import Column, Row, on_request
from warren.core.administration.listing.kind import Kind, Vhosts, vhosts_among
from warren.core.queues.weight import Weighing

if TYPE_CHECKING:
    from warren.core.broker import Broker
    from warren.core.queues.base import Queue
    from warren.core.queues.weight import Weight, Weights


class QueueRow(Row):
    """One queue."""

    __slots__ = ("_weighing", "_weights", "queue")

    slow_names = frozenset(
        {
            "message_bytes",
            "message_bytes_unacknowledged",
            "message_bytes_ram",
            "message_bytes_persistent",
            "messages_persistent",
        }
    )

    def __init__(self, queue: Queue, weighing: Weighing | None = None) -> None:
        """weighing: of the listing that it is a row of."""
        self.queue = queue
        self._weighing = weighing
        self._weights: Weights | None = None

    def prepare(self) -> Iterator[None]:
        """Weigh its messages."""
        if self._weights is None:
            weighing = self._weighing or Weighing(self.queue.vhost.broker)
            self._weights = yield from weighing.weigh(self.queue)

    @property
    def exists(self) -> bool:
        """False once it is deleted, also if another of its name was declared."""
        return self.queue.vhost.queues.get(self.queue.name) is self.queue

    @property
    def is_elsewhere(self) -> bool:
        """See Row."""
        return self.queue.is_remote

    def value(self, name: str) -> object:
        """What a column holds; what the queue's type has to say counts first."""
        own = self.queue.columns.get(name)
        if own is not None:
            return own(self.queue)
        found = self.columns.get(name)
        return found.compute(self) if found is not None else None

    def names(self) -> Sequence[str]:
        """The common columns, and those of the queue's type."""
        return list(dict.fromkeys((*self.usual_names, *self.queue.columns)))

    @Column
    def name(self) -> str:
        """Its name."""
        return self.queue.name

    @Column
    def durable(self) -> bool:
        """Whether it outlives a restart."""
        return self.queue.durable

    @Column
    def auto_delete(self) -> bool:
        """Whether it goes with its last consumer."""
        return self.queue.auto_delete

    @Column
    def exclusive(self) -> bool:
        """Whether it belongs to one connection."""
        return self.queue.exclusive

    @Column
    def arguments(self) -> Mapping[str, object]:
        """What it was declared with."""
        return dict(self.queue.arguments)

    @Column
    def type(self) -> str:
        """The queue type: classic, quorum..."""
        return self.queue.type_name

    @Column
    def pid(self) -> str:
        """RabbitMQ's process; here the name again."""
        return self.queue.name

    @Column
    def owner_pid(self) -> str | None:
        """The connection that an exclusive queue belongs to."""
        return self.queue.owner.name if self.queue.owner else None

    @Column
    def messages(self) -> int:
        """Ready and unacknowledged messages, and those on their way to a dead letter exchange; a stream's
        once, whoever reads them."""
        return self.queue.kept_count

    @Column
    def messages_ready(self) -> int:
        """Messages that wait for a consumer."""
        return self.queue.ready_count

    @Column
    def messages_unacknowledged(self) -> int:
        """Messages that were delivered and aren't settled."""
        return self.queue.unacked_count

    @Column
    def messages_dlx(self) -> int:
        """Messages on their way to a dead letter exchange where nobody takes them yet."""
        return self.queue.untaken_count

    @on_request
    def message_bytes(self) -> int | None:
        """The bodies of its messages, ready and unacknowledged, in bytes."""
        return self.queue.ready_bytes + self._weights.unacknowledged.size_bytes if self._weights is not None else None

    @on_request
    def message_bytes_unacknowledged(self) -> int | None:
        """Those of messages that are delivered and not settled."""
        return self._weights.unacknowledged.size_bytes if self._weights is not None else None

    @on_request
    def message_bytes_ram(self) -> int | None:
        """Those that are in memory."""
        whole = self.message_bytes
        return whole - self.queue.persistent_on_disk().size_bytes if whole is not None else None

    @on_request
    def messages_persistent(self) -> int | None:
        """Messages that outlive a restart; unknown of a queue with very many of both sorts (core/queues/weight.py)."""
        return persistent.messages if (persistent := self._persistent) is not None else None

    @on_request
    def message_bytes_persistent(self) -> int | None:
        """Their bodies, in bytes."""
        return persistent.size_bytes if (persistent := self._persistent) is not None else None

    @property
    def _persistent(self) -> Weight | None:
        return self._weights.persistent if self._weights is not None else None

    @Column
    def consumers(self) -> int:
        """How many consumers it has."""
        return len(self.queue.consumers)

    @Column
    def state(self) -> str:
        """Whether it works: running."""
        return "running"

    @Column
    def policy(self) -> str | None:
        """The policy that applies."""
        return self.queue.policy

    @Column
    def operator_policy(self) -> str | None:
        """The operator policy that applies."""
        return self.queue.operator_policy

    @Column
    def effective_policy_definition(self) -> Mapping[str, object]:
        """What both come to."""
        return dict(self.queue.effective_policy)

    @Column
    def vhost(self) -> str:
        """The virtual host it is in."""
        return self.queue.vhost.name

    @Column
    def message_stats(self) -> Mapping[str, int]:
        """What happened to its messages: counts by name (core/counters.py)."""
        return self.queue.message_counts

    @on_request
    def node(self) -> str:
        """The node of a cluster that has it; empty without a cluster, and where no node has it just now."""
        cluster = self.queue.vhost.broker.cluster
        return cluster.name if cluster is not None else ""

    @on_request
    def replication(self) -> str:
        """Whether a cluster replicates it, and whether its policy wants that otherwise; empty without a cluster."""
        if self.queue.vhost.broker.cluster is None:
            return ""
        from warren.core.cluster.replication import replication_of

        return replication_of(self.queue)

    @on_request
    def message_rates(self) -> Mapping[str, float]:
        """How fast these counts grow, per second; sampled from the first time on that somebody asks."""
        broker = self.queue.vhost.broker
        return broker.rates.of(self.queue.counts, lambda: self.queue.message_counts, broker.now_ms)


def _rows(broker: Broker, vhosts: Vhosts) -> Iterator[QueueRow]:
    weighing = Weighing(broker)
    for vhost in vhosts_among(broker, vhosts):
        yield from (QueueRow(queue, weighing) for queue in list(vhost.queues.values()))


def _count(broker: Broker, vhosts: Vhosts) -> int:
    return sum(len(vhost.queues) for vhost in vhosts_among(broker, vhosts))


QUEUES = Kind(
    "queues",
    QueueRow,
    _rows,
    _count,
    shown=("name", "messages"),
    unknown=(
        "disk_reads",
        "disk_writes",
        "leader",
        "members",
        "online",
    ),
)
