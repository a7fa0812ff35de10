"""AMQP 1.0 frames that are sent many at once, and what is counted in one turn."""

from __future__ import annotations

from collections.abc import Callable

from tests.support import core_clients
from tests.support.simulated_broker import SimulatedBroker
from warren.adapters.amqp10.codec.composites import encode_composite
from warren.adapters.amqp10.codec.framing import frame_of
from warren.adapters.amqp10.codec.performatives import Attach, Disposition
from warren.adapters.amqp10.codec.termini import Source
from warren.adapters.session.deliveries import SETTLED_PER_SLICE
from warren.core.queues.classic.queue import ClassicQueue

MANY = 3 * SETTLED_PER_SLICE + 7
IN_ORDER = [b"%d" % number for number in range(MANY)]
WIDE = 2**31 - 1
CONTROL = 9
"""The handle of a coordinator's link."""


def frame(body: object, payload: bytes = b"", channel: int = 0) -> bytes:
    """A frame with this performative."""
    return frame_of(channel, encode_composite(body) + payload)


def disposition(first: int, last: int | None, state: object, *, settled: bool = True) -> bytes:
    """The frame of a receiver's disposition."""
    body = Disposition()
    body.role, body.first, body.last, body.settled, body.state = True, first, last, settled, state
    return frame(body)


def attach(handle: int, name: str, address: str = "/queues/q") -> bytes:
    """The frame of a receiver's attach."""
    body = Attach()
    body.name, body.handle, body.role = name, handle, True
    body.source = Source()
    body.source.address = address
    return frame(body)


def queue_of(broker: SimulatedBroker, count: int = 0) -> ClassicQueue:
    """A durable queue `q` with so many messages, `0` and so on."""
    made = core_clients.queue(broker, "q", {}, durable=True)
    assert isinstance(made, ClassicQueue)
    for number in range(count):
        core_clients.publish(broker, "", b"%d" % number, core_clients.persistent(), "q")
    broker.settle()
    return made


def most_per_turn(broker: SimulatedBroker, count: Callable[[], int]) -> int:
    """By how much it fell in the turn in which it fell most."""
    most, more = 0, True
    while more:
        before = count()
        more = broker.broker.end_turn()
        most = max(most, before - count())
    return most


def turns(broker: SimulatedBroker) -> int:
    """How many there are until the broker has come to rest."""
    count = 1
    while broker.broker.end_turn():
        count += 1
    return count


def ready(queue: ClassicQueue) -> list[bytes]:
    """What is ready in a queue."""
    return [message.body for message in queue.browse(0, queue.ready_count)]
