"""A direct client as the broker sees it: a connection that has no bytes.

It is in `broker.sessions` like any other, with its user, its virtual host, its limits and its row in the listings, and
an administrator may close it.  Each consumer counts as a channel; the client's own, number 1, is for publishing and
polling.

Confirms need no numbers here.  A publish that must be on disk first waits in `_stored`, in order; a flush covers
what was published before it began, which is what `mark` says.

Longer than 400 lines because it is all that a program can ask a broker for, each a few lines.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Final

from warren.adapters.direct.confirmation import Confirmation
from warren.adapters.direct.consumer import DirectConsumer
from warren.adapters.direct.delivery import Delivery
from warren.adapters.direct.errors import ClientClosed, PublishBlocked, Refused, Unroutable
from warren.adapters.direct.listing import (
    OWN_CHANNEL,
    PROTOCOL,
    ConsumerChannelRow,
    DirectConnectionRow,
    OwnChannelRow,
)
from warren.adapters.direct.unknown_rights import UnknownRights
from warren.adapters.session.admission import look_at_rate
from warren.adapters.session.deliveries import Deliveries, Verdict
from warren.adapters.session.settling import Settling
from warren.core.clients.client import Client
from warren.core.clients.limits import check_consumer
from warren.core.declaring.names import check_routing_key, clean_name, generated_name
from warren.core.declaring.queues import accessible_queue, end_client
from warren.core.errors import BrokerError, NotAllowed
from warren.core.messages.shown import shown_properties
from warren.core.queues import observing
from warren.core.queues.answer import Answer, Polled
from warren.core.routing.publish import check_publish, publish_with_receipt
from warren.core.routing.receipt import Receipt
from warren.core.routing.vhost import Outcome

if TYPE_CHECKING:
    from warren.adapters.direct.pace import DirectPace
    from warren.core.access.accounts import User
    from warren.core.administration.listing.channels import ChannelRow
    from warren.core.broker import Broker
    from warren.core.messages.field_table import FieldValue
    from warren.core.messages.message import Message
    from warren.core.messages.properties import Properties
    from warren.core.queues.ack_timeout import AckHolder
    from warren.core.queues.base import Queue
    from warren.core.queues.consumer import Consumer

CHECKED_MAX: Final = 1024
"""Remembered addresses that may be published to; a program with ever new routing keys starts over."""


class _Flushed(Confirmation):
    """Stands among those that wait for the disk, for a confirm that waits for a queue's answer as well."""

    __slots__ = ("_both",)

    def __init__(self, both: Receipt) -> None:
        super().__init__()
        self._both = both

    def settled(self) -> None:
        self._both.answer(taken=True)


