"""The classic queue: messages in the order of their publishing, or of their priorities, on one node.

Theory of operation
-------------------
Ready messages are in a `Backlog` (one per priority for x-max-priority), whose deque the hot path works on directly.
Everything else has an owner of its own: whose turn it is (`ConsumerRing`), what came back (`Returns`), what expires
(`MessageExpiry`, `Disuse`), what may come in and how much may stay (`Bounds`).  The ways through a restart, of a change
of rules and of basic.get have modules of their own (restart.py, ruling.py, polling.py).

`drain` is written twice.  plain.py is the hot path and knows none of the rules.  governed.py serves queues with TTLs,
lengths, priorities, or somebody who looks at each message: it looks at the head before every delivery, and afterwards
enforces what is left.  All limits are enforced there, at the end of a batch, when consumers had their chance: a queue
of length 0 therefore still delivers to whoever is waiting.

For types derived from it
-------------------------
Quorum queues, priority queues and the queues of MQTT sessions are classic queues with something more.  What they may
rest on has no underscore; the rest may change.

    prepare, read_rules, with_defaults      hooks of the constructor
    bury, settle                            every message leaves by one of them: override `bury`, call `settle`
    contents.trim                           drops ready messages from the tail
    level_of, backlogs, entries             where a message is put; `entries` is all that is ready of a queue without
                                            priorities, once `drain` has run
    row_of                                  the index of the backlog that many messages at once go to (`append_all`)
    turns                                   says which backlog is next; None for strictly the first
    picking                                 says what is next for a consumer; None where that is the first
    ring                                    the consumers; `activate` serves one as soon as it can take something
    use_chooser                             lets something else than turns say who is served
    mark_dirty                              has the queue drained at the end of this batch
    closed, draining                        it is deleted; `drain` is under way
    is_cut                                  the latest `drain` was too long for a turn, so that consumers may still have
                                            room, and nothing that is left is too much yet; another turn goes on with it

Longer than 400 lines because settling, returning and rules share the same few counters.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, ClassVar

from warren.core.compiled import mypyc_attr
from warren.core.errors import PreconditionFailed, StoreUnavailable
from warren.core.messages.message import Message
from warren.core.queues import observing
from warren.core.queues.answer import Answer, Polled, ignore
from warren.core.queues.argument import CONSUMER_ARGUMENTS, FILTER_ARGUMENT
from warren.core.queues.backlog import MESSAGE_OVERHEAD_BYTES, Backlog
from warren.core.queues.base import Admission, Queue, Stored
from warren.core.queues.classic import contents, governed, picking, plain, polling, restart, ruling, watched, watching
from warren.core.queues.classic.bounds import Bounds, exceeds
from warren.core.queues.classic.burials import LARGE_PROPERTIES_BYTES, Burials, dead_letter_work
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
    rules_from_arguments,
)
from warren.core.queues.dead_letter import dead_letter
from warren.core.queues.deaths import REJECTED
from warren.core.queues.demand import Demand
from warren.core.queues.filtering import use_filter
from warren.core.queues.registry import check_consumer_arguments, register
from warren.core.queues.weight import Weight
from warren.core.queues.withheld import REFUSAL

if TYPE_CHECKING:
    from warren.core.clients.client import Client
    from warren.core.queues.argument import Argument
    from warren.core.queues.buffer import Buffer
    from warren.core.queues.classic.chooser import Chooser
    from warren.core.queues.classic.picking import Picking
    from warren.core.queues.classic.turns_of_classes import TurnsOfClasses
    from warren.core.queues.consumer import Consumer
    from warren.core.queues.outlook import Outlook
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
    something may be kept of messages that are in the queue, so that `settle` has to forget it, or somebody is
    to hear that they have left.
    """

    __slots__ = (
        "_failures",
        "_return_counts",
        "_returning",
        "backlogs",
        "bounds",
        "buffer",
        "burials",
        "closed",
        "demand",
        "disuse",
        "draining",
        "entries",
        "expiry",
        "governed",
        "grown",
        "is_cut",
        "noted_ready",
        "own_rules",
        "picking",
        "present",
        "remembers",
        "returned",
        "ring",
        "ruled",
        "rules",
        "turns",
        "withheld",
    )

    type_name = "classic"
    columns = COLUMNS
    known_arguments: ClassVar[tuple[Argument, ...]] = (*COMMON_ARGUMENTS, *CLASSIC_ARGUMENTS)
    consumer_arguments: ClassVar[tuple[Argument, ...]] = (*CONSUMER_ARGUMENTS, FILTER_ARGUMENT)

    def prepare(self) -> None:
        self.own_rules = self.read_rules()
        self.withheld: Withheld | None = None
        self.remembers = False
        self.buffer = self.vhost.buffers.get(self.name)
        self.rules: QueueRules = ruling.rules_under(self, {})
        self.backlogs = [self.new_backlog() for _ in range((self.rules.max_priority or 0) + 1)]
        self.turns: TurnsOfClasses | None = None
        self.picking: Picking | None = None
        if self.rules.group_by is not None:
            self.picking = picking.by_groups(self.rules.group_by)
            self.remembers = True
        self.entries = self.backlogs[0].entries
        self.closed = self.draining = self.is_cut = False
        self.demand: Demand | None = None
        self.grown = 0
        self.ring = ConsumerRing(self.consumers)
        self.returned = Returns()
        self.expiry = MessageExpiry()
        self.disuse = Disuse(self.vhost.broker.now_ms)
        self.bounds = Bounds()
        self.burials = Burials()
        self.present = Presence() if self.rules.deduplicates_present else None
        self.noted_ready: Message | int | None = 0
        # The same objects, at hand for what runs once per message or batch.
        self._returning = self.returned.waiting
        self._return_counts = self.returned.counts
        self._failures = self.returned.failures
        self.governed = self.ruled = False
        ruling.rules_changed(self)
        ruling.withhold(self)

    def new_backlog(self) -> Backlog:
        """An empty row of messages that are this queue's."""
        broker, keeps_all = self.vhost.broker, self.stores_transient
        return Backlog(
            self.description, self.store, self.store_id, self._lost, stores_transient=keeps_all, paging=broker.paging
        )

    def find_entries(self) -> None:
        """`entries` is again where messages of the usual kind go, as a backlog that was cleared has another deque."""
        self.entries = self.backlogs[0 if self.turns is None else -1].entries

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
        ready = [len(backlog.entries) + backlog.packed_count for backlog in self.backlogs]
        return sum(ready) + len(returned.waiting) + returned.aside

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

    def append_all(self, messages: list[Message], size_bytes: int, row: int = 0) -> None:
        entries = self.entries if self.turns is not None else self.backlogs[row].entries
        entries.extend(messages)
        self.ready_bytes += size_bytes
        self.mark_dirty()

    def reserve(self, message: Message) -> Admission | None:
        return self.bounds.reserve(self, message)

    def release(self, count: int, size_bytes: int) -> None:
        self.bounds.reserved_count -= count
        self.bounds.reserved_bytes -= size_bytes

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
        bounds = self.bounds
        is_asked = self.rules.refuses or bounds.seen is not None or self.present is not None or bounds.watched
        return is_asked or self.burials.is_behind

    @property
    def is_overdue(self) -> bool:
        return self.burials.are_overdue

    @property
    def refuses_as_asked(self) -> bool:
        return self.rules.refuses

    def admit(self, message: Message) -> Admission:
        """Refuse a message that a full queue with reject-publish has no room for; drop a duplicate."""
        return self.bounds.admit(self, message)

    def has_no_room_for(self, message: Message) -> bool:
        return self.exceeds_with(message, 0, 0)

    def exceeds_with(self, message: Message, others: int, others_bytes: int) -> bool:
        """As `has_no_room_for`, if so many other messages of so many bytes count beside those that are ready."""
        ready_count = self.ready_count + self.bounds.reserved_count + others + 1
        ready_bytes = self.ready_bytes + self.bounds.reserved_bytes + others_bytes + message.body_size
        return self.rules.refuses and exceeds(self.rules, ready_count, ready_bytes)

    def expects_expiry(self) -> None:
        self.expiry.expecting = True
        self.governed = self.ruled = True
        self.mark_dirty()

    def tell_departures(self) -> None:
        self.remembers = True

    def level_of(self, message: Message) -> int:
        """The index of the backlog for a message's priority, the highest first."""
        top = len(self.backlogs) - 1
        return top - min(message.properties.priority or 0, top)

    # Out

    def drain(self) -> None:
        if self._returning:
            self.returned.merge(self)
        self.is_cut = False
        if (self.governed or self.ring.available or self.vhost.observed) and not self._drain():
            return
        if self.store_id:
            if self.rules.delivery_limit is not None:
                restart.note_ready(self)
            broker = self.vhost.broker
            if self.ready_bytes > broker.paging.head_bytes or self.resident_count > broker.paging.head_messages:
                broker.crowded_queues.add(self)

    def _drain(self) -> bool:
        """Deliver; False while the queue is being put in order, and nothing else is done with it."""
        self.draining = True
        try:
            if not self.governed and not self.vhost.observed:
                is_done = plain.drain(self)
            elif self.returned.placing is not None:
                return False
            else:
                is_done = governed.drain_otherwise(self)
                picking.end_if_over(self)
            if not is_done:
                self.is_cut = True
                self.vhost.broker.drain_later(self)
        except StoreUnavailable as error:
            _log.error("%s waits for its messages: %s", self.description, error.text)
            self.vhost.broker.deadlines.schedule(
                self.vhost.broker.now_ms + restart.READ_AGAIN_MS, lambda now_ms: self.mark_dirty()
            )
        finally:
            self.draining = False
        return True

    def catch_up(self) -> None:
        if not self.is_cut:
            super().catch_up()

    def merge_returning(self) -> None:
        """Put what came back in its places, so that the backlogs hold all that is ready."""
        self.returned.finish(self)

    def persistent_on_disk(self) -> Weight:
        return Weight(self.paged_count, sum(backlog.paged_bytes for backlog in self.backlogs))

    def ready_in_memory(self, most: int) -> Iterator[Message] | None:
        return contents.in_memory(self, most)

    def was_delivered(self, message: Message) -> bool:
        return message.sequence <= self.returned.redelivered_until or message.sequence in self._return_counts

    def _lost(self, sequence: int, body_bytes: int) -> None:
        self.forget(sequence)
        self.ready_bytes -= body_bytes
        self.counts.remove(1, body_bytes)

    def get(
        self, answer: Answer[Polled], *, no_ack: bool, client: Client | None = None, channel_number: int = 0
    ) -> None:
        polling.get(self, answer, no_ack=no_ack)

    def poll(self, *, no_ack: bool) -> Polled:
        """What `get` answers; ResourceLocked (405) where a single active consumer has the queue."""
        return polling.poll(self, no_ack=no_ack)

    def browse(self, start: int, count: int) -> Iterator[Message]:
        self.merge_returning()
        return contents.browse(self.backlogs, start, count)

    # Settling

    def acknowledge(self, message: Message) -> None:
        self.unacked_count -= 1
        if self.store_id or self.remembers:
            self.settle(message)

    def acknowledge_all(self, messages: list[Message]) -> None:
        self.unacked_count -= len(messages)
        if self.store_id or self.remembers:
            for message in messages:
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
            self.store.append(message, (self.store_id,))
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

    def discard_work(self, message: Message) -> int:
        return 1 if self.rules.dead_letter_exchange is None else dead_letter_work(message)

    def return_work(self, message: Message) -> int:
        limit = self.rules.delivery_limit
        if limit is None or limit < 0 or self._failures.get(message.sequence, 0) < limit:
            return 1
        return self.discard_work(message)

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
        observer = self.vhost.broker.observer if self.remembers else None
        if observer is None:
            dead_letter(self, self.rules, message, reason)
        else:
            observing.bury(observer, self, self.rules, message, reason)
        if len(message.properties.raw) > LARGE_PROPERTIES_BYTES and self.rules.dead_letter_exchange is not None:
            self.burials.spend(self, dead_letter_work(message))
        self.settle(message)

    def outlook(self, message: Message) -> Outlook:
        from warren.core.queues.classic.outlook import outlook

        return outlook(self, message)

    def settle(self, message: Message) -> None:
        """The message has left: nothing is remembered of it, nor stored."""
        if self.remembers:
            self._left(message.sequence)
        if self.store_id and (message.properties.persistent or self.stores_transient):
            self.store.settle(self.store_id, message)

    def forget(self, sequence: int) -> None:
        """Nothing is remembered of a message that has left without being in memory; its entry is settled elsewhere."""
        if self.remembers:
            self._left(sequence)
        if self.present:
            self.present.leave(sequence)

    def _left(self, sequence: int) -> None:
        self.returned.forget(sequence)
        if self.picking is not None:
            self.picking.left(self, sequence)
        observer = self.vhost.broker.observer
        if observer is not None:
            observer.left(self, sequence)
        if self.withheld is not None:
            self.withheld.gone(sequence)
        elif observer is None and not (self._return_counts or self._failures or self.rules.group_by):
            self.remembers = False

    def purge(self, answer: Answer[int]) -> None:
        contents.purge_and_tell(self, answer)

    def drop_ready(self) -> int:
        """Drop all ready messages; how many.  Many are settled in later turns."""
        return restart.noted(self, contents.purge(self))

    def close(self, answer: Answer[int] = ignore) -> None:
        contents.close(self, answer)

    # Rules

    def apply_policy(
        self, effective: Mapping[str, JSON], policy_name: str | None, operator_policy_name: str | None
    ) -> None:
        super().apply_policy(effective, policy_name, operator_policy_name)
        ruling.apply_policy(self, effective)

    def use_buffer(self, buffer: Buffer | None) -> None:
        ruling.use_buffer(self, buffer)

    def use_chooser(self, chooser: Chooser | None) -> None:
        """Let it say whose turn it is; None for turns."""
        self.ring.chooser = chooser
        self.govern()

    def govern(self) -> None:
        """Whether the hot path will do."""
        self.ruled = ruling.is_ruled(self)
        self.governed = self.ruled or self.demand is not None or bool(self.ring.sleepers or self.ring.gone)

    # Consumers

    def add_consumer(self, consumer: Consumer) -> None:
        """Register a consumer.

        Raises AccessRefused (403) when it asks for exclusivity that can't be had, or another one has it (A.5), and
        PreconditionFailed (406) for invalid arguments.
        """
        check_consumer_arguments(self, consumer.arguments)
        use_filter(self.description, consumer)
        if consumer.selector is not None and self.rules.group_by is not None:
            raise PreconditionFailed(
                f"{self.description} keeps groups of messages together (x-group-by), so x-filter can't choose from it"
            )
        serves = self.ring.add(consumer, self.description, single_active=self.rules.single_active_consumer)
        if self.picking is not None:
            self.picking.added(consumer)
        elif consumer.selector is not None:
            self.picking = picking.by_selectors(self.consumers)
        self.govern()
        if serves:
            self.activate(consumer)

    def activate(self, consumer: Consumer) -> None:
        """Let a consumer have messages as soon as it can take them."""
        consumer.parked = True
        consumer.resume()
        if self.ring.single is consumer:
            consumer.activity_changed()

    @property
    def has_single_active(self) -> bool:
        return self.ring.single is not None

    def remove_consumer(self, consumer: Consumer) -> None:
        consumer.active = False
        self.disuse.used_at_ms = self.read_at_ms = self.vhost.broker.now_ms
        following = self.ring.remove(consumer, at_once=self.draining)
        if self.picking is not None:
            self.picking.removed(consumer)
            picking.end_if_over(self)
        if following is not None:
            self.activate(following)
        self.govern()
        if not self.consumers and not self.closed:
            self.disuse.watch(self)
        if self.demand is not None or self.ring.chooser is not None:
            self.mark_dirty()

    def park(self, consumer: Consumer) -> None:
        if self.ring.park(consumer, at_once=self.draining):
            self.governed = True
        if self.demand is not None:
            self.mark_dirty()

    def resume(self, consumer: Consumer) -> None:
        if self.ring.resume(consumer):
            self.mark_dirty()

    def sleep(self, consumer: Consumer) -> bool:
        self.ring.sleepers[consumer] = None
        self.governed = True
        return True

    def is_active(self, consumer: Consumer) -> bool:
        return self.ring.is_active(consumer)

    def watch_incoming(self, watcher: Callable[[Message], None]) -> None:
        watched.watch(self, watcher)

    def unwatch_incoming(self, watcher: Callable[[Message], None]) -> None:
        watched.unwatch(self, watcher)

    def watch_demand(self, watch: Callable[[bool], None]) -> bool:
        return watching.watch(self, watch)

    def unwatch_demand(self, watch: Callable[[bool], None]) -> None:
        watching.unwatch(self, watch)

    @property
    def spare_credit(self) -> int:
        return watching.spare_credit(self)

    def used(self) -> None:
        self.disuse.used_at_ms = self.vhost.broker.now_ms

    # Restart

    def restore(self, stored: Stored) -> None:
        restart.restore(self, stored)

    def page_out(self) -> None:
        for backlog in self.backlogs:
            backlog.page_out()

    def delivered_position(self) -> int:
        return restart.delivered_position(self)


register(ClassicQueue)
