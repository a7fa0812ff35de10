"""A replicated queue, on the node that owns its shard: a quorum queue whose messages are in the shard's log.

They are copies of its own, since a message's place is in one log.  Who publishes is answered when the flush that has
the message is done here and in the shard's stream (core.storage.replicated), whatever this node's own log does.

Once the shard is lost, or handed over, `replaced` makes an object of it that does nothing any more: what is said of
deliveries that clients still have is taken, and has no effect.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from warren.core.compiled import mypyc_attr
from warren.core.messages.message import Message
from warren.core.queues.answer import Answer, ignore
from warren.core.queues.quorum import QuorumQueue
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
class ReplicatedQueue(QuorumQueue):
    """See the head of this file; `made` makes it.  shard: its own."""

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
        if self.closed:
            receipt.expect()
            receipt.answer(taken=False)
            return
        own = _copy(message)
        self.store.append(own, (self.store_id,))
        self.shard.answer_later(receipt)
        if self.withheld is not None:
            self.withheld.keep(own.sequence, receipt)
        QuorumQueue.append(self, own)

    def append_all_with(self, messages: list[Message], size_bytes: int, receipt: Receipt) -> None:
        if self.closed or self.withheld is not None:
            for message in messages:
                self.append_with(message, receipt)
            return
        self.shard.answer_later(receipt)
        self._append_row(messages, size_bytes)

    def append(self, message: Message) -> None:
        own = _copy(message)
        if not self.closed:
            self.store.append(own, (self.store_id,))
        QuorumQueue.append(self, own)

    def append_all(self, messages: list[Message], size_bytes: int, row: int = 0) -> None:
        if self.closed:
            return
        self._append_row(messages, size_bytes)

    def _append_row(self, messages: list[Message], size_bytes: int) -> None:
        own = [_copy(message) for message in messages]
        self.store.append_all(own, (self.store_id,))
        QuorumQueue.append_all(self, own, size_bytes, self.row_of(own[0]))

    def replaced(self, by: Queue) -> None:
        """The shard isn't this node's any more."""
        self.closed = True
        self.store = NOWHERE
        self.remembers = False
        self.store_id = 0
        self.expiry.stop()
        self.disuse.stop()
        if self.withheld is not None:
            self.withheld.give_up(self.vhost.broker.chores.add)
            self.withheld = None
        self.vhost.broker.crowded_queues.discard(self)
        self.backlogs = [self.new_backlog()]
        self.entries = self.backlogs[0].entries
        self.turns = None
        self.ready_bytes = 0

    def close(self, answer: Answer[int] = ignore) -> None:
        self.shard.queues.pop(self.store_id, None)
        super().close(answer)


def made(
    shard: Shard,
    vhost: VirtualHost,
    name: str,
    *,
    auto_delete: bool,
    arguments: Mapping[str, FieldValue],
    arguments_raw: bytes,
    store_id: int,
) -> ReplicatedQueue:
    """The queue, empty as yet.  Raises PreconditionFailed (406) for arguments that can't be."""
    queue = ReplicatedQueue(
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
