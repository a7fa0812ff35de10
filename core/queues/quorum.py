"""`x-queue-type: quorum` on one node: a durable queue with the limits and refusals of RabbitMQ's quorum queues.

Programs that declare quorum queues run unchanged; replication comes with the distributed engine.  What differs from a
classic queue: every message is kept on disk, whatever its delivery mode; deliveries are counted, and a message that
failed more often than the delivery limit (20 unless declared) is dead-lettered or dropped; what a quorum queue
can't be (exclusive, transient, auto-delete, server-named) is refused, and so are global prefetch, if-unused and
if-empty; a consumer's exclusive flag means nothing, and a redeclaration doesn't put off the queue's expiry.  A single
active consumer gives way to one of a higher priority as soon as it holds no message any more.

Messages of priority 5 and above are urgent: they have a backlog of their own, of which two are served for one ordinary
message (turns_of_classes.py).  A queue that never had one has no second backlog, and the quick way out; that it had is
noted in the definitions, so that after a restart the messages' records are looked into for their priorities.  Where
messages of a group belong together (x-group-by), their order counts, and none is urgent.

With the dead letter strategy at-least-once (which asks for overflow reject-publish and a dead letter exchange) a
message that nobody takes as a dead letter, because the exchange isn't there, leads nowhere or to a full queue, stays
here: it is out of the consumers' reach, counts towards the queue's length, and is tried again every few seconds.
After a restart it is an ordinary message again, and dies again for its reason.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from warren.core.compiled import mypyc_attr
from warren.core.errors import NotImplementedByBroker, PreconditionFailed
from warren.core.queues import observing
from warren.core.queues.answer import Answer, ignore
from warren.core.queues.classic.queue import ClassicQueue
from warren.core.queues.classic.rules import (
    AT_LEAST_ONCE,
    COMMON_ARGUMENTS,
    QUORUM_ARGUMENTS,
    REJECT_PUBLISH,
    QueueRules,
)
from warren.core.queues.classic.turns_of_classes import URGENT_FROM, TurnsOfClasses
from warren.core.queues.dead_letter import dead_letter
from warren.core.queues.registry import register

if TYPE_CHECKING:
    from warren.core.deadlines import Deadline
    from warren.core.messages.message import Message
    from warren.core.queues.consumer import Consumer

URGENT: Final = "urgent"
"""Rows of the definitions: the queue of this name has had urgent messages."""

URGENT_ROW: Final = 1
"""Of `row_of`: urgent messages, which come to a backlog of their own if they can."""

DELIVERY_LIMIT_DEFAULT: Final = 20

RETRY_MS: Final = 5_000
"""Between two tries of dead letters that nobody took."""

RETRIES_AT_ONCE: Final = 32
"""RabbitMQ's prefetch for these; those that fail again go to the end of the row."""


def check_delete(description: str, *, if_unused: bool, if_empty: bool) -> None:
    """Conditional deletes are not for quorum queues, wherever they are: NotImplementedByBroker (540)."""
    for flag, wanted in (("if-unused", if_unused), ("if-empty", if_empty)):
        if wanted:
            raise NotImplementedByBroker(
                f"cannot delete {description}. queue.delete operations with {flag} flag set "
                "are not supported by quorum queues"
            )