class DirectSession:
    """See the head of this file; implements core.broker.SessionEntry and Committed.

    name: unique, for listings.  provided_name: what the program calls itself.  changed: called after something was
    done that the broker's next turn has to look at.  Raises NotAllowed (530) when the virtual host isn't there or not
    the user's, or a limit is reached.
    """

    def __init__(
        self,
        broker: Broker,
        user: User,
        vhost_name: str,
        *,
        name: str,
        provided_name: str,
        changed: Callable[[], None],
    ) -> None:
        self.broker = broker
        self.name = name
        self.provided_name = provided_name
        self.changed = changed
        vhost = broker.open_vhost(user, vhost_name)
        self.client = Client(name, user, vhost, PROTOCOL, {"connection_name": provided_name})
        try:
            self.client.open_channel()
        except NotAllowed:
            self.client.close()
            raise
        self.connected_at_ms = broker.now_ms
        self.closed: ClientClosed | None = None
        self.consumers: dict[str, DirectConsumer] = {}
        self.settling = Settling(broker)
        self.polled = Deliveries(_no_timeout, self.settling)
        self.counts = self.client.counts.own
        self.counts.outstanding = self.polled.unacknowledged
        self.polled.counts = self.counts
        self.publishes_waiting = 0
        self.on_unblocked: Callable[[], object] = _nothing
        self.on_closed: Callable[[], object] = _nothing
        self._last_channel = OWN_CHANNEL
        self._stored: deque[Confirmation] = deque()
        self._late: dict[Confirmation, None] = {}
        self.unknown = UnknownRights()
        self._stored_count = 0
        self._flushed_count = 0
        self._checked: set[tuple[str, str]] = set()
        self._checked_at = -1
        self.pace: DirectPace | None = None
        broker.sessions[self] = None
        broker.alarms.listen(self._alarms_changed)
        broker.rate_limits.begin = look_at_rate
        self.rates_changed()
        self.client.when_expired(self._credentials_expired)

    def rates_changed(self) -> None:
        """There may be limits of rates now, or others, or none any more (core.clients.rate_limits)."""
        if self.pace is not None or self.broker.rate_limits.concern(self.client):
            from warren.adapters.direct import pace

            self.pace = pace.refreshed(self.pace, self, self.client, lambda: self.on_unblocked())

    def require_open(self) -> None:
        """ClientClosed once the session has ended."""
        if self.closed is not None:
            raise self.closed

    # Publishing

    @property
    def blocked(self) -> str | None:
        """Why publishing has to wait (`low on memory`); None while it doesn't."""
        blocked = self.broker.alarms.blocked
        return self.pace.blocked if blocked is None and self.pace is not None else blocked

    @property
    def unconfirmed(self) -> int:
        """Publishes that wait for the disk."""
        return len(self._stored)

    def publish(
        self,
        exchange: str,
        routing_key: str,
        properties: Properties,
        body: bytes,
        *,
        mandatory: bool = False,
        confirmation: Confirmation | None = None,
    ) -> None:
        """Publish now.  confirmation: is told what became of it.

        Raises PublishBlocked under an alarm, RateExceeded beyond a limit of a rate, AccessRefused (403), NotFound
        (404), PreconditionFailed (406).
        """
        self.require_open()
        if self.broker.alarms.blocked is not None:
            raise PublishBlocked(self.broker.alarms.blocked)
        if self.pace is not None:
            self.pace.check()
        self._check(exchange, routing_key)
        outcome, route, receipt = publish_with_receipt(self.client, exchange, routing_key, properties, body)
        self.changed()
        self.counts.published(route, len(body), returned=mandatory and confirmation is not None and not route.routed)
        if self.pace is not None:
            self.pace.published(len(body))
        if confirmation is None:
            return
        if mandatory and not route.routed:
            confirmation.settle(
                Unroutable(f"no queue takes what is published to '{exchange}' with the routing key '{routing_key}'")
            )
        elif outcome is Outcome.REFUSED:
            confirmation.settle(Refused(f"'{exchange}', '{routing_key}': {route.refusal}"))
        elif receipt is not None and receipt.pending:
            self._confirm_late(confirmation, receipt, f"'{exchange}', '{routing_key}': {route.refusal}")
        elif outcome is Outcome.STORED:
            self._wait_for_flush(confirmation)
        else:
            self.counts.confirmed(1)
            confirmation.settle(None)

    def publish_when_known(
        self,
        exchange: str,
        routing_key: str,
        properties: Properties,
        body: bytes,
        *,
        mandatory: bool,
        confirmation: Confirmation,
    ) -> None:
        """As `publish`; a message whose rights have to be asked for waits (unknown_rights.py)."""
        self.require_open()
        publish = partial(
            self.publish, exchange, routing_key, properties, body, mandatory=mandatory, confirmation=confirmation
        )
        self.unknown.publish(publish, confirmation)

    def _wait_for_flush(self, confirmation: Confirmation) -> None:
        self._stored.append(confirmation)
        self._stored_count += 1
        self.broker.awaiting_flush[self] = None

    def _confirm_late(self, confirmation: Confirmation, receipt: Receipt, refusal: str) -> None:
        """Confirm when the queues have answered, and what is stored is on disk."""
        self._late[confirmation] = None
        both = Receipt()
        both.expect()
        if receipt.stored:
            both.expect()
            self._wait_for_flush(_Flushed(both))
        receipt.then(lambda taken: both.answer(taken=taken))
        both.then(lambda taken: self._settle_late(confirmation, None if taken else Refused(refusal)))

    def _settle_late(self, confirmation: Confirmation, error: Refused | None) -> None:
        self._late.pop(confirmation, None)
        if error is None:
            self.counts.confirmed(1)
        confirmation.settle(error)

    def _check(self, exchange: str, routing_key: str) -> None:
        """Permissions and existence, once per address, for as long as core.routing.known_routes says."""
        now = self.client.vhost.version
        if now != self._checked_at or len(self._checked) >= CHECKED_MAX:
            self._checked.clear()
            self._checked_at = now
        if (exchange, routing_key) not in self._checked:
            check_routing_key(routing_key)
            check_publish(self.client, exchange, routing_key)
            self._checked.add((exchange, routing_key))

    def mark(self) -> int:
        """What a flush that begins now covers."""
        return self._stored_count

    def flushed(self, mark: int) -> None:
        """That flush is on disk: everything it covers is confirmed."""
        if self.closed is not None:
            return
        while self._flushed_count < mark:
            self._flushed_count += 1
            confirmation = self._stored.popleft()
            if not isinstance(confirmation, _Flushed):
                self.counts.confirmed(1)
            confirmation.settle(None)

    # Consuming and polling

    def consume(
        self,
        queue_name: str,
        *,
        tag: str = "",
        no_ack: bool,
        exclusive: bool,
        prefetch: int,
        arguments: Mapping[str, FieldValue],
        wake: Callable[[], None],
    ) -> DirectConsumer:
        """Begin to consume; the arguments are those of DirectConsumer, an empty tag has one made up.

        Raises NotFound (404), AccessRefused (403), ResourceLocked (405), PreconditionFailed (406), NotAllowed (530).
        """
        self.require_open()
        tag = tag or generated_name("direct.ctag")
        if tag in self.consumers:
            raise NotAllowed(f"attempt to reuse consumer tag '{tag}'; {self.name} has it")
        check_consumer(self.broker, 0)
        queue = accessible_queue(self.client, clean_name(queue_name), "read")
        self.client.open_channel()
        self._last_channel += 1
        try:
            consumer = DirectConsumer(
                self,
                queue,
                tag,
                self._last_channel,
                no_ack=no_ack,
                exclusive=exclusive,
                prefetch=prefetch,
                arguments=arguments,
                wake=wake,
            )
            queue.add_consumer(consumer)
        except BaseException:
            self.client.close_channel()
            raise
        self.consumers[tag] = consumer
        if not no_ack:
            self.broker.ack_timeouts.added(consumer)
        self.changed()
        return consumer

    def channel_closed(self) -> None:
        """A consumer is over."""
        self.client.close_channel()

    def get(self, queue_name: str, answer: Answer[Delivery | None], *, no_ack: bool) -> None:
        """Give the message at the head of a queue, if any; a queue may answer later (core/queues/answer.py)."""
        self.require_open()
        queue = accessible_queue(self.client, clean_name(queue_name), "read")

        def polled(found: Polled | BrokerError) -> None:
            if found is None:
                self.counts.of(queue).get_empty += 1
            answer(found if found is None or isinstance(found, BrokerError) else self._got(queue, found, no_ack=no_ack))

        queue.get(polled, no_ack=no_ack, client=self.client, channel_number=OWN_CHANNEL)
        self.changed()

    def _got(self, queue: Queue, found: tuple[Message, bool], *, no_ack: bool) -> Delivery | None:
        message, redelivered = found
        if self.closed is not None:
            if not no_ack:
                queue.requeue([message], failed=False)
            return None
        if queue.vhost.observed:
            properties = observing.polled(
                queue, message, self.client, OWN_CHANNEL, redelivered=redelivered, no_ack=no_ack
            )
        else:
            properties = shown_properties(queue, message, redelivered=redelivered)
        tag = self.polled.polled(queue, message, no_ack=no_ack)
        self.counts.of(queue).polled(no_ack=no_ack, redelivered=redelivered)
        return Delivery(self, tag, message, redelivered=redelivered, properties=properties)

    def settle(self, tag: int, verdict: Verdict, *, multiple: bool) -> None:
        """Settle one polled message, or all up to `tag`; as DirectConsumer.settle."""
        if tag not in self.polled.unacked:
            self.require_open()
        self.polled.settle_up_to(tag, verdict, multiple=multiple)
        self.changed()

    # For the broker

    def connection_row(self) -> DirectConnectionRow:
        """Its row in list_connections."""
        return DirectConnectionRow(self)

    def channel_rows(self) -> Iterable[ChannelRow]:
        """The rows of its channels in list_channels."""
        of = self.connection_row()
        return [OwnChannelRow(of, self), *(ConsumerChannelRow(of, each) for each in self.consumers.values())]

    def ack_holders(self) -> Iterable[AckHolder]:
        """What was polled, and each consumer."""
        return [self.polled, *(consumer.deliveries for consumer in self.consumers.values())]

    def force_close(self, reason: str) -> None:
        """An administrator, or the end of the virtual host."""
        self.close(ClientClosed(f"CONNECTION_FORCED - {reason}"))

    def _credentials_expired(self) -> None:
        self.force_close("the credentials of the connection have expired")

    def close(self, error: ClientClosed | None = None) -> None:
        """Consumers end, everything unsettled goes back, exclusive queues go; a second call does nothing.

        error: what is raised from now on; by default that it was closed by the program itself.
        """
        if self.closed is not None:
            return
        self.closed = error or ClientClosed(f"{self.name} is closed")
        for consumer in list(self.consumers.values()):
            consumer.close(self.closed)
        self.polled.give_back()
        broker = self.broker
        broker.alarms.unlisten(self._alarms_changed)
        broker.awaiting_flush.pop(self, None)
        broker.sessions.pop(self, None)
        if self.pace is not None:
            self.pace.end()
        end_client(self.client)
        waiting, self._stored, self._late = [*self._late, *self._stored, *self.unknown.close()], deque(), {}
        for confirmation in waiting:
            confirmation.settle(self.closed)
        self.on_unblocked()
        self.on_closed()
        self.changed()

    def _alarms_changed(self) -> None:
        if self.broker.alarms.blocked is None:
            self.on_unblocked()


def _nothing() -> None:
    return


def _no_timeout(consumer: Consumer, timeout_ms: int) -> None:
    """Polled messages have no consumer, so nothing of theirs times out."""
