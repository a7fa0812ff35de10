"""One AMQP 0-9-1 channel: its consumers, what they have not acknowledged, its mode (plain, confirm, tx).

A channel is open until either side closes it.  After the broker closed it (`fail`), everything that comes for it is
ignored until the client's close-ok, and only then is its number free again (AMQP 0-9-1 1.5.2.5).

Delivery tags are shared by deliveries and gets.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from warren.adapters.amqp091.asking import channel_ended
from warren.adapters.amqp091.codec import methods
from warren.adapters.amqp091.codec.constants import (
    BASIC_PUBLISH,
    CHANNEL_CLOSE,
    CHANNEL_CLOSE_OK,
    CLASS_BASIC,
    FRAME_PREFIX_BYTES,
)
from warren.adapters.amqp091.codec.content import IncomingContent
from warren.adapters.amqp091.codec.texts import short_text
from warren.adapters.amqp091.consecutive_acks import ConsecutiveAcks
from warren.adapters.amqp091.consumer import AmqpConsumer, cancel_notice
from warren.adapters.amqp091.handlers.publish import check_method, publish
from warren.adapters.amqp091.shared_credit import SharedCredit
from warren.adapters.amqp091.transaction import Transaction
from warren.adapters.session.deliveries import Deliveries, Verdict
from warren.core.access.answers import Unanswered
from warren.core.clients.client import Client
from warren.core.clients.confirms import Confirms
from warren.core.counters import SessionCounts
from warren.core.declaring.queues import end_consumer, end_consumers
from warren.core.errors import BrokerError, InternalError, NotFound, PreconditionFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from warren.adapters.amqp091.connection import Connection
    from warren.adapters.amqp091.nodes.owning_end import NodeEnd
    from warren.core.queues.base import Queue
    from warren.core.queues.consumer import Consumer
    from warren.core.queues.unacked import Delivery


class Channel:
    """One open channel, and what ends with it.

    prefetch: the limit that new consumers get; shared_credit: what all of them have together.  counts: of its messages.
    ignored_publishes: those that came after the broker closed it.  node: what it does otherwise for another node of a
    cluster; None for clients.
    """

    __slots__ = (
        "_last_queue",
        "acks",
        "client",
        "closing",
        "confirms",
        "connection",
        "consumers",
        "content",
        "counts",
        "deliveries",
        "ignored_publishes",
        "name",
        "node",
        "number",
        "prefetch",
        "reply_queue",
        "shared_credit",
        "transaction",
    )

    def __init__(self, connection: Connection, number: int) -> None:
        if connection.client is None:
            raise InternalError("a channel needs an open connection")
        self.connection = connection
        self.client: Client = connection.client
        self.number = number
        self.name = f"{connection.name} ({number})"
        self.closing = False
        self.ignored_publishes = 0
        self.content: IncomingContent[methods.BasicPublish] | None = None
        self.consumers: dict[str, AmqpConsumer] = {}
        self.deliveries: Deliveries = Deliveries(self._delivery_timed_out, connection.settling)
        self.acks = ConsecutiveAcks()
        self.counts: SessionCounts = self.client.counts.begin(SessionCounts(self.client.vhost, self._unacknowledged))
        self.deliveries.counts = self.counts
        self.shared_credit: SharedCredit = SharedCredit(self.consumers)
        self.prefetch = connection.settings.prefetch_default
        self.confirms: Confirms | None = None
        self.transaction: Transaction | None = None
        self._last_queue: str | None = None
        self.reply_queue: Queue | None = None
        self.node: NodeEnd | None = None

    def send(self, method: methods.Method) -> None:
        """Send a method without content on this channel."""
        self.connection.send(self.number, method)

    # Publishing

    def begin_content(self, method: methods.BasicPublish, frame: bytes) -> None:
        """A basic.publish came: check it, then take the content that follows."""
        check_method(self, method)
        self.content = IncomingContent(method, frame)
        self.connection.unfinished.begun()

    def content_frame(self, kind: int, data: bytes, start: int, stop: int) -> None:
        """A header or body frame for the publish under way."""
        content = self.content
        if content is None:
            return
        before = content.body_bytes
        content.add(kind, data[start + FRAME_PREFIX_BYTES : stop], self.connection.settings.message_bytes_max)
        self.connection.unfinished.grown(content.body_bytes - before)
        if content.complete:
            self._end_content()
            try:
                publish(self, content)
            except Unanswered as unanswered:
                self.connection.asking_rights.when_answered(unanswered, partial(self._publish_again, content))

    def _publish_again(self, content: IncomingContent[methods.BasicPublish]) -> None:
        """What the publish depended on is answered."""
        if self.closing:
            return
        try:
            publish(self, content)
        except BrokerError as error:
            self.connection.frame_failed(error, self.number, (CLASS_BASIC, BASIC_PUBLISH))

    def _end_content(self) -> None:
        if self.content is not None:
            self.connection.unfinished.ended(self.content.body_bytes)
            self.content = None

    # Confirms and transactions: warren.core.broker.Committed

    def select_confirms(self) -> None:
        """confirm.select; PreconditionFailed (406) on a transactional channel, as it is one or the other."""
        if self.transaction is not None:
            raise PreconditionFailed("cannot switch from tx to confirm mode; use another channel")
        if self.confirms is None:
            self.confirms = Confirms()
            self.connection.known.forget()
            self.connection.channels.confirming(self)

    def select_transactions(self) -> None:
        """tx.select; PreconditionFailed (406) in confirm mode."""
        if self.confirms is not None:
            raise PreconditionFailed("cannot switch from confirm to tx mode; use another channel")
        if self.transaction is None:
            self.transaction = Transaction(self.client.vhost.broker.users.version)
            self.connection.known.forget()

    @property
    def committing(self) -> bool:
        """True between tx.commit and its answer, when no other command may come (spec A.5)."""
        return self.transaction is not None and self.transaction.committing

    def confirm_batch(self) -> None:
        """At the end of a batch: confirm what may be, and wait for a flush with the rest."""
        confirms = self.confirms
        if confirms is None or confirms.published == confirms.confirmed or self.closing:
            return
        if confirms.waits:
            self.client.vhost.broker.awaiting_flush[self] = None
            return
        before = confirms.confirmed
        self._confirm(before, confirms.now())

    def mark(self) -> int:
        """What a flush that begins now covers: publishes of a confirm channel, commits of a transactional one."""
        if self.confirms is not None:
            return self.confirms.mark()
        return self.transaction.commits_requested if self.transaction is not None else 0

    def flushed(self, mark: int) -> None:
        """That flush is on disk."""
        if self.closing or not self.connection.channels.has(self):
            return
        if self.confirms is not None:
            before = self.confirms.confirmed
            self._confirm(before, self.confirms.flushed(mark))
        elif self.transaction is not None:
            self._commit_done(self.transaction, mark)

    def publish_answered(self, number: int, *, taken: bool) -> None:
        """Queues have answered later whether they take the publish of this number: refuse it, or confirm."""
        confirms = self.confirms
        if confirms is None or self.closing or not self.connection.channels.has(self):
            return
        before = confirms.confirmed
        now = confirms.answered(number, taken=taken)
        if not taken:
            self.send(methods.BasicNack(number, multiple=False, requeue=False))
        self._confirm(before, now)

    def row_answered(self, first: int, count: int, *, taken: bool) -> None:
        """The same for so many publishes, from the one of this number on."""
        confirms = self.confirms
        if confirms is None or self.closing or not self.connection.channels.has(self):
            return
        before = confirms.confirmed
        now = confirms.answered_row(first, count, taken=taken)
        if not taken:
            for number in range(first, first + count):
                self.send(methods.BasicNack(number, multiple=False, requeue=False))
        self._confirm(before, now)

    def commit_answered(self, transaction: Transaction) -> None:
        """Queues have answered later whether they take the publishes of the commit under way."""
        if transaction is self.transaction and not self.closing and self.connection.channels.has(self):
            self._commit_done(transaction, transaction.on_disk)

    def committed(self, waits: bool) -> None:
        """A commit is done: tx.commit-ok is sent, or waits for the disk."""
        if waits:
            self.client.vhost.broker.awaiting_flush[self] = None
        else:
            self.send(methods.TxCommitOk())

    def _commit_done(self, transaction: Transaction, mark: int) -> None:
        try:
            for _ in range(transaction.committed_up_to(mark)):
                self.send(methods.TxCommitOk())
        except PreconditionFailed as error:
            self.connection.channel_failed(self, error, (methods.TxCommit.CLASS_ID, methods.TxCommit.METHOD_ID))

    def _confirm(self, before: int, number: int | None) -> None:
        if number is not None:
            if self.confirms is not None:
                self.counts.confirmed(self.confirms.safe_count - self.counts.confirm)
            self.send(methods.BasicAck(number, multiple=number - before > 1))

    # Consumers

    def set_prefetch(self, count: int) -> None:
        """basic.qos without global: the limit of consumers to come, each; 0 for none."""
        self.prefetch = count

    def set_global_limit(self, limit: int, then: Callable[[], None]) -> None:
        """basic.qos with global: one limit for all consumers of the channel, existing ones too; 0 for none.

        then: called when that holds, which may be in a later turn.
        """
        if limit and self.shared_credit.takes_turns_to_limit:
            self.connection.settling.begin(self._set_global_limit_in_turns(limit, then))
        else:
            self._set_global_limit(limit)
            then()

    def _set_global_limit_in_turns(self, limit: int, then: Callable[[], None]) -> Iterator[None]:
        yield from self.shared_credit.thin_out()
        if self.connection.channels.has(self) and not self.closing:
            self._set_global_limit(limit)
            then()

    def _set_global_limit(self, limit: int) -> None:
        outstanding = sum(1 for _, _, consumer in self.deliveries.unacked.values() if consumer is not None)
        if self.transaction is not None:
            outstanding += self.transaction.uncommitted_consumer_acks
        self.shared_credit.set_limit(limit, outstanding)

    def cancel(self, tag: str) -> None:
        """The client ends a consumer; an unknown tag is fine."""
        consumer = self.consumers.pop(tag, None)
        if consumer is None:
            return
        end_consumer(consumer)
        self.shared_credit.forget(consumer)
        if consumer.queue is self.reply_queue:
            self.end_reply_consumer()

    def settle(self, tag: int, *, multiple: bool, verdict: Verdict) -> None:
        """Settle one delivery, or all up to `tag`, now or, on a tx channel, at the commit.

        Raises PreconditionFailed (406) for an unknown tag.
        """
        if self.transaction is not None:
            self.deliveries.take_up_to(tag, self.transaction.settling_by(verdict), multiple=multiple)
        else:
            self.deliveries.settle_up_to(tag, verdict, multiple=multiple)

    def consumer_cancelled(self, consumer: AmqpConsumer) -> None:
        """The broker ended a consumer: notify the client if it declared consumer_cancel_notify."""
        self.consumers.pop(consumer.tag, None)
        if "consumer_cancel_notify" in self.connection.agreed.capabilities and not self.closing:
            self.send(cancel_notice(consumer.tag))

    def _delivery_timed_out(self, consumer: Consumer, timeout_ms: int) -> None:
        """Cancel the consumer with notice and return its messages; without cancel notify, close the channel (406)."""
        if "consumer_cancel_notify" not in self.connection.agreed.capabilities:
            self.deliveries.time_out(consumer)
            self.connection.channel_failed(
                self,
                PreconditionFailed(
                    f"delivery acknowledgement on channel {self.number} timed out. "
                    f"Timeout value used: {timeout_ms} ms. "
                    "This timeout value can be configured, see consumers doc guide to learn more; "
                    "acknowledge sooner, or set another x-consumer-timeout"
                ),
            )
            return
        self.consumers.pop(consumer.tag, None)
        self.send(cancel_notice(consumer.tag))
        end_consumer(consumer)
        self.deliveries.time_out(consumer)

    def begin_reply_consumer(self, queue: Queue) -> None:
        """Direct reply-to: `queue` takes the replies to what is published on this channel (spec A.7)."""
        self.reply_queue = queue
        self.client.vhost.add_reply_queue(queue)
        self.client.vhost.changed()

    def end_reply_consumer(self) -> None:
        """The direct reply-to consumer is gone; replies still under way are dropped."""
        if self.reply_queue is not None:
            self.client.vhost.remove_reply_queue(self.reply_queue.name)
            self.client.vhost.changed()
            self.reply_queue = None

    # The end

    def fail(self, error: BrokerError, class_id: int, method_id: int) -> None:
        """Close the channel with `error`; it ends at once, and is forgotten when the client says close-ok."""
        self.confirm_batch()
        self.closing = True
        self.end()
        channel_ended(self.connection, self.number)
        connection = self.connection
        told = f"channel {self.number} was closed: {error.logged_text}"
        connection.broker.troubles.note(connection.broker.now_ms, connection.name, told)
        self.send(methods.ChannelClose(error.code, short_text(error.reply_text), class_id, method_id))

    def close(self) -> None:
        """The client closed the channel."""
        self.confirm_batch()
        self.end()
        self.connection.settling.then(self._closed)

    def _closed(self) -> None:
        if self.connection.channels.has(self):
            self.connection.channel_closed(self)
            self.send(methods.ChannelCloseOk())

    def frame_while_closing(self, ids: tuple[int, int]) -> None:
        """Only close and close-ok count on a channel that the broker closed."""
        if ids == CHANNEL_CLOSE_OK:
            self.connection.channel_closed(self)
        elif ids == CHANNEL_CLOSE:
            self.send(methods.ChannelCloseOk())
            self.connection.channel_closed(self)

    def end(self) -> None:
        """Consumers go, unacknowledged messages return to their queues in order, an open transaction is void."""
        self._end_content()
        self.connection.known.forget()
        taken: list[dict[int, Delivery]] = []
        if self.transaction is not None:
            taken = self.transaction.end(self.client.vhost.broker.chores)
            self.transaction = None
        end_consumers(list(self.consumers.values()), self.connection.settling.begin)
        self.consumers.clear()
        self.shared_credit.clear()
        self.end_reply_consumer()
        self.deliveries.give_back(taken)
        self.connection.settling.then(partial(self.client.counts.end, self.counts))
        self.client.vhost.broker.awaiting_flush.pop(self, None)

    def _unacknowledged(self) -> int:
        """What was given to be settled and hasn't been acknowledged, or not for good."""
        uncommitted = self.transaction.uncommitted_acks if self.transaction is not None else 0
        return self.deliveries.unacknowledged() + uncommitted

    def queue_name(self, name: str) -> str:
        """`name`, or the queue declared last when it is empty; NotFound (404) when there was none (spec A.4)."""
        if self.node is not None:
            self.node.check()
        if name:
            return name
        if self._last_queue is None:
            raise NotFound("no previously declared queue; name the queue")
        return self._last_queue

    def queue_declared(self, name: str) -> None:
        """An empty queue name means this one from now on."""
        self._last_queue = name
