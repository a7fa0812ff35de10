"""A queue that another node of the cluster has, behind the interface of queues: clients here use it as their own.

Theory of operation
-------------------
Everything is asked of the node that has the queue, by a `FarQueue` (far_queue.py), and nothing is kept here but what is
on its way:

    publishes      wait for the other node's confirm (`append_with`).  While there is no way there, they are held for a
                   while, up to a number of bytes, and then refused.  A publish that was sent and not confirmed when the
                   way is lost is refused: nobody here knows whether it is there, so it is never confirmed.
    consumers      have a counterpart there each, with its arguments, so that priorities, exclusivity, single active
                   consumers, selectors and the order of turns are the far queue's business.  What is granted is the
                   credit that the consumer here has (taker.py).
    deliveries     are settled there by their tags.  When the way is lost they go back there by themselves, and here
                   they are forgotten: settling them later does nothing.  When there is a way again, consumers are made
                   anew, without a word to clients, except those that asked to be told (`x-cancel-on-ha-failover`).
    listings       show what the other node has said last, and nothing where it has said nothing.  In a cluster it is
                   asked about all its queues at once (`ClusterHook.count_elsewhere`), and tells by `told`.

Nothing is stored here, whatever its durability; its number is that of the cluster's definition of it.

Longer than 400 lines because it is all that a queue type has to answer.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import repeat
from typing import TYPE_CHECKING, ClassVar, Final

from warren.core.cluster.far_queue import UNKNOWN
from warren.core.cluster.replacing import renumbered
from warren.core.cluster.taker import Taker
from warren.core.compiled import mypyc_attr
from warren.core.errors import AccessRefused, BrokerError, NotFound, ResourceLocked
from warren.core.queues.answer import Answer, Polled, ignore
from warren.core.queues.base import Admission, Columns, Queue, Stored
from warren.core.queues.classic.polling import polling_refused
from warren.core.queues.classic.rules import effective_rules, rules_from_arguments
from warren.core.queues.registry import check_consumer_arguments

if TYPE_CHECKING:
    from warren.core.clients.client import Client
    from warren.core.cluster.far_queue import Arrival, FarQueue
    from warren.core.deadlines import Deadline
    from warren.core.messages.message import Message
    from warren.core.queues.classic.rules import QueueRules
    from warren.core.queues.consumer import Consumer
    from warren.core.routing.receipt import Receipt
    from warren.core.storage.definitions.store import JSON

HELD_MS: Final = 20_000
"""How long a publish or a question waits for a way to the other node: as long as a link needs to be made anew on busy
machines, where an attempt begins seconds after the last one and its handshake takes seconds, and longer than NATS needs
to elect."""

HELD_BYTES_MAX: Final = 16 * 1024 * 1024
"""Bodies of publishes that wait for a way there, for each queue; more are refused."""

UNSENT_SLOW_BYTES: Final = 4 * 1024 * 1024
"""With so much that a link hasn't sent, its publishers have had their turn: they are read from less."""

UNSENT_BYTES_MAX: Final = 64 * 1024 * 1024
"""With so much, what is published is refused: the other node takes less than comes."""

LOOK_EVERY_MS: Final = 1000
"""How old what listings show may be before it is asked for again."""

REDELIVERED: Final = 1
UNSTORED: Final = 0
"""What the position of a message that waits here says: that it was delivered before, or nothing."""

CANCEL_ON_FAILOVER: Final = "x-cancel-on-ha-failover"
"""The argument of consumers that want to be cancelled when their queue's node may have changed (RabbitMQ)."""


