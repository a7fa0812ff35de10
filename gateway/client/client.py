"""One client within the broker's process: declare, publish, consume, poll, look.

Every async function is a checkpoint of Trio.  What can't wait is a plain call: settling a delivery, `publish_nowait`.
Errors of the broker (core.errors) come as they are, and end nothing but the call: there is no channel that they close.

Cancelling a call at any point leaves nothing behind: either it hasn't been done, or it was done as a whole.  A publish
whose confirm isn't waited for to the end has been published all the same.

Longer than 400 lines because all that a client can do is documented in one place.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

import trio

from warren.adapters.direct.errors import ConsumerEnded
from warren.core.declaring.bindings import bind, unbind
from warren.core.declaring.exchanges import check_exchange, declare_exchange, delete_exchange, remove_emptied
from warren.core.declaring.names import clean_name
from warren.core.declaring.queues import accessible_queue, check_queue, declare_queue, delete_queue, purge_queue
from warren.core.frozen import frozen
from warren.core.messages.field_table import EMPTY_TABLE_RAW, Encodable, FieldTable, decode_table, encode_table
from warren.core.messages.properties import EMPTY, Properties
from warren.core.queues.answer import Answer, ignore
from warren.core.queues.browse import EVERYTHING, Browsed, MessageFilter, browse
from warren.gateway.client.confirmation import PendingConfirmation
from warren.gateway.client.subscription import Subscription
from warren.gateway.network.answered import answered, when_known

if TYPE_CHECKING:
    from warren.adapters.direct.delivery import Delivery
    from warren.adapters.direct.session import DirectSession
    from warren.core.exchanges.binding import DestinationKind
    from warren.core.queues.base import Queue
    from warren.gateway.network.hub import Hub

PREFETCH_DEFAULT: Final = 256
"""Deliveries that a consumer may hold unless told otherwise: enough to keep a program busy between two turns."""

BROWSED_DEFAULT: Final = 100
"""Messages that `browse` gives unless told otherwise."""

Result = TypeVar("Result")


@frozen
class QueueState:
    """A queue as it was when it was asked about.  messages: those that are ready."""

    name: str
    messages: int
    consumers: int


class BrokerClient:
    """See the head of this file; made by `connect` of EmbeddedBroker and of a plugin's context."""

    def __init__(self, hub: Hub, session: DirectSession) -> None:
        self._hub = hub
        self._session = session
        self._blocked_parking = trio.lowlevel.ParkingLot()
        self._closed_parking = trio.lowlevel.ParkingLot()
        session.on_unblocked = self._blocked_parking.unpark_all
        session.on_closed = self._closed_parking.unpark_all

    # About itself

    @property
    def name(self) -> str:
        """What listings call its connection."""
        return self._session.name

    @property
    def user(self) -> str:
        """Whose permissions it has."""
        return self._session.client.user.name

    @property
    def vhost(self) -> str:
        """The virtual host that it is in."""
        return self._session.client.vhost.name

    @property
    def blocked(self) -> str | None:
        """Why publishing waits now, such as "low on memory"; None while it doesn't."""
        return self._session.blocked

    @property
    def closed(self) -> bool:
        """True once it has ended; everything raises ClientClosed then."""
        return self._session.closed is not None

    async def wait_closed(self) -> str:
        """Return, with the reason, when it has ended: by an administrator, or with its virtual host or the broker."""
        while self._session.closed is None:
            await self._closed_parking.park()
        await trio.lowlevel.checkpoint()
        return self._session.closed.text

    async def renew(self, secret: str) -> None:
        """Go on with a newer secret than was logged in with, such as a token, before that one expires.

        Raises AccessRefused when it isn't taken, and nothing has changed then.  When what the user has logged in with
        stops being valid, the client is closed.
        """
        await self._do(lambda: self._session.client.renew(secret))

    def close(self) -> None:
        """End it now, as leaving its block does."""
        self._hub.note_time()
        self._session.close()

    # Queues

    async def declare_queue(
        self,
        name: str = "",
        *,
        durable: bool = False,
        exclusive: bool = False,
        auto_delete: bool = False,
        arguments: Mapping[str, Encodable] | None = None,
    ) -> QueueState:
        """Make a queue, or agree with the one that is there; an empty name has one made up.

        An exclusive queue is this client's alone and goes with it.  Raises AccessRefused (403), ResourceLocked (405),
        PreconditionFailed (406).
        """
        table, raw = _table(arguments)
        declared: list[Queue] = []

        def declare(answer: Answer[None]) -> None:
            queue = declare_queue(
                self._session.client,
                name,
                durable=durable,
                exclusive=exclusive,
                auto_delete=auto_delete,
                arguments=table,
                arguments_raw=raw,
            )
            declared.append(queue)
            queue.when_ready(answer)

        await self._ask(declare)
        await self._hub.kept()
        return _state_of(declared[0])

    async def check_queue(self, name: str) -> QueueState:
        """A passive declare: NotFound (404) unless the queue is there."""
        found: list[Queue] = []

        def check(answer: Answer[None]) -> None:
            found.append(check_queue(self._session.client, name))
            found[0].when_ready(answer)

        await self._ask(check)
        await self._hub.kept()
        return _state_of(found[0])

    async def delete_queue(self, name: str, *, if_unused: bool = False, if_empty: bool = False) -> int:
        """Delete a queue; the number of messages that went with it, 0 when there was no such queue.

        Raises PreconditionFailed (406) when a condition doesn't hold.
        """
        count: int = await self._ask(
            partial(delete_queue, self._session.client, name, if_unused=if_unused, if_empty=if_empty)
        )
        await self._hub.kept()
        return count

    async def purge_queue(self, name: str) -> int:
        """Drop the ready messages of a queue; how many those were."""
        count: int = await self._ask(partial(purge_queue, self._session.client, name))
        return count

    async def bind_queue(
        self, queue: str, exchange: str, routing_key: str = "", arguments: Mapping[str, Encodable] | None = None
    ) -> None:
        """Have an exchange route to a queue; binding twice is once."""
        await self._bind("queue", queue, exchange, routing_key, arguments)

    async def unbind_queue(
        self, queue: str, exchange: str, routing_key: str = "", arguments: Mapping[str, Encodable] | None = None
    ) -> None:
        """Take such a binding away; nothing happens when it isn't there."""
        await self._unbind("queue", queue, exchange, routing_key, arguments)

    # Exchanges

    async def declare_exchange(
        self,
        name: str,
        type_name: str,
        *,
        durable: bool = False,
        auto_delete: bool = False,
        internal: bool = False,
        arguments: Mapping[str, Encodable] | None = None,
    ) -> None:
        """Make an exchange, or agree with the one that is there; AccessRefused (403), PreconditionFailed (406)."""
        table, raw = _table(arguments)

        def declare() -> None:
            declare_exchange(
                self._session.client,
                name,
                type_name,
                durable=durable,
                auto_delete=auto_delete,
                internal=internal,
                arguments=table,
                arguments_raw=raw,
            )

        await self._do(declare)
        await self._hub.kept()

    async def check_exchange(self, name: str) -> None:
        """A passive declare: NotFound (404) unless the exchange is there."""
        await self._do(lambda: check_exchange(self._session.client, name))
        await self._hub.kept()

    async def delete_exchange(self, name: str, *, if_unused: bool = False) -> None:
        """Delete an exchange; nothing happens when there is none of this name."""
        await self._do(lambda: delete_exchange(self._session.client, name, if_unused=if_unused))
        await self._hub.kept()

    async def bind_exchange(
        self, destination: str, source: str, routing_key: str = "", arguments: Mapping[str, Encodable] | None = None
    ) -> None:
        """Have the exchange `source` route to the exchange `destination`."""
        await self._bind("exchange", destination, source, routing_key, arguments)

    async def unbind_exchange(
        self, destination: str, source: str, routing_key: str = "", arguments: Mapping[str, Encodable] | None = None
    ) -> None:
        """Take such a binding away; nothing happens when it isn't there."""
        await self._unbind("exchange", destination, source, routing_key, arguments)

    # Publishing

    async def publish(
        self,
        exchange: str,
        routing_key: str,
        body: bytes,
        properties: Properties = EMPTY,
        *,
        mandatory: bool = False,
    ) -> None:
        """Publish, and return when the message is confirmed: on disk, if it had to be there.

        It waits while a resource alarm is raised (`blocked`).  Raises Unroutable when nothing takes a mandatory
        message, Refused when a full queue refuses it, and the broker's errors.
        """
        confirmation = await self.begin_publish(exchange, routing_key, body, properties, mandatory=mandatory)
        await confirmation.wait()

    async def begin_publish(
        self,
        exchange: str,
        routing_key: str,
        body: bytes,
        properties: Properties = EMPTY,
        *,
        mandatory: bool = False,
    ) -> PendingConfirmation:
        """Publish, and return without the confirm, which can be waited for later while others are under way."""
        confirmation = PendingConfirmation()
        await self._publish(
            lambda: self._session.publish(
                exchange, routing_key, properties, body, mandatory=mandatory, confirmation=confirmation
            )
        )
        return confirmation

    async def _publish(self, publish: Callable[[], None]) -> None:
        """Publish when nothing holds that back, and behind what waits already."""

        async def do() -> None:
            await self.wait_unblocked()
            self._hub.note_time()
            self._session.unknown.require_none()
            publish()

        await when_known(do)

    def publish_nowait(
        self,
        exchange: str,
        routing_key: str,
        body: bytes,
        properties: Properties = EMPTY,
        *,
        mandatory: bool = False,
    ) -> PendingConfirmation:
        """The same without waiting for anything; raises PublishBlocked under a resource alarm.

        Where the user's rights are another authentication back-end's to say, and it has to be asked, the message is
        published when it has answered, before what is published later, and whatever refuses it then is for the
        confirm's waiter.

        Who publishes in a loop has to let the broker work now and then: by waiting for confirms, or for deliveries.
        """
        confirmation = PendingConfirmation()
        self._hub.note_time()
        self._session.publish_when_known(
            exchange, routing_key, properties, body, mandatory=mandatory, confirmation=confirmation
        )
        return confirmation

    async def send(self, exchange: str, routing_key: str, body: bytes, properties: Properties = EMPTY) -> None:
        """Publish without a confirm; what nothing takes is dropped.  It waits while a resource alarm is raised."""
        await self._publish(lambda: self._session.publish(exchange, routing_key, properties, body))

    # Consuming, polling, looking

    @asynccontextmanager
    async def consume(
        self,
        queue: str,
        *,
        prefetch: int = PREFETCH_DEFAULT,
        no_ack: bool = False,
        exclusive: bool = False,
        tag: str = "",
        arguments: Mapping[str, Encodable] | None = None,
    ) -> AsyncIterator[Subscription]:
        """Consume for the length of an `async with` block; what isn't settled at its end goes back to the queue.

        prefetch: deliveries that may be unsettled at once, at least 1.  no_ack: deliveries are settled by arriving;
        then it is those that the program hasn't taken, and they are lost if it leaves.  exclusive: nobody else may
        consume from the queue.  tag: its name in listings.  arguments: `x-priority` and the like.
        """
        if prefetch < 1:
            raise ValueError("a prefetch is at least 1")
        table, _ = _table(arguments)
        subscription = Subscription()
        consumer = await self._do(
            lambda: self._session.consume(
                queue,
                tag=tag,
                no_ack=no_ack,
                exclusive=exclusive,
                prefetch=prefetch,
                arguments=table,
                wake=subscription.wake,
            )
        )
        subscription.start(consumer)
        try:
            yield subscription
        finally:
            self._hub.note_time()
            consumer.close(ConsumerEnded("its block was left, and what was unsettled then has gone back to the queue"))

    async def get(self, queue: str, *, no_ack: bool = False) -> Delivery | None:
        """The message at the head of a queue, to be settled unless `no_ack`; None when there is none."""
        otherwise = ignore if no_ack else _give_back
        found: Delivery | None = await self._ask(partial(self._session.get, queue, no_ack=no_ack), otherwise)
        if found is None:
            self._session.require_open()
        return found

    async def browse(
        self, queue: str, start: int = 0, count: int = BROWSED_DEFAULT, wanted: MessageFilter = EVERYTHING
    ) -> tuple[list[Browsed], int]:
        """Messages of a queue from position `start` on, without taking them, and the position to go on from.

        See core.queues.browse: what is looked at in one call is bounded.
        """

        def look() -> tuple[list[Browsed], int] | None:
            found = accessible_queue(client, name, "read")
            return None if found.is_remote else browse(found, start, count, wanted)

        client, name = self._session.client, clean_name(queue)
        here = await self._do(look)
        if here is not None:
            return here
        from warren.core.administration.operations.queues import Page, page_elsewhere

        vhost = client.vhost
        far = partial(page_elsewhere, vhost.broker, vhost.name, name, start=start, count=count, wanted=wanted)
        page: Page = await self._ask(far)
        return page.messages, page.following

    # Below

    async def _do(self, call: Callable[[], Result]) -> Result:
        """One operation: not begun when the task is cancelled already, and never cut in the middle.

        It waits for rights that have to be asked for, and is begun when they are known.
        """

        async def do() -> Result:
            self._session.require_open()
            self._hub.note_time()
            try:
                return call()
            finally:
                self._hub.request_turn()
                await trio.lowlevel.cancel_shielded_checkpoint()

        await trio.lowlevel.checkpoint_if_cancelled()
        return await when_known(do)

    async def _ask(
        self, question: Callable[[Answer[Result]], None], otherwise: Callable[[Result], None] = ignore
    ) -> Result:
        """One operation that a queue may answer later.  otherwise: takes what comes for a wait that was cancelled."""
        await trio.lowlevel.checkpoint_if_cancelled()
        self._session.require_open()
        self._hub.note_time()
        return await answered(question, self._hub.request_turn, otherwise)

    async def wait_unblocked(self) -> None:
        """Wait as long as publishing is held back; for who publishes by `publish_nowait`."""
        session = self._session
        session.require_open()
        if session.blocked is None:
            await trio.lowlevel.checkpoint()
        while session.blocked is not None:
            session.publishes_waiting += 1
            try:
                await self._blocked_parking.park()
            finally:
                session.publishes_waiting -= 1
            session.require_open()

    async def _bind(
        self,
        kind: DestinationKind,
        destination: str,
        source: str,
        routing_key: str,
        arguments: Mapping[str, Encodable] | None,
    ) -> None:
        table, raw = _table(arguments)
        await self._do(lambda: bind(self._session.client, kind, destination, source, routing_key, table, raw))
        await self._hub.kept()

    async def _unbind(
        self,
        kind: DestinationKind,
        destination: str,
        source: str,
        routing_key: str,
        arguments: Mapping[str, Encodable] | None,
    ) -> None:
        table, _ = _table(arguments)

        def take_away() -> None:
            client = self._session.client
            remove_emptied(client.vhost, unbind(client, kind, destination, source, routing_key, table))

        await self._do(take_away)
        await self._hub.kept()


def _table(arguments: Mapping[str, Encodable] | None) -> tuple[FieldTable, bytes]:
    """Arguments as core wants them, decoded and as they would stand on the wire."""
    if not arguments:
        return {}, EMPTY_TABLE_RAW
    raw = encode_table(arguments)
    return decode_table(raw, 0)[0], raw


def _state_of(queue: Queue) -> QueueState:
    return QueueState(queue.name, queue.ready_count, queue.consumer_count)


def _give_back(delivery: Delivery | None) -> None:
    """A polled message that nobody waits for any more."""
    if delivery is not None:
        delivery.nack()
