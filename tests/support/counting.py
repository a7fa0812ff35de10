"""For tests of counters: queues to count, and what was counted."""

from __future__ import annotations

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_consumer import SimulatedConsumer
from warren.core.clients.client import Client
from warren.core.counters import Counts
from warren.core.declaring.bindings import add_binding
from warren.core.exchanges.binding import Binding
from warren.core.messages.properties import EMPTY, encode_properties
from warren.core.queues.base import Queue
from warren.core.queues.classic.queue import ClassicQueue
from warren.core.routing.publish import publish

BODY = b"12345"


def counted(counts: Counts) -> Counts:
    """What isn't 0, without bytes."""
    return {name: count for name, count in counts.items() if count and not name.endswith("bytes")}


def consumer_of(queue: Queue, *, no_ack: bool = False, credit: int = 1 << 30) -> SimulatedConsumer:
    assert isinstance(queue, ClassicQueue)
    consumer = SimulatedConsumer(queue, no_ack=no_ack, credit=credit)
    queue.add_consumer(consumer)
    return consumer


def declare(broker: SimulatedBroker, name: str, **arguments: str | int) -> ClassicQueue:
    client = broker.connect()
    client.declare(name, arguments={name.replace("_", "-"): value for name, value in arguments.items()})
    return broker.queue(name)


def bind(broker: SimulatedBroker, queue: str, exchange: str, key: str = "") -> None:
    add_binding(broker.vhost, broker.vhost.exchanges[exchange], Binding(exchange, broker.queue(queue), key))


def send(broker: SimulatedBroker, key: str, count: int = 1, exchange: str = "", **properties: object) -> None:
    client = Client("publisher", broker.broker.users["guest"], broker.vhost, "test", {})
    encoded = encode_properties(**properties) if properties else EMPTY  # type: ignore[arg-type]
    for _ in range(count):
        publish(client, exchange, key, encoded, BODY)
    client.close()
