"""A consumer without a protocol: takes messages as long as it has credit, and remembers them in order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from warren.core.clients.client import Client
from warren.core.declaring.queues import declare_queue
from warren.core.messages.address import Address
from warren.core.messages.message import Message
from warren.core.messages.properties import EMPTY, Properties
from warren.core.queues.base import Queue
from warren.core.queues.classic.queue import ClassicQueue
from warren.core.queues.consumer import Consumer

if TYPE_CHECKING:
    from tests.support.simulated_broker import SimulatedBroker
    from warren.core.messages.field_table import FieldValue


class SimulatedConsumer(Consumer):
    """`credit` counts down; `taken` is what it got and has not settled, with the redelivered flags."""

    __slots__ = ("credit", "taken", "told")

    def __init__(
        self,
        queue: Queue,
        *,
        credit: int = 1 << 30,
        no_ack: bool = False,
        exclusive: bool = False,
        tag: str = "t",
        arguments: Mapping[str, FieldValue] | None = None,
    ) -> None:
        broker = queue.vhost.broker
        client = Client("client", broker.users["guest"], queue.vhost, "test", {})
        super().__init__(queue, client, tag, no_ack=no_ack, exclusive=exclusive, prefetch=0, arguments=arguments or {})
        self.credit = credit
        self.taken: list[tuple[Message, bool]] = []
        self.told = False

    def deliver(self, message: Message, redelivered: bool) -> bool:
        assert self.credit > 0, "a delivery without credit"
        self.credit -= 1
        self.taken.append((message, redelivered))
        return self.credit > 0

    def can_take(self) -> bool:
        return self.credit > 0

    @property
    def spare_credit(self) -> int:
        return self.credit

    def cancelled(self) -> None:
        self.told = True

    def session_name(self) -> str:
        return "test"

    # For tests

    @property
    def bodies(self) -> list[bytes]:
        """Bodies of what is taken."""
        return [message.body for message, _ in self.taken]

    @property
    def redelivered(self) -> list[bool]:
        """Redelivered flags of what is taken."""
        return [flag for _, flag in self.taken]

    def give(self, credit: int) -> None:
        """More credit."""
        self.credit += credit
        self.resume()

    def withdraw(self) -> None:
        """No credit any more."""
        self.credit = 0
        self.queue.park(self)

    def acknowledge(self, count: int) -> None:
        """Acknowledge the oldest `count`."""
        for message, _ in self.taken[:count]:
            self.queue.acknowledge(message)
        del self.taken[:count]

    def requeue(self, indexes: Iterable[int] | None = None) -> None:
        """Give back what is taken at these indexes, or everything."""
        chosen = range(len(self.taken)) if indexes is None else list(indexes)
        self.queue.requeue([self.taken[index][0] for index in chosen])
        self.taken = [taken for index, taken in enumerate(self.taken) if index not in set(chosen)]


def publish(
    broker: SimulatedBroker, queue: ClassicQueue, bodies: Iterable[bytes], properties: Properties = EMPTY
) -> None:
    """Publish to one queue as an adapter does, past exchanges."""
    address = Address("", queue.name)
    core = broker.broker
    for body in bodies:
        message = Message(core.next_sequence(), address, properties, body, 0, len(body), 0, core.now_ms)
        queue.append(message)
        if queue.store_id and properties.persistent:
            core.store.append(message, (queue.store_id,))


def declare(broker: SimulatedBroker, name: str = "q", *, durable: bool = False) -> ClassicQueue:
    """A classic queue."""
    client = Client("declarer", broker.broker.users["guest"], broker.vhost, "test", {})
    queue = declare_queue(client, name, durable=durable)
    client.close()
    assert isinstance(queue, ClassicQueue)
    return queue
