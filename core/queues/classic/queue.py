"""The classic queue: messages in the order of their publishing, or of their priorities, on one node.

Theory of operation
-------------------
Ready messages are in a `Backlog` (one per priority for x-max-priority), whose deque the hot path works on directly.
Everything else has an owner of its own: whose turn it is (`ConsumerRing`), what came back (`Returns`), what expires
(`MessageExpiry`, `Disuse`), what may come in and how much may stay (`Bounds`), and the way through a restart
(restart.py).

`drain` is written twice.  plain.py is the hot path and knows none of the rules.  governed.py serves queues with TTLs,
lengths, priorities or tracing: it looks at the head before every delivery, and afterwards enforces what is left.  All
limits are enforced there, at the end of a batch, when consumers had their chance: a queue of length 0 therefore still
delivers to whoever is waiting.

For types derived from it
-------------------------
Quorum queues, priority queues and the queues of MQTT sessions are classic queues with something more.  What they may
rest on has no underscore; the rest may change.

    prepare, read_rules, with_defaults      hooks of the constructor
    bury, settle                            every message leaves by one of them: override `bury`, call `settle`
    contents.trim                           drops ready messages from the tail
    level_of, backlogs, entries             where a message is put; `entries` is all that is ready of a queue without
                                            priorities, once `drain` has run
    turns                                   says which backlog is next; None for strictly the first
    ring                                    the consumers; `activate` serves one as soon as it can take something
    use_chooser                             lets something else than turns say who is served
    mark_dirty                              has the queue drained at the end of this batch
    closed, draining                        it is deleted; `drain` is under way

Longer than 400 lines because settling, returning and rules share the same few counters.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, ClassVar

from warren.core.compiled import mypyc_attr
from warren.core.errors import BrokerError, ResourceLocked, StoreUnavailable
from warren.core.messages.message import Message
from warren.core.queues.answer import Answer, Polled, ignore
from warren.core.queues.backlog import MESSAGE_OVERHEAD_BYTES, Backlog, sequence_of
from warren.core.queues.base import Admission, Queue, Stored
from warren.core.queues.classic import contents, governed, plain, restart
from warren.core.queues.classic.bounds import Bounds, exceeds
from warren.core.queues.classic.burials import DEAD_LETTER_WORK, Burials
from warren.core.queues.classic.columns import COLUMNS
from warren.core.queues.classic.consumer_ring import ConsumerRing
from warren.core.queues.classic.expiry import Disuse, MessageExpiry
from warren.core.queues.classic.long_return import ClassicReturn
from warren.core.queues.classic.presence import Presence
from warren.core.queues.classic.returns import Returns
from warren.core.queues.classic.rules import (
    CLASSIC_ARGUMENTS,
    COMMON_ARGUMENTS,
    QueueRules,
    effective_rules,
    rules_from_arguments,
    within,
)
from warren.core.queues.dead_letter import dead_letter
from warren.core.queues.deaths import REJECTED
from warren.core.queues.demand import Demand
from warren.core.queues.registry import check_consumer_arguments, register
from warren.core.queues.withheld import REFUSAL

if TYPE_CHECKING:
    from warren.core.clients.client import Client
    from warren.core.queues.argument import Argument
    from warren.core.queues.buffer import Buffer
    from warren.core.queues.classic.chooser import Chooser
    from warren.core.queues.classic.turns_of_classes import TurnsOfClasses
    from warren.core.queues.consumer import Consumer
    from warren.core.queues.returning import LongReturn
    from warren.core.queues.withheld import Withheld
    from warren.core.routing.receipt import Receipt
    from warren.core.storage.definitions.store import JSON

_log = logging.getLogger("warren.queue")


@mypyc_attr(allow_interpreted_subclasses=True)
class ClassicQueue(Queue):
    """RabbitMQ's classic queue; see the head of this file.

    rules: what arguments and policies ask for, together.  noted_ready: what the store knows to be the first ready
    message (restart.py).  present: what is in a queue that drops duplicates of it; None for others.  grown: how many
    messages have become ready by what was rejected since `drain` began.
    withheld: the answers that it owes (core.queues.withheld); None where publishes are answered at once.  remembers:
    something may be kept of messages that are in the queue, so that `settle` has to forget it.
    """

    __slots__ = (
        "_bounds",
        "_buffer",
        "_disuse",
        "_failures",
        "_governed",
        "_own_rules",
        "_return_counts",
        "_returning",
        "_ruled",
        "backlogs",
        "burials",
        "closed",
        "demand",
        "draining",
        "entries",
        "expiry",
        "grown",
        "noted_ready",
        "present",
        "remembers",
        "returned",
        "ring",
        "rules",
        "turns",
        "withheld",
    )

    type_name = "classic"
    columns = COLUMNS
    known_arguments: ClassVar[tuple[Argument, ...]] = (*COMMON_ARGUMENTS, *CLASSIC_ARGUMENTS)

    def prepare(self) -> None:
        self._own_rules = self.read_rules()
        self.withheld: Withheld | None = None
        self.remembers = False
        self._buffer = self.vhost.buffers.get(self.name)
        self.rules: QueueRules = self._rules_under({})
        self.backlogs = [self.new_backlog() for _ in range((self.rules.max_priority or 0) + 1)]
        self.turns: TurnsOfClasses | None = None
        self.entries = self.backlogs[0].entries
        self.closed = self.draining = False
        self.demand: Demand | None = None
        self.grown = 0
        self.ring = ConsumerRing(self.consumers)
        self.returned = Returns()
        self.expiry = MessageExpiry()
        self._disuse = Disuse(self.vhost.broker.now_ms)
        self._bounds = Bounds()
        self.burials = Burials()
        self.present = Presence() if self.rules.deduplicates_present else None
        self.noted_ready: Message | int | None = 0
        # The same objects, at hand for what runs once per message or batch.
        self._returning = self.returned.waiting
        self._return_counts = self.returned.counts
        self._failures = self.returned.failures
        self._governed = self._ruled = False
        self._rules_changed()
        self._withhold()

    def new_backlog(self) -> Backlog:
        """An empty row of messages that are this queue's."""
        broker, keeps_all = self.vhost.broker, self.stores_transient
        store, paging = broker.store, broker.paging
        return Backlog(self.description, store, self.store_id, self._lost, stores_transient=keeps_all, paging=paging)

    def read_rules(self) -> QueueRules:
        """The rules in the declaration's arguments; PreconditionFailed (406) for invalid ones."""
        return rules_from_arguments(self.description, self.arguments)

    def with_defaults(self, rules: QueueRules) -> QueueRules:
        """`rules`, with what this type does where neither arguments nor policies say anything."""
        return rules

    # Counting

    @property
    def ready_count(self) -> int:
        returned = self.returned
        return sum(len(backlog.entries) for backlog in self.backlogs) + len(returned.waiting) + returned.aside

    @property
    def paged_count(self) -> int:
        """Ready messages whose content is on disk alone."""
        return sum(backlog.paged_count for backlog in self.backlogs)

    @property
    def resident_count(self) -> int:
        """Ready messages in memory."""
        return sum(backlog.resident_count for backlog in self.backlogs)

    @property
    def resident_bytes(self) -> int:
        """Estimated memory of the ready messages that are resident, in bytes."""
        paged_bytes = sum(backlog.paged_bytes for backlog in self.backlogs)
        return self.ready_bytes - paged_bytes + self.resident_count * MESSAGE_OVERHEAD_BYTES

    # In

    def append(self, message: Message) -> None:
        self.entries.append(message)
        self.ready_bytes += message.body_size
        if not self.dirty:
            self.dirty = True
            self.vhost.broker.dirty_queues.append(self)

    def append_all(self, messages: list[Message], size_bytes: int) -> None:
        if len(self.backlogs) > 1:
            super().append_all(messages, size_bytes)
            return
        self.entries.extend(messages)
        self.ready_bytes += size_bytes
        self.mark_dirty()

    @property
    def answers_late(self) -> bool:
        return self.withheld is not None

    @property
    def late_refusal(self) -> str:
        return "" if self.withheld is None else REFUSAL

    def append_with(self, message: Message, receipt: Receipt) -> None:
        if self.withheld is not None:
            self.withheld.keep(message.sequence, receipt)
        self.append(message)

    def drop_with(self, message: Message, receipt: Receipt) -> None:
        if self.withheld is not None:
            self.withheld.keep_duplicate(receipt)

    @property
    def has_entries_to_settle(self) -> bool:
        return self.unacked_count > 0 or bool(self.burials.leaving)

    @property
    def guarded(self) -> bool:
        return self.rules.refuses or self._bounds.seen is not None or self.present is not None

    @property
    def refuses_as_asked(self) -> bool:
        return self.rules.refuses

    def admit(self, message: Message) -> Admission:
        """Refuse a message that a full queue with reject-publish has no room for; drop a duplicate."""
        return self._bounds.admit(self, message)

    def has_no_room_for(self, message: Message) -> bool:
        return self.exceeds_with(message, 0, 0)

    def exceeds_with(self, message: Message, others: int, others_bytes: int) -> bool:
        """As `has_no_room_for`, if so many other messages of so many bytes count beside those that are ready."""
        rules = self.rules
        return rules.refuses and exceeds(
            rules, self.ready_count + others + 1, self.ready_bytes + others_bytes + message.body_size
        )

    def expects_expiry(self) -> None:
        self.expiry.expecting = True
        self._governed = self._ruled = True
        self.mark_dirty()

    def level_of(self, message: Message) -> int:
        """The index of the backlog for a message's priority, the highest first."""
        top = len(self.backlogs) - 1
        return top - min(message.properties.priority or 0, top)

    # Out

    def drain(self) -> None:
        if self._returning:
            self.returned.merge(self)
        self.draining = True
        try:
            if not self._governed and not self.vhost.tracing:
                plain.drain(self)
            elif self.returned.placing is not None:
                return
            else:
                self._drain_otherwise()
        except StoreUnavailable as error:
            _log.error("%s waits for its messages: %s", self.description, error.text)
            self.vhost.broker.deadlines.schedule(
                self.vhost.broker.now_ms + restart.READ_AGAIN_MS, lambda now_ms: self.mark_dirty()
            )
        finally:
            self.draining = False
        if self.store_id and self.rules.delivery_limit is not None:
            restart.note_ready(self)
        if self.store_id:
            broker = self.vhost.broker
            if self.ready_bytes > broker.paging.head_bytes or self.resident_count > broker.paging.head_messages:
                broker.crowded_queues.add(self)

    def _drain_otherwise(self) -> None:
        """Under rules, for who watches the demand, or while consumers sleep."""
        if self.ring.sleepers and self.ready_count:
            sleepers, self.ring.sleepers = self.ring.sleepers, {}
            self.govern()
            for consumer in sleepers:
                consumer.resume()
        if self._ruled or self.vhost.tracing:
            governed.drain(self)
            governed.enforce_limits(self)
        else:
            plain.drain(self)
        if self.demand is not None:
            self.demand.note(wanted=not self.ready_count and self.ring.spares)

    def merge_returning(self) -> None:
        """Put what came back in its places, so that the backlogs hold all that is ready."""
        self.returned.finish(self)

    def was_delivered(self, message: Message) -> bool:
        return message.sequence <= self.returned.redelivered_until or message.sequence in self._return_counts

    def _lost(self, sequence: int, body_bytes: int) -> None:
        self.forget(sequence)
        self.ready_bytes -= body_bytes
        self.counts.remove(1, body_bytes)

    def get(
        self, answer: Answer[Polled], *, no_ack: bool, client: Client | None = None, channel_number: int = 0
    ) -> None:
        poll = partial(self.poll, no_ack=no_ack, client=client, channel_number=channel_number)
        if self._returning:
            self.returned.merge(self)
        if self.returned.placing is not None:
            self.returned.when_whole(lambda: answer(_or_error(poll)))
        else:
            answer(poll())

    def poll(self, *, no_ack: bool, client: Client | None = None, channel_number: int = 0) -> Polled:
        """What `get` answers; ResourceLocked (405) where a single active consumer has the queue."""
        if self.rules.single_active_consumer:
            raise ResourceLocked(
                f"cannot obtain access to locked {self.description}. basic.get operations are not supported by "
                f"{self.type_name} queues with single active consumer"
            )
        self._disuse.used_at_ms = self.vhost.broker.now_ms
        self.merge_returning()
        found = governed.poll(self, client, channel_number)
        counts = self.counts
        if found is None:
            counts.get_empty += 1
            return None
        counts.delivered_bytes += found[0].body_size
        counts.redeliver += found[1]
        if no_ack:
            counts.get_no_ack += 1
            self.settle(found[0])
        else:
            counts.get += 1
            self.unacked_count += 1
        if self._governed or self.rules.delivery_limit is not None:
            self.mark_dirty()
        return found

    def browse(self, start: int, count: int) -> Iterator[Message]:
        self.merge_returning()
        return contents.browse(self.backlogs, start, count)

    # Settling

    def acknowledge(self, message: Message) -> None:
        self.unacked_count -= 1
        if self.store_id or self.remembers:
            self.settle(message)

    def discard(self, message: Message) -> None:
        self.unacked_count -= 1
        self.counts.rejected += 1
        if self.closed:
            self.settle(message)
        else:
            ready_count = len(self.entries)
            self.bury(message, REJECTED)
            self.grown += len(self.entries) - ready_count

    def reclaim(self, message: Message) -> bool:
        if self.closed:
            return False
        self.unacked_count += 1
        if self.store_id and (message.properties.persistent or self.stores_transient):
            self.vhost.broker.store.append(message, (self.store_id,))
        return True

    def requeue(self, messages: Iterable[Message], *, failed: bool = True) -> None:
        self.returned.take_back(self, messages, failed=failed)
        if self.closed:
            self.drop_ready()
        else:
            self.mark_dirty()

    def begin_return(self) -> LongReturn:
        return ClassicReturn(self)

    def all_came_back(self) -> None:
        """A long return is over; what has come is there, or soon will be."""
        if not self.closed:
            self.mark_dirty()

    @property
    def discard_work(self) -> int:
        return 1 if self.rules.dead_letter_exchange is None else DEAD_LETTER_WORK

    @property
    def consumer_timeout_ms(self) -> int | None:
        return self.rules.consumer_timeout_ms

    @property
    def counts_deliveries(self) -> bool:
        return self.rules.delivery_limit is not None

    def failures(self, message: Message) -> int:
        return self._failures.get(message.sequence, 0)

    def returns(self, message: Message) -> int:
        return self._return_counts.get(message.sequence, 0)

    def bury(self, message: Message, reason: str) -> None:
        """The message leaves the queue for its dead letter exchange, if there is one."""
        dead_letter(self, self.rules, message, reason)
        self.settle(message)

    def settle(self, message: Message) -> None:
        """The message has left: nothing is remembered of it, nor stored."""
        if self.remembers:
            self._left(message.sequence)
        if self.store_id and (message.properties.persistent or self.stores_transient):
            self.vhost.broker.store.settle(self.store_id, message)

    def forget(self, sequence: int) -> None:
        """Nothing is remembered of a message that has left without being in memory; its entry is settled elsewhere."""
        if self.remembers:
            self._left(sequence)
        if self.present:
            self.present.leave(sequence)

    def _left(self, sequence: int) -> None:
        self.returned.forget(sequence)
        if self.withheld is not None:
            self.withheld.gone(sequence)
        elif not (self._return_counts or self._failures):
            self.remembers = False

    def purge(self, answer: Answer[int]) -> None:
        count = self.drop_ready()
        if self.present is not None and self.burials.leaving:
            # Until it is settled, what has left is dropped as a duplicate: as if it were published before the purge.
            self.burials.leaving.append((iter(()), lambda: answer(count)))
        else:
            answer(count)

    def drop_ready(self) -> int:
        """Drop all ready messages; how many.  Many are settled in later turns."""
        count = contents.purge(self)
        if self.store_id and self.rules.delivery_limit is not None:
            restart.note_ready(self)
        return count

    def close(self, answer: Answer[int] = ignore) -> None:
        count = self.drop_ready()
        self.closed = True
        if self.store_id:
            self.vhost.broker.store.forget_queue(self.store_id)
        self.vhost.broker.crowded_queues.discard(self)
        self.expiry.stop()
        self._disuse.stop()
        if self.withheld is not None:
            self.withheld.give_up(self.vhost.broker.chores.add)
        answer(count)

    # Rules

    def apply_policy(
        self, effective: Mapping[str, JSON], policy_name: str | None, operator_policy_name: str | None
    ) -> None:
        super().apply_policy(effective, policy_name, operator_policy_name)
        before = self.rules
        self.rules = self._rules_under(effective)
        if self.rules.expires_ms != before.expires_ms:
            # A new expiry begins now; else one would delete at once whatever has been idle for longer.
            self._disuse.used_at_ms = self.vhost.broker.now_ms
        if self.rules.delivery_limit is None and before.delivery_limit is not None and self.store_id:
            self.noted_ready = 0
            self.vhost.broker.store.note_ready_from(self.store_id, 0)
        if self.rules.consumer_timeout_ms != before.consumer_timeout_ms:
            for consumer in self.consumers:
                self.vhost.broker.ack_timeouts.added(consumer)
        self._rules_changed()
        self.mark_dirty()

    def _rules_under(self, effective: Mapping[str, JSON]) -> QueueRules:
        """What counts under an effective policy, and under the quota of whoever has the queue for a buffer."""
        rules = self.with_defaults(effective_rules(self._own_rules, self.arguments, effective))
        return rules if self._buffer is None else within(rules, self._buffer)

    def use_buffer(self, buffer: Buffer | None) -> None:
        self._buffer = buffer
        self.rules = self._rules_under(self.effective_policy)
        self._withhold()
        self._rules_changed()
        self.mark_dirty()
        self.vhost.changed()

    def _withhold(self) -> None:
        """Answer publishes later from now on, or no more, as the buffer says."""
        before = self.withheld
        self.withheld = None if self._buffer is None else self._buffer.withheld
        if self.withheld is not None and self.withheld is not before:
            self.remembers = True
            self.mark_last()
            self.govern()

    def mark_last(self) -> None:
        """Tell what withholds answers which message is the last, though nobody waits for its (core.queues.withheld)."""
        last = max((sequence_of(backlog.entries[-1]) for backlog in self.backlogs if backlog.entries), default=None)
        if self.withheld is not None and last is not None:
            self.withheld.mark_last(last)

    def use_chooser(self, chooser: Chooser | None) -> None:
        """Let it say whose turn it is; None for turns."""
        self.ring.chooser = chooser
        self.govern()

    def _rules_changed(self) -> None:
        self.expiry.ttl_ms = self.rules.message_ttl_ms
        self._bounds.rules_changed(self.rules)
        self.govern()
        self._disuse.watch(self)

    def govern(self) -> None:
        """Whether the hot path will do."""
        self._ruled = (
            self.expiry.applies
            or self.rules.bounded
            or len(self.backlogs) > 1
            or self.ring.prioritised
            or self.ring.chooser is not None
            or self.present is not None
            or self.withheld is not None
            or self.returned.placing is not None
        )
        self._governed = self._ruled or self.demand is not None or bool(self.ring.sleepers)

    # Consumers

    def add_consumer(self, consumer: Consumer) -> None:
        """Register a consumer.

        Raises AccessRefused (403) when it asks for exclusivity that can't be had, or another one has it (A.5), and
        PreconditionFailed (406) for invalid arguments.
        """
        check_consumer_arguments(self, consumer.arguments)
        serves = self.ring.add(consumer, self.description, single_active=self.rules.single_active_consumer)
        self.govern()
        if serves:
            self.activate(consumer)

    def activate(self, consumer: Consumer) -> None:
        """Let a consumer have messages as soon as it can take them."""
        consumer.parked = True
        consumer.resume()

    def remove_consumer(self, consumer: Consumer) -> None:
        consumer.active = False
        self._disuse.used_at_ms = self.vhost.broker.now_ms
        following = self.ring.remove(consumer)
        if following is not None:
            self.activate(following)
        self.govern()
        if not self.consumers:
            self._disuse.watch(self)
        if self.demand is not None:
            self.mark_dirty()

    def park(self, consumer: Consumer) -> None:
        self.ring.park(consumer)
        if self.demand is not None:
            self.mark_dirty()

    def resume(self, consumer: Consumer) -> None:
        if self.ring.resume(consumer):
            self.mark_dirty()

    def sleep(self, consumer: Consumer) -> bool:
        self.ring.sleepers[consumer] = None
        self._governed = True
        return True

    def is_active(self, consumer: Consumer) -> bool:
        return self.ring.is_active(consumer)

    def watch_demand(self, watch: Callable[[bool], None]) -> bool:
        if self.demand is None:
            self.demand = Demand()
            self.govern()
        self.demand.add(watch)
        self.mark_dirty()
        return True

    def unwatch_demand(self, watch: Callable[[bool], None]) -> None:
        if self.demand is not None:
            self.demand.remove(watch)
            if not self.demand:
                self.demand = None
                self.govern()

    @property
    def spare_credit(self) -> int:
        takers = chain(self.ring.available, self.ring.sleepers)
        return sum(consumer.spare_credit for consumer in takers if consumer.priority >= 0)

    def used(self) -> None:
        self._disuse.used_at_ms = self.vhost.broker.now_ms

    # Restart

    def restore(self, stored: Stored) -> None:
        restart.restore(self, stored)
        self.govern()
        self.mark_dirty()

    def page_out(self) -> None:
        for backlog in self.backlogs:
            backlog.page_out()

    def delivered_position(self) -> int:
        self.merge_returning()
        return restart.delivered_position(self)


def _or_error(poll: Callable[[], Polled]) -> Polled | BrokerError:
    """What comes of a poll in a later turn."""
    try:
        return poll()
    except BrokerError as error:
        return error


register(ClassicQueue)