@mypyc_attr(allow_interpreted_subclasses=True)
class QuorumQueue(ClassicQueue):
    """See the head of this file."""

    __slots__ = ("_retry", "_successor", "_untaken", "_untaken_bytes")

    type_name = "quorum"
    stores_transient = True
    shares_prefetch = False

    known_arguments = (*COMMON_ARGUMENTS, *QUORUM_ARGUMENTS)

    def prepare(self) -> None:
        self._untaken: deque[tuple[Message, str]] = deque()
        self._untaken_bytes = 0
        self._retry: Deadline | None = None
        self._successor: Consumer | None = None
        super().prepare()

    # Two classes of messages

    def append(self, message: Message) -> None:
        if message.properties.special and self._is_urgent(message) and self._has_classes():
            self.backlogs[0].entries.append(message)
            self.ready_bytes += message.body_size
            self.mark_dirty()
        else:
            super().append(message)

    def row_of(self, message: Message) -> int:
        return URGENT_ROW if message.properties.special and self._is_urgent(message) else 0

    def append_all(self, messages: list[Message], size_bytes: int, row: int = 0) -> None:
        if row == URGENT_ROW and self._has_classes():
            self.backlogs[0].entries.extend(messages)
            self.ready_bytes += size_bytes
            self.mark_dirty()
        else:
            super().append_all(messages, size_bytes)

    def level_of(self, message: Message) -> int:
        return 0 if self.turns is None or self._is_urgent(message) else 1

    @staticmethod
    def _is_urgent(message: Message) -> bool:
        return (message.properties.priority or 0) >= URGENT_FROM

    def _has_classes(self) -> bool:
        """True from the first urgent message on, unless that comes in the middle of a drain that knows one backlog."""
        if self.turns is None and not self.draining and self.rules.group_by is None:
            self.has_urgent()
            if self.store_id:
                self.vhost.broker.definitions.put(URGENT, self.vhost.name, self.name, {})
        return self.turns is not None

    def has_urgent(self) -> None:
        """There may be urgent messages from now on."""
        if self.turns is None:
            self.turns = TurnsOfClasses()
            self.backlogs.insert(0, self.new_backlog())
            self.govern()

    def with_defaults(self, rules: QueueRules) -> QueueRules:
        if rules.delivery_limit is None:
            return replace(rules, delivery_limit=DELIVERY_LIMIT_DEFAULT)
        return rules

    @classmethod
    def check_declaration(
        cls, description: str, *, durable: bool, exclusive: bool, auto_delete: bool, server_named: bool
    ) -> None:
        """Refuse what a quorum queue can't be (406)."""
        if server_named:
            raise PreconditionFailed("Cannot declare a server-named queue for type rabbit_quorum_queue; give it a name")
        for name, wrong in (
            ("exclusive-owner", exclusive),
            ("non-durable", not durable),
            ("auto-delete", auto_delete),
        ):
            if wrong:
                raise PreconditionFailed(f"invalid property '{name}' for {description}; a quorum queue can't have it")

    def check_delete(self, *, if_unused: bool, if_empty: bool) -> None:
        """Conditional deletes are not for quorum queues (540)."""
        check_delete(self.description, if_unused=if_unused, if_empty=if_empty)

    def used(self) -> None:
        """Redeclaring doesn't put off the expiry of a quorum queue (spec A.7)."""

    def add_consumer(self, consumer: Consumer) -> None:
        consumer.exclusive = False
        super().add_consumer(consumer)
        active = self._successor or self.ring.single
        if active is not None and consumer.priority > active.priority:
            self._succeed(consumer)

    # A single active consumer gives way to one of higher priority

    def _succeed(self, consumer: Consumer) -> None:
        """Make it the active one, once nothing is with consumers any more; until then nobody gets anything."""
        active = self.ring.single
        if active is not None:
            self.park(active)
            active.parked = True
        if self.unacked_count:
            self._successor = consumer
            return
        self._successor = None
        self.ring.single = consumer
        if active is not None:
            active.activity_changed()
        self.activate(consumer)

    def resume(self, consumer: Consumer) -> None:
        if self._successor is None:
            super().resume(consumer)

    def acknowledge(self, message: Message) -> None:
        super().acknowledge(message)
        if self._successor is not None:
            self._succeed(self._successor)

    def acknowledge_all(self, messages: list[Message]) -> None:
        super().acknowledge_all(messages)
        if self._successor is not None:
            self._succeed(self._successor)

    def discard(self, message: Message) -> None:
        super().discard(message)
        if self._successor is not None:
            self._succeed(self._successor)

    def requeue(self, messages: Iterable[Message], *, failed: bool = True) -> None:
        super().requeue(messages, failed=failed)
        if self._successor is not None:
            self._succeed(self._successor)

    def all_came_back(self) -> None:
        super().all_came_back()
        if self._successor is not None:
            self._succeed(self._successor)

    def remove_consumer(self, consumer: Consumer) -> None:
        successor, self._successor = self._successor, None
        if consumer is self.ring.single or successor is None:
            super().remove_consumer(consumer)
            return
        super().remove_consumer(consumer)
        active = self.ring.single
        best = self.ring.foremost()
        if active is None or best is None:
            return
        if best.priority > active.priority:
            self._succeed(best)
        else:
            self.activate(active)

    # Dead letters at least once

    @property
    def untaken_count(self) -> int:
        return len(self._untaken)

    def has_no_room_for(self, message: Message) -> bool:
        return self.exceeds_with(message, len(self._untaken), self._untaken_bytes)

    def close(self, answer: Answer[int] = ignore) -> None:
        super().close(answer)
        if self.store_id and self.turns is not None:
            self.vhost.broker.definitions.delete(URGENT, self.vhost.name, self.name)
        if self._retry is not None:
            self._retry.cancel()
        for message, _ in self._untaken:
            self.settle(message)
        self._untaken.clear()
        self._untaken_bytes = 0

    @property
    def keeps_untaken(self) -> bool:
        rules = self.rules
        return (
            rules.dead_letter_strategy == AT_LEAST_ONCE
            and rules.dead_letter_exchange is not None
            and rules.overflow == REJECT_PUBLISH
        )

    def bury(self, message: Message, reason: str) -> None:
        if not self.keeps_untaken:
            super().bury(message, reason)
            return
        observer = self.vhost.broker.observer if self.remembers else None
        if observer is None:
            taken = dead_letter(self, self.rules, message, reason, unless_full=True)
        else:
            taken = observing.bury(observer, self, self.rules, message, reason, unless_full=True)
        if taken:
            self.settle(message)
        else:
            if self.picking is not None:
                self.picking.left(self, message.sequence)
            self._untaken.append((message, reason))
            self._untaken_bytes += message.body_size
            self._plan_retry(self.vhost.broker.now_ms)

    def _try_again(self, now_ms: int) -> None:
        self._retry = None
        for _ in range(min(len(self._untaken), RETRIES_AT_ONCE)):
            message, reason = self._untaken.popleft()
            self._untaken_bytes -= message.body_size
            self.bury(message, reason)
        if self._untaken:
            self._plan_retry(now_ms)

    def _plan_retry(self, now_ms: int) -> None:
        if self._retry is None:
            self._retry = self.vhost.broker.deadlines.schedule(now_ms + RETRY_MS, self._try_again)


register(QuorumQueue)
