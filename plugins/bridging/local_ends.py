"""A source and a destination in this broker itself, without a socket."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

import trio

from warren.adapters.peers.errors import PeerError
from warren.gateway.plugin import (
    BrokerError,
    Delivery,
    DirectError,
    PendingConfirmation,
    PublishBlocked,
    Refused,
    Unroutable,
)
from warren.plugins.bridging.ends import Arrived, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from warren.core.messages.properties import Properties
    from warren.core.queues.withheld import Withheld
    from warren.gateway.plugin import BrokerClient, Subscription


class LocalSource:
    """Implements ends.Source.

    withheld: is told what has arrived, before the queue is; None where nobody asks.  stored: waited for before messages
    are given out, so that they are on disk; None where nobody asks.
    """

    def __init__(
        self,
        subscription: Subscription,
        waiting: int | None,
        *,
        no_ack: bool,
        withheld: Withheld | None = None,
        stored: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.waiting = waiting
        self.subscription = subscription
        self._stored = stored
        self._no_ack = no_ack
        self._withheld = withheld

    def unsettled(self) -> tuple[int, int, int | None]:
        """What is on its way from here: see Subscription.unsettled."""
        return self.subscription.unsettled()

    async def is_empty(self) -> bool:
        """Whether nothing is in the queue, neither ready nor in anybody's hands."""
        await trio.lowlevel.checkpoint()
        return self.subscription.queue_is_empty

    async def receive(self) -> Sequence[Delivery]:
        try:
            batch = await self.subscription.receive_batch()
        except DirectError as error:
            raise PeerError(error.text) from error
        if self._stored is not None:
            await self._stored()
        return batch

    def ack(self, message: Delivery) -> None:
        self._ack(message, multiple=True)

    def ack_alone(self, message: Delivery) -> None:
        self._ack(message, multiple=False)

    def reject(self, message: Delivery) -> None:
        """This message can't be used: its queue dead-letters it, or drops it."""
        try:
            message.reject()
        except (BrokerError, DirectError) as error:
            raise PeerError(words(error)) from error

    def _ack(self, message: Delivery, *, multiple: bool) -> None:
        if self._no_ack:
            return
        if self._withheld is not None:
            # First: a message that leaves its queue unconfirmed is one that its publisher is told no of.
            for sequence in self.subscription.sequences(message, up_to=multiple):
                self._withheld.confirm(sequence)
        try:
            message.ack(up_to=multiple)
        except (BrokerError, DirectError) as error:
            raise PeerError(words(error)) from error


class LocalDestination:
    """Implements ends.Destination.

    confirms: what is refused can be told of as an outcome; else it ends the shovel's run, so that nothing more is lost.
    refuses: with confirms, asked before each publish, by address, properties and body: why it isn't to be tried now.
    """

    def __init__(
        self,
        client: BrokerClient,
        *,
        confirms: bool,
        mandatory: bool,
        refuses: Callable[[str, str, Properties, bytes], str | None] | None = None,
    ) -> None:
        self._client = client
        self._confirms = confirms
        self._mandatory = mandatory
        self._refuses = refuses if confirms else None
        self._last_number = 0
        self._waiting: deque[tuple[int, PendingConfirmation]] = deque()
        self._published = trio.lowlevel.ParkingLot()

    @property
    def blocked(self) -> str | None:
        return self._client.blocked

    async def ready(self) -> None:
        try:
            await self._client.wait_unblocked()
        except DirectError as error:
            raise PeerError(error.text) from error

    def publish(self, message: Arrived, exchange: str, routing_key: str, properties: Properties) -> int:
        self._last_number += 1
        refusal = None if self._refuses is None else self._refuses(exchange, routing_key, properties, message.body)
        try:
            if refusal is not None:
                raise Refused(refusal)
            confirmation = self._client.publish_nowait(
                exchange, routing_key, message.body, properties, mandatory=self._mandatory
            )
        except Refused as error:
            confirmation = PendingConfirmation()
            confirmation.settle(error)
        except (PublishBlocked, BrokerError) as error:
            if not self._confirms:
                raise PeerError(words(error)) from error
            # This message's trouble alone: the others may go on.
            confirmation = PendingConfirmation()
            confirmation.settle(Refused(words(error)))
        except DirectError as error:
            raise PeerError(error.text) from error
        self._waiting.append((self._last_number, confirmation))
        self._published.unpark_all()
        return self._last_number

    def flush(self) -> None:
        return

    async def wait_ended(self) -> None:
        """Return never; PeerError when the client is closed: with its virtual host, or by an administrator."""
        raise PeerError(await self._client.wait_closed())

    async def outcomes(self) -> Sequence[Outcome]:
        waiting = self._waiting
        while not waiting:
            await self._published.park()
        try:
            await waiting[0][1].wait()
        except (Unroutable, Refused):
            pass
        except DirectError as error:
            raise PeerError(error.text) from error
        return list(self._done())

    def _done(self) -> Iterator[Outcome]:
        """Those at the front of which it is known what became of them; what went well in a row is told at once."""
        waiting = self._waiting
        taken: int | None = None
        while waiting and waiting[0][1].done:
            number, confirmation = waiting.popleft()
            if confirmation.error is None:
                taken = number
                continue
            if taken is not None:
                yield Outcome(taken, True, None)
                taken = None
            yield Outcome(number, False, confirmation.error.text)
        if taken is not None:
            yield Outcome(taken, True, None)


def words(error: BrokerError | DirectError) -> str:
    """An error as a status shows it: with AMQP's name for it where it has one."""
    return error.reply_text if isinstance(error, BrokerError) else error.text
