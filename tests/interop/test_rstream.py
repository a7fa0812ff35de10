"""rstream (PyPI): the stream protocol."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from rstream import (
    AMQPMessage,
    CompressionType,
    Consumer,
    ConsumerOffsetSpecification,
    OffsetType,
    Producer,
    amqp_decoder,
)
from rstream.exceptions import StreamAlreadyExists, StreamDoesNotExist

from tests.support.warren_process import warren_process

TIME_LIMIT_S = 60
LOGIN: dict[str, Any] = {"username": "guest", "password": "guest"}


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Of a Warren of its own; a traceback in its log fails the module."""
    with warren_process(listen=("amqp=127.0.0.1:0", "stream=127.0.0.1:0")) as process:
        yield process.addresses["stream"][1]
        assert "Traceback" not in process.log.read_text()


@pytest.fixture
def stream() -> str:
    """A name of each test's own."""
    return f"interop-rstream-{uuid.uuid4()}"


def run(main: Awaitable[None]) -> None:
    """A test's coroutine, within a time."""

    async def limited() -> None:
        await asyncio.wait_for(main, TIME_LIMIT_S)

    asyncio.run(limited())


@asynccontextmanager
async def reading(
    port: int, stream: str, count: int, offset: ConsumerOffsetSpecification
) -> AsyncIterator[tuple[Consumer, list[tuple[int, bytes]]]]:
    """A consumer, and what it has read when that is so much."""
    found: list[tuple[int, bytes]] = []
    done = asyncio.Event()

    async def on_message(message: AMQPMessage, context: Any) -> None:
        found.append((context.offset, bytes(message.body)))
        if len(found) >= count:
            done.set()

    async with Consumer("127.0.0.1", port, **LOGIN) as consumer:
        subscriber = await consumer.subscribe(stream, on_message, decoder=amqp_decoder, offset_specification=offset)
        await done.wait()
        yield consumer, found
        await consumer.unsubscribe(subscriber)


FIRST = ConsumerOffsetSpecification(OffsetType.FIRST, None)


def _confirms() -> tuple[list[bool], Callable[[Any], Awaitable[None]]]:
    confirmed: list[bool] = []

    async def on_confirm(status: Any) -> None:
        confirmed.append(status.is_confirmed)

    return confirmed, on_confirm


def test_messages_are_confirmed_and_read(port: int, stream: str) -> None:
    async def main() -> None:
        confirmed, on_confirm = _confirms()
        async with Producer("127.0.0.1", port, **LOGIN) as producer:
            await producer.create_stream(stream)
            batch = [AMQPMessage(body=b"message %d" % number) for number in range(200)]
            await producer.send_batch(stream, batch, on_publish_confirm=on_confirm)
            await producer.send_wait(stream, AMQPMessage(body=b"the last"))
            async with reading(port, stream, 201, FIRST) as (_, found):
                assert [offset for offset, _ in found] == list(range(201))
                assert [body for _, body in found][199:] == [b"message 199", b"the last"]
            assert confirmed == [True] * 200
            await producer.delete_stream(stream)

    run(main())


@pytest.mark.parametrize("compression", [CompressionType.No, CompressionType.Gzip])
def test_batches_are_read(port: int, stream: str, compression: CompressionType) -> None:
    async def main() -> None:
        async with Producer("127.0.0.1", port, **LOGIN) as producer:
            await producer.create_stream(stream)
            for start in (0, 3):
                batch = [AMQPMessage(body=b"%d" % number) for number in range(start, start + 3)]
                await producer.send_sub_entry(stream, batch, compression_type=compression)
            async with reading(port, stream, 6, FIRST) as (_, found):
                assert [body for _, body in found] == [b"%d" % number for number in range(6)]
            await producer.delete_stream(stream)

    run(main())


def test_offsets_say_where_to_begin_and_are_kept(port: int, stream: str) -> None:
    async def main() -> None:
        async with Producer("127.0.0.1", port, **LOGIN) as producer:
            await producer.create_stream(stream)
            for number in range(10):
                await producer.send_wait(stream, AMQPMessage(body=b"%d" % number))
            begin = ConsumerOffsetSpecification(OffsetType.OFFSET, 4)
            async with reading(port, stream, 6, begin) as (consumer, found):
                assert found == [(number, b"%d" % number) for number in range(4, 10)]
                await consumer.store_offset(stream, "reader", 7)
                assert await consumer.query_offset(stream, "reader") == 7
            await producer.delete_stream(stream)

    run(main())


def test_streams_that_are_there_and_that_are_not(port: int, stream: str) -> None:
    async def main() -> None:
        async with Producer("127.0.0.1", port, **LOGIN) as producer:
            assert not await producer.stream_exists(stream)
            await producer.create_stream(stream)
            with pytest.raises(StreamAlreadyExists):
                await producer.create_stream(stream)
            await producer.create_stream(stream, exists_ok=True)
            assert await producer.stream_exists(stream)
            await producer.delete_stream(stream)
            with pytest.raises(StreamDoesNotExist):
                await producer.delete_stream(stream)
            await producer.delete_stream(stream, missing_ok=True)

    run(main())
