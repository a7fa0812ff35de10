"""What an operation of the matrix of rights is, and what is there before one is tried."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.support.core_broker import core_client
from tests.support.other_back_ends import Atom
from tests.support.simulated_broker import SimulatedBroker
from warren.core.declaring import super_streams
from warren.core.declaring.bindings import bind
from warren.core.declaring.exchanges import declare_exchange
from warren.core.declaring.queues import declare_queue
from warren.core.messages.field_table import EMPTY_TABLE_RAW, FieldValue, encode_table
from warren.core.queues.stream.queue import StreamQueue

USER = "alice"
PASSWORD = "secret"

SUPER = "super"
PARTITIONS = ("super-a", "super-b")

ENTER: Atom = ("vhost", "/")

ANY = "(any)"
"""Instead of a queue's name that the broker makes up."""

GENERATED = ("stomp-subscription-", "amq.gen-")
"""How such names begin."""


@dataclass(frozen=True)
class Operation:
    """do: tries it, and says what came of it: "allowed", or how it is refused.  needs: the rights that it takes."""

    name: str
    do: Callable[[SimulatedBroker], str]
    needs: tuple[Atom, ...]
    refused: str


def configure(kind: str, name: str) -> Atom:
    return ("configure", kind, name)


def write(kind: str, name: str) -> Atom:
    return ("write", kind, name)


def read(kind: str, name: str) -> Atom:
    return ("read", kind, name)


def make(broker: SimulatedBroker) -> None:
    """Queue `q` with a binding, streams `s` and SUPER, exchanges `x` (direct), `y` (fanout), `t` (topic).

    By nobody whose rights count.
    """
    owner = core_client(broker.broker)
    declare_queue(owner, "q")
    for name, kind in (("x", "direct"), ("y", "fanout"), ("t", "topic")):
        declare_exchange(owner, name, kind, durable=True)
    bind(owner, "queue", "q", "x", "bound", {}, EMPTY_TABLE_RAW)
    arguments: dict[str, FieldValue] = {"x-queue-type": "stream"}
    declare_queue(owner, "s", durable=True, arguments=arguments, arguments_raw=encode_table(arguments))
    for _ in super_streams.create(broker.vhost, SUPER, PARTITIONS, ["0", "1"], arguments):
        pass
    broker.settle()


def topology(broker: SimulatedBroker) -> object:
    """All that an operation may change: queues with what is in them and who consumes, exchanges, bindings, what MQTT
    keeps, users and what they may."""
    vhost = broker.vhost
    mqtt = broker.mqtt.of(vhost)
    stream = vhost.queues.get("s")
    return (
        {name: (queue.ready_count, queue.unacked_count, len(queue.consumers)) for name, queue in vhost.queues.items()},
        sorted(vhost.exchanges),
        sorted((each.source, each.key) for exchange in vhost.exchanges.values() for each in exchange.bindings),
        (len(mqtt.retained), mqtt.subscription_count),
        stream.stored_offset(b"reader") if isinstance(stream, StreamQueue) else None,
        sorted((user.name, user.password_hash, sorted(user.tags)) for user in broker.broker.users),
        sorted(broker.broker.users.permissions_in("/")),
    )
