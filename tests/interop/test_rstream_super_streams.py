"""rstream (PyPI): super streams, and single active consumers that are asked where they begin."""

from __future__ import annotations

import asyncio
from typing import Any

from rstream import (
    AMQPMessage,
    OffsetSpecification,
    OffsetType,
    RouteType,
    SuperStreamConsumer,
    SuperStreamCreationOption,
    SuperStreamProducer,
    amqp_decoder,
)

from tests.interop.test_rstream import LOGIN, port, run, stream

__all__ = ["port", "stream"]

COUNT = 60

PARTITIONS = 3

SINGLE = {"single-active-consumer": "true", "name": "group"}


async def key_of(message: AMQPMessage) -> str:
    """The routing key that a message asks for."""
    return str(message.application_properties["key"])


def producer_of(port: int, name: str, routing: RouteType) -> SuperStreamProducer:
    made = SuperStreamCreationOption(n_partitions=PARTITIONS)
    return SuperStreamProducer(
        "127.0.0.1",
        port,
        **LOGIN,
        super_stream=name,
        super_stream_creation_option=made,
        routing_extractor=key_of,
        routing=routing,
    )


class Found:
    """What a consumer was given, by partition; `done` once it is so much as `rest` says."""

    def __init__(self, rest: list[int], done: asyncio.Event) -> None:
        self.by_partition: dict[str, list[bytes]] = {}
        self.updates: list[bool] = []
        self._rest = rest
        self.done = done

    async def on_message(self, message: AMQPMessage, context: Any) -> None:
        self.by_partition.setdefault(context.stream, []).append(bytes(message.body))
        self._rest[0] -= 1
        if not self._rest[0]:
            self.done.set()

    async def on_update(self, is_active: bool, context: Any) -> OffsetSpecification:
        self.updates.append(is_active)
        return OffsetSpecification(OffsetType.FIRST, 0)


async def publish(producer: SuperStreamProducer, numbers: range, key: str = "") -> None:
    """Messages with these numbers and this key, or each with a key of its own; all are confirmed."""
    confirmed = [0]
    all_confirmed = asyncio.Event()

    async def on_confirm(status: Any) -> None:
        assert status.is_confirmed
        confirmed[0] += 1
        if confirmed[0] == len(numbers):
            all_confirmed.set()

    for number in numbers:
        message = AMQPMessage(body=b"%d" % number, application_properties={"key": key or str(number)})
        await producer.send(message, on_publish_confirm=on_confirm)
    await all_confirmed.wait()


async def delete(port: int, name: str) -> None:
    """By a producer of its own: one that has routed by hashes has closed its locator."""
    async with producer_of(port, name, RouteType.Key) as producer:
        await producer.delete_super_stream(name)


def test_keys_lead_to_partitions_and_all_are_read(port: int, stream: str) -> None:
    """A producer of this client asks for the route of its first key alone, so there is one for each."""

    async def main() -> None:
        for key in range(PARTITIONS):
            async with producer_of(port, stream, RouteType.Key) as producer:
                await publish(producer, range(key * COUNT, (key + 1) * COUNT), str(key))
        done = asyncio.Event()
        found = Found([PARTITIONS * COUNT], done)
        async with SuperStreamConsumer("127.0.0.1", port, **LOGIN, super_stream=stream) as consumer:
            await consumer.subscribe(found.on_message, decoder=amqp_decoder)
            await done.wait()
        assert found.by_partition == {
            f"{stream}-{key}": [b"%d" % number for number in range(key * COUNT, (key + 1) * COUNT)]
            for key in range(PARTITIONS)
        }
        await delete(port, stream)

    run(main())


def test_single_active_consumers_share_the_partitions_and_go_on_for_each_other(port: int, stream: str) -> None:
    async def main() -> None:
        async with producer_of(port, stream, RouteType.Hash) as producer:
            await publish(producer, range(COUNT))
        first, second = Found([COUNT], asyncio.Event()), Found([COUNT], asyncio.Event())
        consumers = []
        for each in (first, second):
            consumer = SuperStreamConsumer("127.0.0.1", port, **LOGIN, super_stream=stream)
            await consumer.start()
            await consumer.subscribe(
                each.on_message,
                decoder=amqp_decoder,
                properties={**SINGLE, "super-stream": stream},
                consumer_update_listener=each.on_update,
            )
            consumers.append(consumer)
            if each is first:
                await first.done.wait()
                assert first.updates == [True] * PARTITIONS
        everything = [int(body) for bodies in first.by_partition.values() for body in bodies]
        assert sorted(everything) == list(range(COUNT))
        assert len(first.by_partition) == PARTITIONS
        # The first one leaves, and the other begins with all partitions where it says: at the first message.
        await consumers[0].close()
        await second.done.wait()
        assert second.by_partition == first.by_partition
        assert second.updates.count(True) == PARTITIONS
        await consumers[1].close()
        await delete(port, stream)

    run(main())
