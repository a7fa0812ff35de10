"""A consumer to iterate over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from warren.adapters.direct.consumer import DirectConsumer
    from warren.adapters.direct.delivery import Delivery


class Subscription:
    """What `BrokerClient.consume` gives.

        async for delivery in subscription:
            ...
            delivery.ack()

    It holds at most its prefetch of deliveries that aren't settled, taken by the program or not.  The iteration ends
    after `cancel`; it raises ConsumerEnded when the broker ended the consumer (the queue was deleted, the
    acknowledgement timeout), ClientClosed when the client or the broker has ended.
    """

    __slots__ = ("_consumer", "_parking")

    def __init__(self) -> None:
        self._parking = trio.lowlevel.ParkingLot()
        self._consumer: DirectConsumer

    def start(self, consumer: DirectConsumer) -> None:
        """The consumer that `wake` is for."""
        self._consumer = consumer

    def wake(self) -> None:
        """Something arrived, or nothing more will."""
        self._parking.unpark_all()

    @property
    def tag(self) -> str:
        """The consumer tag, as listings show it."""
        return self._consumer.tag

    @property
    def queue_name(self) -> str:
        """The queue that it consumes from."""
        return self._consumer.queue.name

    @property
    def queue_is_empty(self) -> bool:
        """True when nothing is in the queue, neither ready nor with any consumer."""
        queue = self._consumer.queue
        return not (queue.ready_count or queue.unacked_count)

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> Delivery:
        if not await self._arrived():
            raise StopAsyncIteration
        return self._consumer.take()

    async def receive_batch(self) -> list[Delivery]:
        """Everything that has arrived, at least one; an empty list after `cancel`.  For many messages a second."""
        if not await self._arrived():
            return []
        take = self._consumer.take
        return [take() for _ in range(len(self._consumer.arrived))]

    def sequences(self, delivery: Delivery, *, up_to: bool = False) -> list[int]:
        """The broker's own number of a delivery's message, `Message.sequence`; or of all unsettled ones up to it.

        A message has the same one for as long as it is in its queue, and this process lives.
        """
        return self._consumer.sequences(delivery.tag, multiple=up_to)

    def stored_at(self, delivery: Delivery) -> tuple[int, int]:
        """Where the message log has an unsettled delivery's message, 0 for one that isn't stored, or not yet; and its
        sequence.  The position is the message's own, whatever happens to the broker, the sequence while this process
        lives.
        """
        return self._consumer.stored_at(delivery.tag)

    def unsettled(self) -> tuple[int, int, int | None]:
        """Messages that came and aren't settled, taken or not, with the bytes of their bodies, and when the first of
        them was published, in milliseconds since 1970; looked at one by one.
        """
        return self._consumer.unsettled()

    def cancel(self) -> None:
        """Stop consuming: what the program hasn't taken goes back to the queue; what it has may still be settled."""
        self._consumer.cancel()

    async def _arrived(self) -> bool:
        """Wait until there is something to take; False when nothing will come any more."""
        consumer = self._consumer
        if consumer.arrived:
            await trio.lowlevel.checkpoint()
        while not consumer.arrived:
            if consumer.error is not None:
                raise consumer.error
            if not consumer.active:
                return False
            await self._parking.park()
        return True
