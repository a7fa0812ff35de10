"""What is done by the stream protocol, by which rights, and what is said without one of them."""

from __future__ import annotations

from typing import Any

from tests.adapters.rights.operation import PARTITIONS, PASSWORD, SUPER, USER, Operation, configure, read, write
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_stream import StreamClient, published, published_v2
from tests.support.simulated_stream import publish as publish_command
from warren.adapters.stream.codec import commands
from warren.adapters.stream.codec.keys import Code, OffsetType
from warren.adapters.stream.codec.kinds import OffsetSpec
from warren.core.queues.stream.queue import StreamQueue


def client_of(broker: SimulatedBroker) -> StreamClient:
    return StreamClient(broker).connect(USER, PASSWORD)


def enter(broker: SimulatedBroker) -> str:
    client = StreamClient(broker)
    client.log_in(USER, PASSWORD)
    client.send(commands.Tune(0, 0))
    return _said(client.ask(commands.Open, "/").code)


def ask(kind: type[Any], broker: SimulatedBroker, *values: object) -> str:
    return _said(client_of(broker).ask(kind, *values).code)


def asked(kind: type[Any], *values: object) -> Any:
    return lambda broker: ask(kind, broker, *values)


def publish(broker: SimulatedBroker) -> str:
    """Of a publisher that was declared when it was allowed: the right is asked for with each change of rights."""
    client = client_of(broker)
    code = client.code(commands.DeclarePublisher, 1, "", "s")
    if code is not Code.OK:
        return _said(code)
    client.send(publish_command(1, published(1, b"m")))
    return "allowed"


def publish_v2(broker: SimulatedBroker) -> str:
    """With a value for filters."""
    client = client_of(broker)
    code = client.code(commands.DeclarePublisher, 1, "", "s")
    if code is not Code.OK:
        return _said(code)
    client.send(commands.PublishV2(1, 1, published_v2(1, b"value", b"m")))
    return "allowed"


def store_offset(broker: SimulatedBroker) -> str:
    """Nothing is answered; whether it is kept shows."""
    client = client_of(broker)
    client.send(commands.StoreOffset("reader", "s", 7))
    queue = broker.vhost.queues["s"]
    assert isinstance(queue, StreamQueue)
    return "allowed" if queue.stored_offset(b"reader") == 7 else "not kept"


def _said(code: int) -> str:
    found = Code(code)
    return "allowed" if found in (Code.OK, Code.NO_OFFSET) else found.name


FIRST = OffsetSpec(OffsetType.FIRST)

REFUSED = Code.ACCESS_REFUSED.name

OFFSET_OF_S = asked(commands.ResolveOffsetSpec, "s", FIRST, {})

NEW_PARTITIONS = ("new-a", "new-b")

STREAM = (
    Operation("enter", enter, (), Code.VHOST_REFUSED.name),
    Operation("Create", asked(commands.Create, "new", {}), (configure("queue", "new"),), REFUSED),
    Operation("Delete", asked(commands.Delete, "s"), (configure("queue", "s"),), REFUSED),
    Operation("DeclarePublisher", asked(commands.DeclarePublisher, 1, "", "s"), (write("queue", "s"),), REFUSED),
    Operation(
        "DeclarePublisher with a reference",
        asked(commands.DeclarePublisher, 1, "name", "s"),
        (write("queue", "s"),),
        REFUSED,
    ),
    Operation("Publish of version 2", publish_v2, (write("queue", "s"),), REFUSED),
    Operation("Publish", publish, (write("queue", "s"),), REFUSED),
    Operation(
        "Subscribe", asked(commands.Subscribe, 1, "s", OffsetSpec(OffsetType.FIRST), 1), (read("queue", "s"),), REFUSED
    ),
    Operation("StoreOffset", store_offset, (read("queue", "s"),), "not kept"),
    Operation("QueryOffset", asked(commands.QueryOffset, "reader", "s"), (read("queue", "s"),), REFUSED),
    Operation(
        "QueryPublisherSequence", asked(commands.QueryPublisherSequence, "name", "s"), (read("queue", "s"),), REFUSED
    ),
    Operation("StreamStats", asked(commands.StreamStats, "s"), (read("queue", "s"),), REFUSED),
    Operation(
        "CreateSuperStream",
        asked(commands.CreateSuperStream, "new", list(NEW_PARTITIONS), ["0", "1"], {}),
        (
            configure("exchange", "new"),
            read("exchange", "new"),
            *(configure("queue", each) for each in NEW_PARTITIONS),
            *(write("queue", each) for each in NEW_PARTITIONS),
        ),
        REFUSED,
    ),
    Operation(
        "DeleteSuperStream",
        asked(commands.DeleteSuperStream, SUPER),
        (
            configure("exchange", SUPER),
            read("exchange", SUPER),
            *(configure("queue", each) for each in PARTITIONS),
            *(write("queue", each) for each in PARTITIONS),
        ),
        REFUSED,
    ),
    Operation(
        "Route", asked(commands.Route, "0", SUPER), (write("exchange", SUPER), write("queue", PARTITIONS[0])), REFUSED
    ),
    *(
        Operation(
            f"Partitions, by {right.__name__}",
            asked(commands.Partitions, SUPER),
            (right("exchange", SUPER), *(right("queue", each) for each in PARTITIONS)),
            REFUSED,
        )
        for right in (read, write)
    ),
    Operation("ResolveOffsetSpec", OFFSET_OF_S, (read("queue", "s"),), REFUSED),
)
