"""The classic queue: messages in the order of their publishing, or of their priorities, on one node.

Theory of operation
-------------------
Ready messages are in a `Backlog` (one per priority for x-max-priority), whose deque the hot path works on directly.
Messages that come back are collected in `_returning` and merged into their places by sequence when somebody next looks
at the head, so that a thousand single nacks cost one merge.  `_returned` counts the returns per sequence; a message
found there is delivered with the redelivered flag.

Consumers take turns: `_available` holds those that can take a message now, in the order of their turns; the one
served goes to the back (behind its equals, where consumers have priorities), one without credit leaves until it is
resumed.  With a single active consumer only that one is ever available.  A type of queue that has a `Chooser` lets it
say instead whose turn it is; such a queue is governed.

`drain` is written twice.  `_drain_plain` is the hot path and knows none of the rules.  `_drain_governed` serves queues
with TTLs, lengths, priorities or tracing: it looks at the head before every delivery, and afterwards enforces what is
left.  All limits are enforced there, at the end of a batch, when consumers had their chance: a queue of length 0
therefore still delivers to whoever is waiting.

Longer than 400 lines because both drains, settling and returning share the same few counters.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Final

from warren.core.errors import AccessRefused, ResourceLocked, StoreUnavailable
from warren.core.messages.deduplication import DeduplicationWindow, fingerprint
from warren.core.messages.field_table import EMPTY_TABLE_RAW
from warren.core.messages.message import Message
from warren.core.queues.arguments import (
    CLASSIC_ARGUMENTS,
    COMMON_ARGUMENTS,
    check_consumer_arguments,
    check_queue_arguments,
)
from warren.core.queues.backlog import (
    MESSAGE_OVERHEAD_BYTES,
    RESIDENT_HEAD_BYTES,
    RESIDENT_HEAD_MESSAGES,
    Backlog,
    Entry,
    make_ticket,
    position_of,
    sequence_of,
    size_of,
)
from warren.core.queues.base import Admission, Queue
from warren.core.queues.classic.rules import REJECT_PUBLISH_DLX, QueueRules, effective_rules, rules_from_arguments
from warren.core.queues.dead_letter import DELIVERY_LIMIT, EXPIRED, MAXLEN, REJECTED, dead_letter

if TYPE_CHECKING:
    from warren.core.clients.client import Client
    from warren.core.deadlines import Deadline
    from warren.core.messages.field_table import FieldValue
    from warren.core.queues.classic.chooser import Chooser
    from warren.core.queues.consumer import Consumer
    from warren.core.routing.vhost import VirtualHost
    from warren.core.storage.definitions.store import JSON


_log = logging.getLogger("warren.queue")

READ_AGAIN_MS: Final = 1000
"""After the store could not be read, when to try again."""


class ClassicQueue(Queue):
    """RabbitMQ's classic queue; see the head of this file."""

    __slots__ = (
        "_available",
        "_backlog",
        "_backlogs",
        "_chooser",
        "_closed",
        "_deduplication",
        "_draining",
        "_expecting_expiry",
        "_expiry",
        "_expiry_at_ms",
        "_failures",
        "_governed",
        "_noted_ready",
        "_own_rules",
        "_prioritised",
        "_ready",
        "_redelivered_until",
        "_returned",
        "_returning",
        "_single",
        "_unacked_count",
        "_unused",
        "exclusive_consumer",
        "ready_bytes",
        "rules",
        "used_at_ms",
    )

    type_name = "classic"

    equivalent_arguments: ClassVar[tuple[str, ...]] = (*COMMON_ARGUMENTS, *CLASSIC_ARGUMENTS)

    def __init__(
        self,
        vhost: VirtualHost,
        name: str,
        *,
        durable: bool = False,
        auto_delete: bool = False,
        owner: Client | None = None,
        arguments: Mapping[str, FieldValue] | None = None,
        arguments_raw: bytes = EMPTY_TABLE_RAW,
        store_id: int = 0,
    ) -> None:
        super().__init__(
            vhost,
            name,
            durable=durable,
            auto_delete=auto_delete,
            owner=owner,
            arguments=arguments,
            arguments_raw=arguments_raw,
            store_id=store_id,
        )
        self.prepare()
        self._own_rules = self.read_rules()
        self.rules: QueueRules = self.with_defaults(self._own_rules)
        levels = (self.rules.max_priority or 0) + 1
        self._backlogs = [self._new_backlog() for _ in range(levels)]
        self._backlog = self._backlogs[0]
        self._ready = self._backlog.entries
        self.ready_bytes = 0
        self._returning: list[Message] = []
        self._returned: dict[int, int] = {}
        self._failures: dict[int, int] = {}
        self._redelivered_until = 0
        self._unacked_count = 0
        self._closed = False
        self._draining = False
        self._available: deque[Consumer] = deque()
        self._prioritised = False
        self._chooser: Chooser | None = None
        self._single: Consumer | None = None
        self.exclusive_consumer: Consumer | None = None
        self._expecting_expiry = False
        self._expiry: Deadline | None = None
        self._expiry_at_ms = 0
        self._unused: Deadline | None = None
        self.used_at_ms = vhost.broker.now_ms
        self._deduplication: DeduplicationWindow | None = None
        self._governed = False
        self._noted_ready: Message | int | None = 0
        self._rules_changed()

    def prepare(self) -> None:
        """Set up what a kind of classic queue has of its own, before any rule is read or applied."""

    def _new_backlog(self) -> Backlog:
        store = self.vhost.broker.store
        return Backlog(self.description, store, self.store_id, self._lost, stores_transient=self.stores_transient)

    def read_rules(self) -> QueueRules:
        """The rules in the declaration's arguments; PreconditionFailed (406) for invalid ones."""
        check_queue_arguments(self.description, self.type_name, self.arguments)
        return rules_from_arguments(self.description, self.arguments)

    def with_defaults(self, rules: QueueRules) -> QueueRules:
        """`rules`, with what this type does where neither arguments nor policies say anything."""
        return rules

    # Counting

    @property
    def ready_count(self) -> int:
        return sum(len(backlog.entries) for backlog in self._backlogs) + len(self._returning)

    @property
    def unacked_count(self) -> int:
        return self._unacked_count

    @property
    def paged_count(self) -> int:
        """Ready messages whose content is on disk alone."""
        return sum(backlog.paged_count for backlog in self._backlogs)

    @property
    def resident_bytes(self) -> int:
        """Estimated memory of the ready messages that are resident, in bytes."""
        count = sum(backlog.resident_count for backlog in self._backlogs)
        paged_bytes = sum(backlog.paged_bytes for backlog in self._backlogs)
        return self.ready_bytes - paged_bytes + count * MESSAGE_OVERHEAD_BYTES

    # In

    def append(self, message: Message) -> None:
        self._ready.append(message)
        self.ready_bytes += message.body_size
        if not self.dirty:
            self.dirty = True
            self.vhost.broker.dirty_queues.append(self)

    @property
    def guarded(self) -> bool:
        return self.rules.refuses or self._deduplication is not None

    def admit(self, message: Message) -> Admission:
        """Refuse a message that a full queue with reject-publish has no room for; drop a duplicate."""
        rules = self.rules
        seen_as = None
        if self._deduplication is not None:
            value = (message.properties.headers or {}).get(rules.deduplication_header)
            seen_as = None if value is None else fingerprint(value)
            if seen_as is not None and self._deduplication.seen(seen_as, self.vhost.broker.now_ms):
                return Admission.DROP
        if not rules.refuses:
            return Admission.TAKE
        if self._available and not self._draining:
            self.drain()
        if self._available and not self.ready_count:
            return Admission.TAKE
        if not self.has_no_room_for(message):
            return Admission.TAKE
        if self._deduplication is not None and seen_as is not None:
            self._deduplication.forget(seen_as)
        if rules.overflow == REJECT_PUBLISH_DLX:
            # Not here, in the middle of a publish: full queues that dead-letter to each other would nest without end.
            self.vhost.broker.at_end_of_batch(partial(self._dead_letter_refused, message))
        return Admission.REFUSE

    def has_no_room_for(self, message: Message) -> bool:
        """True when the message would exceed a limit that the queue keeps by refusing."""
        rules = self.rules
        return rules.refuses and (
            (rules.max_length is not None and self.ready_count + 1 > rules.max_length)
            or (rules.max_length_bytes is not None and self.ready_bytes + message.body_size > rules.max_length_bytes)
        )

    def _dead_letter_refused(self, message: Message) -> None:
        dead_letter(self, self.rules, message, MAXLEN)

    def expects_expiry(self) -> None:
        self._expecting_expiry = True
        self._governed = True
        self.mark_dirty()

    def _level(self, message: Message) -> int:
        """The index of the backlog for a message's priority, the highest first."""
        top = len(self._backlogs) - 1
        return top - min(message.properties.priority or 0, top)

    def mark_dirty(self) -> None:
        """Have the queue drained at the end of this batch."""
        if not self.dirty:
            self.dirty = True
            self.vhost.broker.dirty_queues.append(self)

    # Out

    def drain(self) -> None:
        if self._returning:
            self._merge_returning()
        self._draining = True
        try:
            if self._governed or self.vhost.tracing:
                self._drain_governed()
            else:
                self._drain_plain()
        except StoreUnavailable as error:
            _log.error("%s waits for its messages: %s", self.description, error.text)
            self.vhost.broker.deadlines.schedule(
                self.vhost.broker.now_ms + READ_AGAIN_MS, lambda now_ms: self.mark_dirty()
            )
        finally:
            self._draining = False
        if self.store_id and self.rules.delivery_limit is not None:
            self._note_ready()
        if self.store_id and (self.ready_bytes > RESIDENT_HEAD_BYTES or self.resident_count > RESIDENT_HEAD_MESSAGES):
            self.vhost.broker.crowded_queues.add(self)

    @property
    def resident_count(self) -> int:
        """Ready messages in memory."""
        return sum(backlog.resident_count for backlog in self._backlogs)

    def _drain_plain(self) -> None:
        ready = self._ready
        available = self._available
        returned = self._returned
        redelivered_until = self._redelivered_until
        store_id = self.store_id
        delivered_bytes = 0
        unacked = 0
        try:
            while ready and available:
                message = ready.popleft()
                if isinstance(message, int):
                    self._backlog.load(message)
                    continue
                delivered_bytes += message.body_size
                consumer = available[0]
                sequence = message.sequence
                redelivered = sequence <= redelivered_until or sequence in returned
                more = consumer.deliver(message, redelivered)
                if not consumer.no_ack:
                    unacked += 1
                elif store_id or returned:
                    self._settle(message)
                if not more:
                    available.popleft()
                    consumer.parked = True
                elif len(available) > 1:
                    available.rotate(-1)
        finally:
            self.ready_bytes -= delivered_bytes
            self._unacked_count += unacked

    def _drain_governed(self) -> None:
        available = self._available
        chooser = self._chooser
        tracing = self.vhost.tracing
        while available:
            message = self._head()
            if message is None:
                break
            deadline_ms = self._deadline_ms(message)
            if deadline_ms is not None and deadline_ms < self.vhost.broker.now_ms:
                self._drop_head(message, EXPIRED)
                continue
            if chooser is not None and not self._prioritised and not self._give_turn(chooser, message):
                break
            self._take_head()
            consumer = available[0]
            redelivered = self.was_delivered(message)
            more = consumer.deliver(message, redelivered)
            if tracing:
                self.vhost.trace_delivery(
                    self, message, consumer.client, consumer.channel_number, redelivered=redelivered
                )
            if consumer.no_ack:
                self._settle(message)
            else:
                self._unacked_count += 1
            if not more:
                available.popleft()
                consumer.parked = True
            elif len(available) > 1:
                self._next_turn()
        self._enforce_limits()

    def _give_turn(self, chooser: Chooser, message: Message) -> bool:
        """Let the consumer that is chosen for the head be the next; False when the message has to wait for it."""
        available = self._available
        consumer = chooser.choose(message, self.consumers, available[0])
        if consumer is not available[0]:
            if consumer.parked:
                return False
            available.remove(consumer)
            available.appendleft(consumer)
        return True

    def _next_turn(self) -> None:
        """The consumer just served goes behind its equals."""
        available = self._available
        if not self._prioritised:
            available.rotate(-1)
            return
        consumer = available.popleft()
        index = 0
        while index < len(available) and available[index].priority >= consumer.priority:
            index += 1
        available.insert(index, consumer)

    def get(
        self, *, no_ack: bool, client: Client | None = None, channel_number: int = 0
    ) -> tuple[Message, bool] | None:
        """The message at the head; ResourceLocked (405) where a single active consumer has the queue."""
        if self.rules.single_active_consumer:
            raise ResourceLocked(f"{self.description} has a single active consumer: consume from it instead of polling")
        self.used_at_ms = self.vhost.broker.now_ms
        if self._returning:
            self._merge_returning()
        message = self._head()
        while message is not None:
            deadline_ms = self._deadline_ms(message)
            if deadline_ms is None or deadline_ms > self.vhost.broker.now_ms:
                break
            self._drop_head(message, EXPIRED)
            message = self._head()
        if message is None:
            return None
        self._take_head()
        redelivered = self.was_delivered(message)
        if self.vhost.tracing:
            self.vhost.trace_delivery(self, message, client, channel_number, redelivered=redelivered)
        if no_ack:
            self._settle(message)
        else:
            self._unacked_count += 1
        if self._governed or self.rules.delivery_limit is not None:
            self.mark_dirty()
        return message, redelivered

    def browse(self, start: int, count: int) -> Iterator[Message]:
        if self._returning:
            self._merge_returning()
        for backlog in self._backlogs:
            length = len(backlog.entries)
            if start >= length:
                start -= length
                continue
            yield from backlog.browse(start, count)
            count -= min(count, length - start)
            start = 0
            if not count:
                return

    def was_delivered(self, message: Message) -> bool:
        return message.sequence <= self._redelivered_until or message.sequence in self._returned

    def _head(self) -> Message | None:
        """The next message to deliver, still in its place."""
        for backlog in self._backlogs:
            message = backlog.head()
            if message is not None:
                return message
        return None

    def _lost(self, body_bytes: int) -> None:
        self.ready_bytes -= body_bytes

    def _take_head(self) -> None:
        for backlog in self._backlogs:
            if backlog.entries:
                self.ready_bytes -= size_of(backlog.entries.popleft())
                return

    # Settling

    def acknowledge(self, message: Message) -> None:
        self._unacked_count -= 1
        if self.store_id or self._returned or self._failures:
            self._settle(message)

    def discard(self, message: Message) -> None:
        self._unacked_count -= 1
        if self._closed:
            self._settle(message)
        else:
            self._bury(message, REJECTED)

    def requeue(self, messages: Iterable[Message], *, failed: bool = True) -> None:
        returned = self._returned
        limit = self.rules.delivery_limit
        for message in messages:
            self._unacked_count -= 1
            sequence = message.sequence
            if failed and limit is not None and not self._closed:
                failures = self._failures.get(sequence, 0) + 1
                if 0 <= limit < failures:
                    self._bury(message, DELIVERY_LIMIT)
                    continue
                self._failures[sequence] = failures
                if self.store_id and (message.properties.persistent or self.stores_transient):
                    self.vhost.broker.store.count_failures(self.store_id, message, failures)
            if message.properties.expiration is not None:
                self.expects_expiry()
            returned[sequence] = returned.get(sequence, 0) + 1
            self._returning.append(message)
            self.ready_bytes += message.body_size
        if self._closed:
            self.purge()
        else:
            self.mark_dirty()

    @property
    def consumer_timeout_ms(self) -> int | None:
        return self.rules.consumer_timeout_ms

    @property
    def counts_deliveries(self) -> bool:
        return self.rules.delivery_limit is not None

    def failures(self, message: Message) -> int:
        """Failed deliveries of a message so far, for the header x-delivery-count; 0 where nobody counts."""
        return self._failures.get(message.sequence, 0)

    def returns(self, message: Message) -> int:
        """How often a message has come back, for the header x-acquired-count; forgotten over a restart."""
        return self._returned.get(message.sequence, 0)

    def _note_ready(self) -> None:
        """Tell the store what is with consumers, in case the broker crashes now.

        With priorities that is what comes before the first ready message of any priority; there may be more.  Nothing
        is known where that message is not stored.
        """
        heads = [backlog.entries[0] for backlog in self._backlogs if backlog.entries]
        first = min(heads, key=sequence_of) if heads else None
        entry = position_of(first) if isinstance(first, int) else first
        if isinstance(entry, Message) and not (self.stores_transient or entry.properties.persistent):
            entry = 0
        if entry != self._noted_ready if first is not None else self._unacked_count:
            self._noted_ready = entry
            self.vhost.broker.store.note_ready_from(self.store_id, entry)

    def purge(self) -> int:
        if self._returning:
            self._merge_returning()
        positions: list[int] = []
        count = 0
        for backlog in self._backlogs:
            for entry in backlog.clear():
                count += 1
                if isinstance(entry, int):
                    positions.append(position_of(entry))
                    self._returned.pop(sequence_of(entry), None)
                    self._failures.pop(sequence_of(entry), None)
                else:
                    self._settle(entry)
        if positions:
            self.vhost.broker.store.settle_positions(self.store_id, positions)
        self.ready_bytes = 0
        if self.store_id and self.rules.delivery_limit is not None:
            self._note_ready()
        return count

    def close(self) -> None:
        self.purge()
        self._closed = True
        if self.store_id:
            self.vhost.broker.store.forget_queue(self.store_id)
        self.vhost.broker.crowded_queues.discard(self)
        for deadline in (self._expiry, self._unused):
            if deadline is not None:
                deadline.cancel()

    def _bury(self, message: Message, reason: str) -> None:
        """The message leaves the queue for its dead letter exchange, if there is one."""
        dead_letter(self, self.rules, message, reason)
        self._settle(message)

    def _settle(self, message: Message) -> None:
        if self._returned:
            self._returned.pop(message.sequence, None)
        if self._failures:
            self._failures.pop(message.sequence, None)
        if self.store_id and (message.properties.persistent or self.stores_transient):
            self.vhost.broker.store.settle(self.store_id, message)

    def _merge_returning(self) -> None:
        returning = self._returning
        self._returning = []
        if len(self._backlogs) == 1:
            self._backlog.merge(returning)
            return
        by_level: dict[int, list[Message]] = {}
        for message in returning:
            by_level.setdefault(self._level(message), []).append(message)
        for level, messages in by_level.items():
            self._backlogs[level].merge(messages)

    # Rules

    def apply_policy(
        self,
        effective: Mapping[str, JSON],
        policy_name: str | None,
        operator_policy_name: str | None,
    ) -> None:
        super().apply_policy(effective, policy_name, operator_policy_name)
        before = self.rules
        self.rules = self.with_defaults(effective_rules(self._own_rules, self.arguments, effective))
        if self.rules.expires_ms != before.expires_ms:
            # A new expiry begins now; else one would delete at once whatever has been idle for longer.
            self.used_at_ms = self.vhost.broker.now_ms
        if self.rules.delivery_limit is None and before.delivery_limit is not None and self.store_id:
            self._noted_ready = 0
            self.vhost.broker.store.note_ready_from(self.store_id, 0)
        if self.rules.consumer_timeout_ms != before.consumer_timeout_ms:
            for consumer in self.consumers:
                self.vhost.broker.ack_timeouts.added(consumer)
        self._rules_changed()
        self.mark_dirty()

    def _rules_changed(self) -> None:
        rules = self.rules
        if rules.deduplication_size is None and rules.deduplication_ttl_ms is None:
            self._deduplication = None
        elif self._deduplication is None:
            self._deduplication = DeduplicationWindow(rules.deduplication_size, rules.deduplication_ttl_ms)
        self._govern()
        self._watch_use()

    def _govern(self) -> None:
        rules = self.rules
        self._governed = (
            rules.message_ttl_ms is not None
            or rules.bounded
            or len(self._backlogs) > 1
            or self._prioritised
            or self._expecting_expiry
            or self._chooser is not None
        )

    def _deadline_ms(self, message: Message) -> int | None:
        """When a message expires: by the queue's TTL or its own, whichever is earlier."""
        ttl_ms = self.rules.message_ttl_ms
        own = message.properties.expiration
        if own is not None:
            own_ms = int(own)
            ttl_ms = own_ms if ttl_ms is None else min(ttl_ms, own_ms)
        return None if ttl_ms is None else message.published_at_ms + ttl_ms

    def _drop_head(self, message: Message, reason: str) -> None:
        """The head leaves without being delivered."""
        self._take_head()
        self._bury(message, reason)

    def _enforce_limits(self) -> None:
        """What is left after delivering: expire heads that are due, drop what is too much, set the timer."""
        rules = self.rules
        expires = rules.message_ttl_ms is not None or self._expecting_expiry
        if expires:
            self._expire_heads()
        if rules.bounded and not rules.refuses and self._drop_excess() and expires:
            # There are other heads now.
            self._expire_heads()

    def _expire_heads(self) -> None:
        now_ms = self.vhost.broker.now_ms
        next_ms: int | None = None
        for backlog in self._backlogs:
            message = backlog.head()
            while message is not None:
                deadline_ms = self._deadline_ms(message)
                if deadline_ms is None:
                    break
                if deadline_ms > now_ms:
                    next_ms = deadline_ms if next_ms is None else min(next_ms, deadline_ms)
                    break
                self.ready_bytes -= size_of(backlog.entries.popleft())
                self._bury(message, EXPIRED)
                message = backlog.head()
        if next_ms is None and not self.ready_count:
            self._expecting_expiry = False
            self._govern()
        self._set_expiry(next_ms)

    def _set_expiry(self, at_ms: int | None) -> None:
        if self._expiry is not None and self._expiry.is_pending:
            if at_ms == self._expiry_at_ms:
                return
            self._expiry.cancel()
        self._expiry = None
        if at_ms is not None:
            self._expiry_at_ms = at_ms
            self._expiry = self.vhost.broker.deadlines.schedule(at_ms, lambda now_ms: self.mark_dirty())

    def _drop_excess(self) -> bool:
        """Keep the limits; True when something had to go."""
        rules = self.rules
        order = reversed(self._backlogs) if rules.drop_lowest_first else iter(self._backlogs)
        before = count = self.ready_count
        for backlog in order:
            while backlog.entries and (
                (rules.max_length is not None and count > rules.max_length)
                or (rules.max_length_bytes is not None and self.ready_bytes > rules.max_length_bytes)
            ):
                message = backlog.head()
                if message is None:
                    break
                self.ready_bytes -= size_of(backlog.entries.popleft())
                count -= 1
                self._bury(message, MAXLEN)
        return count < before

    # Consumers

    def add_consumer(self, consumer: Consumer) -> None:
        """Register a consumer.

        Raises AccessRefused (403) when it asks for exclusivity that can't be had, or another one has it (A.5), and
        PreconditionFailed (406) for invalid arguments.
        """
        check_consumer_arguments(self.description, self.type_name, consumer.arguments)
        single = self.rules.single_active_consumer
        if self.exclusive_consumer is not None or (consumer.exclusive and (self.consumers or single)):
            raise AccessRefused(
                f"{self.description} in exclusive use: another consumer is on it, or only one may be active; "
                "cancel that one first, or consume without the exclusive flag"
            )
        if consumer.exclusive:
            self.exclusive_consumer = consumer
        self.consumers.append(consumer)
        if consumer.priority and not self._prioritised:
            self._prioritised = True
            self._govern()
        if single and self._single is not None:
            consumer.parked = True
            return
        if single:
            self._single = consumer
        self._activate(consumer)

    def _activate(self, consumer: Consumer) -> None:
        """Let a consumer have messages as soon as it can take them."""
        consumer.parked = True
        if consumer.can_take():
            self.resume(consumer)
        else:
            consumer.resume()

    def remove_consumer(self, consumer: Consumer) -> None:
        consumer.active = False
        self.used_at_ms = self.vhost.broker.now_ms
        if consumer in self.consumers:
            self.consumers.remove(consumer)
        if consumer in self._available:
            self._available.remove(consumer)
        if self.exclusive_consumer is consumer:
            self.exclusive_consumer = None
        if self._single is consumer:
            # The next one is the first of those with the highest priority (A.7).
            self._single = max(self.consumers, key=lambda each: each.priority, default=None)
            if self._single is not None:
                self._activate(self._single)
        if self._prioritised and not any(each.priority for each in self.consumers):
            self._prioritised = False
            self._govern()
        if not self.consumers:
            self._watch_use()

    def park(self, consumer: Consumer) -> None:
        if consumer in self._available:
            self._available.remove(consumer)
            consumer.parked = True

    def resume(self, consumer: Consumer) -> None:
        if not consumer.parked or not consumer.active:
            return
        if self._single is not None and consumer is not self._single:
            return
        consumer.parked = False
        if self._prioritised:
            self._available.appendleft(consumer)
            self._next_turn()
        else:
            self._available.append(consumer)
        self.mark_dirty()

    def is_active(self, consumer: Consumer) -> bool:
        """False for those that wait behind a single active consumer."""
        return self._single is None or consumer is self._single

    # Expiry of the queue itself

    def used(self) -> None:
        """A redeclaration or poll: the queue's own expiry starts over."""
        self.used_at_ms = self.vhost.broker.now_ms

    def _watch_use(self) -> None:
        expires_ms = self.rules.expires_ms
        if self._unused is not None:
            self._unused.cancel()
            self._unused = None
        if expires_ms is not None and not self.consumers and not self._closed:
            self._unused = self.vhost.broker.deadlines.schedule(self.used_at_ms + expires_ms, self._check_use)

    def _check_use(self, now_ms: int) -> None:
        expires_ms = self.rules.expires_ms
        if self.consumers or expires_ms is None or self._closed:
            return
        if self.used_at_ms + expires_ms <= now_ms:
            self.vhost.broker.expire_queue(self)
        else:
            self._watch_use()

    # Restart

    def restore(self, tickets: Iterable[int], *, redelivered_until: int, failures: Mapping[int, int]) -> None:
        """Fill the queue after a restart with tickets in queue order.

        Messages up to the sequence `redelivered_until` may have been delivered before the restart.  failures: failed
        deliveries by sequence; what a crash made too many of them leaves once all queues are restored.
        """
        self._redelivered_until = redelivered_until
        limit = self.rules.delivery_limit
        self._failures = dict(failures)
        spent: list[int] = []
        for ticket in tickets:
            if failures and limit is not None and 0 <= limit < self._failures.get(sequence_of(ticket), 0):
                spent.append(ticket)
                continue
            self._backlog.add_ticket(ticket)
            self.ready_bytes += size_of(ticket)
        if spent:
            self.vhost.broker.at_end_of_batch(partial(self._bury_spent, spent))
        if len(self._backlogs) > 1:
            self._sort_into_levels()
        # Their records know whether they expire; until they have been looked at, they may.
        self._expecting_expiry = True
        self._govern()
        self.mark_dirty()

    def _bury_spent(self, tickets: list[int]) -> None:
        """Messages that were with consumers when the broker crashed, which was once too often."""
        buried = Backlog(self.description, self.vhost.broker.store, self.store_id, self._lost)
        for ticket in tickets:
            buried.add_ticket(ticket)
            self.ready_bytes += size_of(ticket)
        try:
            while not self._closed and (message := buried.head()) is not None:
                self.ready_bytes -= size_of(buried.entries.popleft())
                self._bury(message, DELIVERY_LIMIT)
        except StoreUnavailable as error:
            _log.error("%s waits for its messages: %s", self.description, error.text)
        left = [entry for entry in buried.entries if isinstance(entry, int)]
        self.ready_bytes -= sum(map(size_of, left))
        if self._closed:
            self.vhost.broker.store.settle_positions(self.store_id, [position_of(ticket) for ticket in left])
        elif left:
            at_ms = self.vhost.broker.now_ms + READ_AGAIN_MS
            self.vhost.broker.deadlines.schedule(at_ms, lambda now_ms: self._bury_spent(left))

    def _sort_into_levels(self) -> None:
        """Priorities are in the records: read them all once, and keep in memory but the heads."""
        everything, self._backlog = self._backlog, self._new_backlog()
        self._backlogs[0] = self._backlog
        self._ready = self._backlog.entries
        resident_bytes = [0] * len(self._backlogs)
        while (message := everything.head()) is not None:
            everything.entries.popleft()
            level = self._level(message)
            backlog = self._backlogs[level]
            if len(backlog.entries) < RESIDENT_HEAD_MESSAGES and resident_bytes[level] < RESIDENT_HEAD_BYTES:
                backlog.entries.append(message)
                resident_bytes[level] += message.body_size
            else:
                backlog.add_ticket(make_ticket(message.sequence, message.body_size, message.position))
        self.vhost.broker.crowded_queues.add(self)

    def page_out(self) -> None:
        """Let messages leave memory that are safely on disk, behind the heads."""
        for backlog in self._backlogs:
            backlog.page_out()

    def delivered_position(self) -> int:
        if self._returning:
            self._merge_returning()
        if not self._returned and not self._redelivered_until:
            return 0
        last = 0
        for backlog in self._backlogs:
            for entry in backlog.entries:
                sequence = sequence_of(entry)
                if sequence <= self._redelivered_until or sequence in self._returned:
                    last = max(last, self._position_here(entry))
        return last

    def _position_here(self, entry: Entry) -> int:
        """The log position of what this queue stores, 0 for what it doesn't, even if another queue does."""
        stored = isinstance(entry, int) or self.stores_transient or entry.properties.persistent
        return position_of(entry) if stored else 0
