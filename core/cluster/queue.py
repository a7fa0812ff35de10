"""A replicated queue, on the node that owns its shard: a quorum or classic queue whose messages are in the shard's log.

They are copies of its own, since a message's place is in one log.  Who publishes is answered when the flush that has
the message is done here and in the shard's stream (core.storage.replicated), whatever this node's own log does.

Once the shard is lost, or handed over, `replaced` makes an object of it that does nothing any more: what is said of
deliveries that clients still have is taken, and has no effect.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final, TypeAlias

from warren.core.compiled import mypyc_attr
from warren.core.messages.message import Message
from warren.core.queues.answer import Answer, ignore
from warren.core.queues.classic.queue import ClassicQueue
from warren.core.queues.deduplicating import DeduplicatingQueue, DeduplicatingQuorumQueue
from warren.core.queues.priority import PriorityQueue
from warren.core.queues.quorum import QuorumQueue
from warren.core.queues.registry import queue_class
from warren.core.storage.memory import MemoryEngine

if TYPE_CHECKING:
    from collections.abc import Mapping

    from warren.core.cluster.shard import Shard
    from warren.core.messages.field_table import FieldValue
    from warren.core.queues.base import Queue
    from warren.core.routing.receipt import Receipt
    from warren.core.routing.vhost import VirtualHost

NOWHERE: Final = MemoryEngine()
"""The store of a queue that has left."""

REFUSAL: Final = "its shard has left this node before a majority had it"


@mypyc_attr(allow_interpreted_subclasses=True)
class ReplicatedQueue(DeduplicatingQuorumQueue):
    """A quorum queue; see the head of this file.  `made` makes it.  shard: its own."""

    __slots__ = ("shard",)

    shard: Shard

    of_cluster: ClassVar[bool] = True
    keeps_messages: ClassVar[bool] = True
    takes_rows: ClassVar[bool] = True

    @property
    def answers_late(self) -> bool:
        return True

    @property
    def late_refusal(self) -> str:
        return f"{REFUSAL}; publish again"

    def append_with(self, message: Message, receipt: Receipt) -> None:
        own = _taken(self, self.shard, message, receipt)
        if own is not None:
            QuorumQueue.append(self, own)

    def append_all_with(self, messages: list[Message], size_bytes: int, receipt: Receipt) -> None:
        if self.closed or self.withheld is not None:
            for message in messages:
                self.append_with(message, receipt)
            return
        self.shard.answer_later(receipt)
        self._append_row(messages, size_bytes)

    def append(self, message: Message) -> None:
        QuorumQueue.append(self, _stored(self, message))

    def append_all(self, messages: list[Message], size_bytes: int, row: int = 0) -> None:
        if self.closed:
            return
        self._append_row(messages, size_bytes)

    def _append_row(self, messages: list[Message], size_bytes: int) -> None:
        own = _all_stored(self, messages)
        QuorumQueue.append_all(self, own, size_bytes, self.row_of(own[0]))

    def replaced(self, by: Queue) -> None:
        """The shard isn't this node's any more."""
        _has_left(self)

    def close(self, answer: Answer[int] = ignore) -> None:
        self.shard.queues.pop(self.store_id, None)
        super().close(answer)


@mypyc_attr(allow_interpreted_subclasses=True)
class ReplicatedClassic(DeduplicatingQueue):
    """A durable classic queue that a policy has replicated, with priorities or without; see the head of this file.

    What is published to it as transient is replicated, too: it is there after a takeover.  shard: its own.
    """

    __slots__ = ("shard",)

    shard: Shard

    of_cluster: ClassVar[bool] = True
    keeps_messages: ClassVar[bool] = True
    takes_rows: ClassVar[bool] = True
    stores_transient: ClassVar[bool] = True

    @property
    def answers_late(self) -> bool:
        return True

    @property
    def late_refusal(self) -> str:
        return f"{REFUSAL}; publish again"

    def append_with(self, message: Message, receipt: Receipt) -> None:
        own = _taken(self, self.shard, message, receipt)
        if own is not None:
            PriorityQueue.append(self, own)

    def append_all_with(self, messages: list[Message], size_bytes: int, receipt: Receipt) -> None:
        if self.closed or self.withheld is not None:
            for message in messages:
                self.append_with(message, receipt)
            return
        self.shard.answer_later(receipt)
        self._append_row(messages, size_bytes)

    def append(self, message: Message) -> None:
        PriorityQueue.append(self, _stored(self, message))

    def append_all(self, messages: list[Message], size_bytes: int, row: int = 0) -> None:
        if self.closed:
            return
        self._append_row(messages, size_bytes)

    def _append_row(self, messages: list[Message], size_bytes: int) -> None:
        own = _all_stored(self, messages)
        ClassicQueue.append_all(self, own, size_bytes, self.row_of(own[0]))

    # Only a queue that drops duplicates has to look at each of what leaves.

    def acknowledge(self, message: Message) -> None:
        if self.present is None:
            ClassicQueue.acknowledge(self, message)
        else:
            DeduplicatingQueue.acknowledge(self, message)

    def acknowledge_all(self, messages: list[Message]) -> None:
        if self.present is None:
            ClassicQueue.acknowledge_all(self, messages)
        else:
            DeduplicatingQueue.acknowledge_all(self, messages)

    def replaced(self, by: Queue) -> None:
        """The shard isn't this node's any more."""
        _has_left(self)

    def close(self, answer: Answer[int] = ignore) -> None:
        self.shard.queues.pop(self.store_id, None)
        super().close(answer)


AnyReplicated: TypeAlias = "ReplicatedQueue | ReplicatedClassic"


def is_replicated_here(queue: Queue) -> bool:
    """Whether it is a replicated queue whose shard this node owns."""
    return isinstance(queue, (ReplicatedQueue, ReplicatedClassic))


def made(
    shard: Shard,
    vhost: VirtualHost,
    name: str,
    *,
    auto_delete: bool,
    arguments: Mapping[str, FieldValue],
    arguments_raw: bytes,
    store_id: int,
) -> AnyReplicated:
    """The queue, empty as yet, of the type that its arguments ask for.

    Raises PreconditionFailed (406) for arguments that can't be.
    """
    is_classic = queue_class(f"queue '{name}' in vhost '{vhost.name}'", arguments).type_name == ClassicQueue.type_name
    which: type[ReplicatedClassic] | type[ReplicatedQueue] = ReplicatedClassic if is_classic else ReplicatedQueue
    queue = which(
        vhost,
        name,
        durable=True,
        auto_delete=auto_delete,
        arguments=arguments,
        arguments_raw=arguments_raw,
        store_id=store_id,
        store=shard.engine,
    )
    queue.shard = shard
    return queue


def _taken(queue: ClassicQueue, shard: Shard, message: Message, receipt: Receipt) -> Message | None:
    """The queue's own copy of a message, in its shard's log, whose flush answers; None where it is refused."""
    if queue.closed:
        receipt.expect()
        receipt.answer(taken=False)
        return None
    own = _copy(message)
    queue.store.append(own, (queue.store_id,))
    shard.answer_later(receipt)
    if queue.withheld is not None:
        queue.withheld.keep(own.sequence, receipt)
    return own


def _stored(queue: ClassicQueue, message: Message) -> Message:
    """The queue's own copy of a message, in its shard's log."""
    own = _copy(message)
    if not queue.closed:
        queue.store.append(own, (queue.store_id,))
    return own


def _all_stored(queue: ClassicQueue, messages: list[Message]) -> list[Message]:
    own = [_copy(message) for message in messages]
    queue.store.append_all(own, (queue.store_id,))
    return own


def _has_left(queue: ClassicQueue) -> None:
    """It is on another node from now on, and does nothing any more."""
    queue.closed = True
    queue.store = NOWHERE
    queue.remembers = False
    queue.store_id = 0
    queue.expiry.stop()
    queue.disuse.stop()
    if queue.withheld is not None:
        queue.withheld.give_up(queue.vhost.broker.chores.add)
        queue.withheld = None
    queue.vhost.broker.crowded_queues.discard(queue)
    queue.turns = None
    queue.backlogs = [queue.new_backlog() for _ in queue.backlogs]
    queue.entries = queue.backlogs[0].entries
    queue.ready_bytes = 0


def _copy(message: Message) -> Message:
    return Message(
        message.sequence,
        message.address,
        message.properties,
        message.content,
        message.body_at,
        message.body_size,
        message.framed_for,
        message.published_at_ms,
    )