@mypyc_attr(allow_interpreted_subclasses=True)
class RemoteQueue(Queue):
    """See the head of this file; a subclass for each type of queue says which it stands for (remote_types.py).

    far: the way there; set by `reach`, before anybody uses it.  home: the node that has it for good, by its name; empty
    for one that goes from node to node with its shard.
    """

    __slots__ = (
        "_acknowledged",
        "_asked",
        "_closed",
        "_deadline",
        "_held",
        "_held_bytes",
        "_known",
        "_last_taker",
        "_looked_at_ms",
        "_looking",
        "_number",
        "_order",
        "_overfull",
        "_rules",
        "_silent",
        "_state",
        "_tags",
        "_takers",
        "_touched",
        "_unconfirmed",
        "far",
        "home",
    )

    type_name: ClassVar[str] = "remote"
    of_cluster: ClassVar[bool] = True
    keeps_messages: ClassVar[bool] = True
    takes_rows: ClassVar[bool] = True

    far: FarQueue

    columns: ClassVar[Columns] = {
        "messages": lambda queue: queue.known("messages", None),
        "messages_ready": lambda queue: queue.known("messages_ready", None),
        "messages_unacknowledged": lambda queue: queue.known("messages_unacknowledged", None),
        "messages_dlx": lambda queue: queue.known("messages_dlx", None),
        "consumers": lambda queue: queue.consumer_count,
        "state": lambda queue: queue.state,
        "node": lambda queue: queue.far.node,
    }

    def prepare(self) -> None:
        # By the number of the last of a row, with how many it has.
        self._unconfirmed: deque[tuple[int, int, Receipt]] = deque()
        self._held: deque[tuple[Message, Receipt]] = deque()
        self._held_bytes = 0
        self._asked: deque[tuple[Callable[[], None], Callable[[BrokerError], None]]] = deque()
        self._deadline: Deadline | None = None
        self._takers: dict[Consumer, Taker] = {}
        self._touched: dict[Taker, None] = {}
        self._last_taker: Taker | None = None
        # The tags of what was given out and isn't settled, by sequence; and the sequences in the order of coming, where
        # what is settled stays until it is the first.
        self._tags: dict[int, tuple[int, Taker | None]] = {}
        self._order: deque[int] = deque()
        self._acknowledged: set[int] = set()
        self._known: Mapping[str, JSON] = {}
        self._looked_at_ms = 0
        self._looking = False
        self._overfull = False
        self._closed = False
        self._silent = False
        self._number = 0
        self._state = "running"
        self._rules = self._rules_under({})
        self.home = ""

    def reach(self, far: FarQueue) -> None:
        """This is the way there."""
        self.far = far

    @property
    def state(self) -> str:
        """`running`; `down` while there is no way to the node that has it, as far as is known; `no answer` where that
        node was asked about it and said nothing."""
        cluster = self.vhost.broker.cluster
        if cluster is not None and not self.far.is_open and not cluster.is_there(self.far.node):
            return "down"
        return "no answer" if self._silent and self._state == "running" else self._state

    def known(self, column: str, otherwise: JSON) -> JSON:
        """What the other node said last of a column; asks again when that was a while ago."""
        self._look_again()
        return self._known.get(column, otherwise)

    @property
    def _away(self) -> NotFound:
        return NotFound(
            f"home node '{self.far.node}' of {self.description} is down or inaccessible; "
            "it is there again when that node, or the way to it, is"
        )

    def check_usable(self) -> None:
        """NotFound (404), as RabbitMQ says, where the node that has it has been away for a while."""
        if not self.far.is_open and self.state == "down":
            raise self._away

    @property
    def is_remote(self) -> bool:
        return True

    # Publishing

    @property
    def answers_late(self) -> bool:
        return True

    @property
    def guarded(self) -> bool:
        return self._overfull

    def admit(self, message: Message) -> Admission:
        if self.far.unsent_bytes < UNSENT_SLOW_BYTES:
            self._overfull = False
            self.vhost.changed()
        return Admission.REFUSE if self.far.unsent_bytes > UNSENT_BYTES_MAX else Admission.TAKE

    @property
    def is_overdue(self) -> bool:
        return self._overfull

    def has_no_room_for(self, message: Message) -> bool:
        return self._overfull and self.far.unsent_bytes > UNSENT_BYTES_MAX

    @property
    def refusal(self) -> str:
        return f"the node '{self.far.node}', which has it, takes less than is published"

    @property
    def late_refusal(self) -> str:
        """Why a publish that was answered late was refused, as far as that is known."""
        return f"the node '{self.far.node}', which has it, has refused it, or is away"

    def append(self, message: Message) -> None:
        """Of who doesn't want to know."""
        if self.far.is_open:
            self._send(message)
        else:
            self.far.open()

    def append_with(self, message: Message, receipt: Receipt) -> None:
        receipt.expect()
        if self._closed:
            receipt.answer(taken=False)
        elif self.far.is_open:
            self._unconfirmed.append((self._send(message), 1, receipt))
        elif self._held_bytes + message.body_size > HELD_BYTES_MAX or self._state == "down":
            self.far.open()
            receipt.answer(taken=False)
        else:
            self._held.append((message, receipt))
            self._held_bytes += message.body_size
            self._wait()

    def append_all_with(self, messages: list[Message], size_bytes: int, receipt: Receipt) -> None:
        if self._closed or not self.far.is_open:
            for message in messages:
                self.append_with(message, receipt)
            return
        receipt.expect()
        self._unconfirmed.append((self._send_all(messages), len(messages), receipt))

    def _send(self, message: Message) -> int:
        return self._send_all([message])

    def _send_all(self, messages: list[Message]) -> int:
        number = self.far.publish(messages)
        if not self._overfull and self.far.unsent_bytes > UNSENT_SLOW_BYTES:
            self._overfull = True
            self.vhost.changed()
        return number

    def confirmed(self, number: int, *, multiple: bool, taken: bool) -> None:
        """See NearQueue.  What is confirmed is so with all before it that wasn't refused; what is refused comes one by
        one, and refuses the row that it is in."""
        unconfirmed = self._unconfirmed
        if taken:
            while unconfirmed and unconfirmed[0][0] <= number:
                unconfirmed.popleft()[2].answer(taken=True)
            return
        for index, (last, count, receipt) in enumerate(unconfirmed):
            if last >= number:
                if number > last - count:
                    del unconfirmed[index]
                    receipt.answer(taken=False)
                return

    # The way there

    def _wait(self) -> None:
        """Something waits for a way there, but not for ever."""
        self.far.open()
        if self._deadline is None:
            broker = self.vhost.broker
            self._deadline = broker.deadlines.schedule(broker.now_ms + HELD_MS, self._waited_too_long)

    def _waited_too_long(self, now_ms: int) -> None:
        self._deadline = None
        self._state = "down"
        self._give_up(self._away)

    def _give_up(self, error: BrokerError) -> None:
        """Who waits is told so."""
        held, self._held = self._held, deque()
        self._held_bytes = 0
        asked, self._asked = self._asked, deque()
        for _, receipt in held:
            receipt.answer(taken=False)
        for _, failed in asked:
            failed(error)

    def opened(self) -> None:
        """See NearQueue: consumers are made, what was held goes out, what was asked is asked."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        self._state = "running"
        for taker in self._takers.values():
            self._begin(taker)
        held, self._held = self._held, deque()
        self._held_bytes = 0
        for message, receipt in held:
            self._unconfirmed.append((self._send(message), 1, receipt))
        asked, self._asked = self._asked, deque()
        for ask, _ in asked:
            ask()

    def lost(self, error: BrokerError) -> None:
        """See NearQueue."""
        unconfirmed, self._unconfirmed = self._unconfirmed, deque()
        self._tags.clear()
        self._order.clear()
        self._acknowledged.clear()
        self._looking = False
        for taker in self._takers.values():
            taker.forget()
        for _, _, receipt in unconfirmed:
            receipt.answer(taken=False)
        if self._closed:
            return
        for consumer in [each for each in self.consumers if each.arguments.get(CANCEL_ON_FAILOVER) is True]:
            self.remove_consumer(consumer)
            consumer.cancelled()
        if self._takers:
            self._wait()

    def _when_open(self, ask: Callable[[], None], failed: Callable[[BrokerError], None]) -> None:
        """Ask now, or when there is a way there; `failed` if that takes too long."""
        if self._closed:
            failed(NotFound(f"no {self.description}: it was deleted"))
        elif self.far.is_open:
            ask()
        elif self._state == "down":
            self.far.open()
            failed(self._away)
        else:
            self._asked.append((ask, failed))
            self._wait()

    # Asking

    @property
    def ready_count(self) -> int:
        """As the other node said last."""
        known = self.known("messages_ready", 0)
        return known if isinstance(known, int) else 0

    @property
    def kept_count(self) -> int:
        known = self.known("messages", 0)
        return known if isinstance(known, int) else 0

    @property
    def consumer_count(self) -> int:
        known = self.known("consumers", 0)
        return max(known if isinstance(known, int) else 0, len(self.consumers))

    def _look_again(self) -> None:
        broker = self.vhost.broker
        if self._looking or self._closed or broker.now_ms - self._looked_at_ms < LOOK_EVERY_MS:
            return
        if broker.cluster is not None:
            broker.cluster.want_counts()
        elif self.far.is_open:
            self.look()

    def told(self, columns: Mapping[str, JSON] | None) -> None:
        """What the other node has said of the queue, asked about all of its own; None where it hasn't answered."""
        self._looked_at_ms = self.vhost.broker.now_ms
        self._silent = columns is None
        self._known = columns or {}

    def look(self, answer: Answer[None] = ignore) -> None:
        """Ask what listings are to show; the answer says that it is known."""
        self._looking = True
        self._looked_at_ms = self.vhost.broker.now_ms

        def seen(columns: Mapping[str, JSON] | BrokerError) -> None:
            self._looking = False
            if isinstance(columns, BrokerError):
                answer(columns)
                return
            self._silent = False
            self._known = columns
            answer(None)

        self._when_open(lambda: self.far.look(seen), seen)

    def when_ready(self, answer: Answer[None]) -> None:
        """A declaration is answered with how many messages there are, so they are asked for; without a way there, it is
        answered with what is known: the queue is declared, wherever it is."""
        self.look(lambda seen: answer(None))

    def used(self) -> None:
        if self._rules.expires_ms is not None:
            self._when_open(self.far.used, ignore)

    def get(
        self, answer: Answer[Polled], *, no_ack: bool, client: Client | None = None, channel_number: int = 0
    ) -> None:
        # What the other node refuses ends the way there, and with it what others are given.
        if self._rules.single_active_consumer:
            raise polling_refused(self)

        def arrived(arrival: Arrival | BrokerError | None) -> None:
            if arrival is None or isinstance(arrival, BrokerError):
                self.counts.get_empty += arrival is None
                answer(arrival)
                return
            message = arrival.message
            if arrival.left != UNKNOWN:
                self._known = {**self._known, "messages_ready": arrival.left}
            self.counts.redeliver += arrival.redelivered
            self.counts.delivered_bytes += message.body_size
            if no_ack:
                self.counts.get_no_ack += 1
                self.far.acknowledge(arrival.tag, multiple=False)
            else:
                self.counts.get += 1
                self._tags[message.sequence] = (arrival.tag, None)
                self._order.append(message.sequence)
                self.unacked_count += 1
            answer((message, arrival.redelivered))

        self.read_at_ms = self.vhost.broker.now_ms
        self._when_open(lambda: self.far.get(arrived), answer)

    def purge(self, answer: Answer[int]) -> None:
        self._when_open(lambda: self.far.purge(self._then_look(answer)), answer)

    def _then_look(self, answer: Answer[int]) -> Answer[int]:
        def answered(count: int | BrokerError) -> None:
            self._looked_at_ms = 0
            answer(count)

        return answered

    def browse(self, start: int, count: int) -> Iterator[Message]:
        """Nothing is here to be looked at in the same call; `browse_far` looks there."""
        return iter(())

    def browse_far(self, start: int, count: int, answer: Answer[list[Arrival]]) -> None:
        """Up to `count` ready messages from index `start` on, in delivery order, without changing anything."""
        self._when_open(lambda: self.far.browse(start, count, answer), answer)

    # Consuming

    @property
    def consumer_timeout_ms(self) -> int | None:
        """Who has a message for too long is found here, where its consumer is."""
        return self._rules.consumer_timeout_ms

    def _rules_under(self, effective: Mapping[str, JSON]) -> QueueRules:
        """What is decided here of what counts for it, by arguments and policies, which all nodes have."""
        return effective_rules(rules_from_arguments(self.description, self.arguments), self.arguments, effective)

    def apply_policy(
        self, effective: Mapping[str, JSON], policy_name: str | None, operator_policy_name: str | None
    ) -> None:
        super().apply_policy(effective, policy_name, operator_policy_name)
        before, self._rules = self._rules, self._rules_under(effective)
        if self._rules.consumer_timeout_ms != before.consumer_timeout_ms:
            for consumer in self.consumers:
                self.vhost.broker.ack_timeouts.added(consumer)

    def add_consumer(self, consumer: Consumer) -> None:
        """Who is refused there, since another consumer has it for itself, is cancelled when that is known."""
        if consumer.is_of_node:
            raise NotFound(f"{self.description} isn't on this node any more")
        check_consumer_arguments(self, consumer.arguments)
        others = bool(self.consumers)
        if (others and self.consumers[0].exclusive) or (
            consumer.exclusive and (others or self._rules.single_active_consumer)
        ):
            raise AccessRefused(
                f"{self.description} in exclusive use; another consumer is on it, or only one may be active: "
                "cancel that one first, or consume without the exclusive flag"
            )
        self._number += 1
        consumer.order = self._number
        consumer.parked = False
        self.consumers.append(consumer)
        taker = self._takers[consumer] = Taker(f"c{self._number}", consumer)
        if self.far.is_open:
            self._begin(taker)
        else:
            self._wait()

    def _begin(self, taker: Taker) -> None:
        self.far.consume(taker.tag, taker.consumer)
        taker.opened = True
        self._touch(taker)

    def remove_consumer(self, consumer: Consumer) -> None:
        consumer.active = False
        if consumer in self.consumers:
            self.consumers.remove(consumer)
        taker = self._takers.pop(consumer, None)
        self._last_taker = None
        self.read_at_ms = self.vhost.broker.now_ms
        if taker is None:
            return
        self._touched.pop(taker, None)
        if self.far.is_open and taker.opened:
            self.far.cancel(taker.tag)
        self._empty(taker)

    def ended(self, tag: str, error: BrokerError | None) -> None:
        """See NearQueue."""
        consumer = next((each for each, taker in self._takers.items() if taker.tag == tag), None)
        if consumer is None:
            return
        self._takers[consumer].opened = False
        self.remove_consumer(consumer)
        if isinstance(error, AccessRefused | ResourceLocked):
            consumer.withdrawn(AccessRefused(error.text))
        else:
            consumer.cancelled()

    def park(self, consumer: Consumer) -> None:
        """It has no credit any more, and didn't use it up: what was granted is taken back."""
        consumer.parked = True
        taker = self._takers.get(consumer)
        if taker is not None and self.far.is_open and taker.opened:
            taker.withdrawn = True
            taker.granted = 0
            self.far.revoke(taker.tag)
            self._empty(taker)

    def _empty(self, taker: Taker) -> None:
        """What waits for a consumer goes back, the latest first, so that nothing overtakes."""
        while taker.ready:
            message = taker.ready.pop()
            assert not isinstance(message, int)
            self._give_back(message, failed=False)
        taker.again = 0

    def resume(self, consumer: Consumer) -> None:
        consumer.parked = False
        taker = self._takers.get(consumer)
        if taker is not None:
            taker.withdrawn = False
            self._touch(taker)

    def _touch(self, taker: Taker) -> None:
        self._touched[taker] = None
        self.mark_dirty()

    def arrived(self, tag: str, tags: list[int], messages: list[Message], *, redelivered: bool) -> None:
        """See NearQueue."""
        taker = self._last_taker
        if taker is None or taker.tag != tag:
            taker = next((each for each in self._takers.values() if each.tag == tag), None)
            self._last_taker = taker
        if taker is None or taker.withdrawn:
            # The consumer has ended, or can't take any more, and these were on their way.
            for delivery_tag in tags:
                self.far.requeue(delivery_tag, failed=False)
            return
        sequences = [message.sequence for message in messages]
        self._tags.update(zip(sequences, zip(tags, repeat(taker)), strict=False))
        self._order.extend(sequences)
        if redelivered:
            taker.again += len(messages)
            for message in messages:
                # Its position, which means nothing here, says so as long as it waits.
                message.position = REDELIVERED
        taker.ready.extend(messages)
        taker.arrived(len(messages), sum([message.body_size for message in messages]))
        self._touch(taker)

    def drain(self) -> None:
        """Tell the other node what was acknowledged, hand on what has come, and grant what can be taken."""
        self.dirty = False
        if self._acknowledged:
            self._acknowledge_far()
        touched, self._touched = self._touched, {}
        for taker in touched:
            if taker.ready and not taker.consumer.parked:
                self._feed(taker)
        if self._acknowledged:
            self._acknowledge_far()
        if self.far.is_open:
            for taker in touched:
                credit = taker.to_grant()
                if credit:
                    taker.granted += credit
                    self.far.grant(taker.tag, credit)

    def _feed(self, taker: Taker) -> None:
        consumer, ready = taker.consumer, taker.ready
        no_ack = consumer.no_ack
        vhost = self.vhost
        given = again = size_bytes = 0
        while ready and consumer.active:
            message = ready.popleft()
            assert not isinstance(message, int)
            redelivered = taker.again > 0 and message.position == REDELIVERED
            if redelivered:
                message.position = UNSTORED
                taker.again -= 1
                again += 1
            if no_ack:
                self._acknowledged.add(message.sequence)
            given += 1
            size_bytes += message.body_size
            more = consumer.deliver(message, redelivered)
            if vhost.tracing:
                vhost.trace_delivery(self, message, consumer.client, consumer.channel_number, redelivered=redelivered)
            elif more and ready and not taker.again and not redelivered:
                before = list(ready) if no_ack else ready
                count = len(ready)
                size_bytes += consumer.deliver_alike(ready)
                count -= len(ready)
                given += count
                if no_ack:
                    self._acknowledged.update(self._sequences(before, count))
            if not more:
                consumer.parked = True
                break
        counts, own = consumer.counts, self.counts
        own.delivered_bytes += size_bytes
        own.redeliver += again
        counts.redeliver += again
        if no_ack:
            own.deliver_no_ack += given
            counts.deliver_no_ack += given
        else:
            own.deliver += given
            counts.deliver += given
            self.unacked_count += given

    def _sequences(self, messages: Iterable[Message | int], count: int) -> list[int]:
        found: list[int] = []
        for message in messages:
            if len(found) == count:
                break
            assert not isinstance(message, int)
            found.append(message.sequence)
        return found

    # Settling

    def acknowledge(self, message: Message) -> None:
        self.unacked_count -= 1
        self._acknowledged.add(message.sequence)
        self.mark_dirty()

    def acknowledge_all(self, messages: list[Message]) -> None:
        self.unacked_count -= len(messages)
        self._acknowledged.update([message.sequence for message in messages])
        self.mark_dirty()

    def _acknowledge_far(self) -> None:
        """In the order of delivery as far as that goes, which is one frame; the others one by one."""
        tags, order, acknowledged = self._tags, self._order, self._acknowledged
        last = count = 0
        before: Taker | None = None
        while order:
            sequence = order[0]
            if sequence in acknowledged:
                acknowledged.remove(sequence)
                last, taker = tags.pop(sequence)
                count += 1
                if taker is not before and taker is not None:
                    self._touched[taker] = None
                    before = taker
            elif sequence in tags:
                break
            order.popleft()
        if count:
            self.far.acknowledge(last, multiple=count > 1)
        if not acknowledged:
            return
        for sequence in sorted(acknowledged):
            found = tags.pop(sequence, None)
            if found is None:
                continue  # it was delivered by a way that was lost since
            self.far.acknowledge(found[0], multiple=False)
            if found[1] is not None:
                self._touched[found[1]] = None
        acknowledged.clear()

    def discard(self, message: Message) -> None:
        self.unacked_count -= 1
        self.counts.rejected += 1
        found = self._tags.pop(message.sequence, None)
        if found is not None:
            self.far.discard(found[0])
            self._settled(found[1])

    def requeue(self, messages: Iterable[Message], *, failed: bool = True) -> None:
        for message in messages:
            self.unacked_count -= 1
            self.counts.returned += 1
            self.counts.returned_bytes += message.body_size
            self._give_back(message, failed=failed)

    def _give_back(self, message: Message, *, failed: bool) -> None:
        message.position = UNSTORED
        found = self._tags.pop(message.sequence, None)
        if found is not None:
            self.far.requeue(found[0], failed=failed)
            self._settled(found[1])

    def _settled(self, taker: Taker | None) -> None:
        if taker is not None and taker.consumer.active:
            self._touch(taker)

    # The end

    def restore(self, stored: Stored) -> None:
        """It has no number in the log, so there is nothing."""

    def close(self, answer: Answer[int] = ignore) -> None:
        """Gone from here.  Where it can be reached it is deleted there, too, which says how many messages went."""
        known = self._known.get("messages_ready", 0)
        count = known if isinstance(known, int) else 0
        self._closed = True
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        self._give_up(NotFound(f"no {self.description}: it was deleted"))
        if not self.far.is_open:
            self.far.close()
            answer(count)
            return

        def deleted(went: int | BrokerError) -> None:
            self.far.close()
            self._known = {}
            answer(count if isinstance(went, BrokerError) else went)

        self.far.delete(deleted)

    def replaced(self, by: Queue) -> None:
        """What is held is for the queue that takes its place; what is unconfirmed is refused."""
        held, self._held = self._held, deque()
        self._held_bytes = 0
        for message, receipt in held:
            own = renumbered(message, self.vhost.broker)
            if by.answers_late:
                by.append_with(own, receipt)
            else:
                by.append(own)
            receipt.answer(taken=True)
        self._closed = True
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        self._give_up(self._away)
        self.far.close()
        self.lost(self._away)
