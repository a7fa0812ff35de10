"""`warren ctl list_stream_tracking`, `reset_offset`, and the words about groups of consumers."""

from __future__ import annotations

from typing import Any, cast

import pytest

from tests.gateway.control.control_target import Asker
from warren.core.administration import operations
from warren.core.queues.stream.queue import StreamQueue
from warren.core.streams.chunk import record_entry
from warren.core.streams.groups import Member


@pytest.fixture
async def asker() -> Asker:
    return Asker()


@pytest.fixture
async def stream(asker: Asker) -> StreamQueue:
    """Stream s: publisher p has sent 7, reader r is at 3."""
    made, _ = operations.queues.declare(asker.server.broker, "/", "s", arguments={"x-queue-type": "stream"})
    assert isinstance(made, StreamQueue)
    made.log.append(record_entry(b""), 1, 0, None, b"p", 7)
    made.store_offset(b"r", 3)
    return made


async def rows(asker: Asker, word: str, *arguments: str, **options: object) -> list[dict[str, Any]]:
    answer = await asker.ask(word, *arguments, **options)
    assert answer["ok"] is True, answer
    return cast("list[dict[str, Any]]", answer["rows"])


async def test_what_a_stream_notes_is_listed(asker: Asker, stream: StreamQueue) -> None:
    offset = {"type": "offset", "name": "r", "tracking_value": 3}
    writer = {"type": "writer", "name": "p", "tracking_value": 7}
    assert await rows(asker, "list_stream_tracking", "s") == [offset, writer]
    assert await rows(asker, "list_stream_tracking", "s", writer=True) == [writer]
    assert await rows(asker, "list_stream_tracking", "s", offset=True) == [offset]
    assert await rows(asker, "list_stream_tracking", "s", offset=True, all=True) == [offset, writer]
    assert await rows(asker, "list_stream_tracking", "s", "name", writer=True) == [{"name": "p"}]
    await asker.refused("list_stream_tracking", "s", "colour")
    await asker.refused("list_stream_tracking", "nowhere")
    operations.queues.declare(asker.server.broker, "/", "classic")
    await asker.refused("list_stream_tracking", "classic")


async def test_an_offset_is_reset(asker: Asker, stream: StreamQueue) -> None:
    await asker.do("reset_offset", stream="s", reference="r")
    assert stream.stored_offset(b"r") == 0
    await asker.refused("reset_offset", stream="s", reference="nobody")
    await asker.refused("reset_offset", stream="s")


def join(asker: Asker, subscription_id: int, partition: int = 1) -> Member:
    return asker.server.broker.stream_groups.join(
        "/", "s", "g", partition, connection="c", subscription_id=subscription_id, told=lambda _: None
    )


async def test_groups_and_their_consumers_are_listed(asker: Asker, stream: StreamQueue) -> None:
    assert await rows(asker, "list_stream_consumer_groups") == []
    join(asker, 0)
    join(asker, 1)
    assert await rows(asker, "list_stream_consumer_groups") == [
        {"stream": "s", "reference": "g", "partition_index": 1, "consumers": 2}
    ]
    assert await rows(asker, "list_stream_group_consumers", stream="s", reference="g") == [
        {"subscription_id": 0, "connection_name": "c", "state": "deactivating"},
        {"subscription_id": 1, "connection_name": "c", "state": "waiting"},
    ]
    (row,) = await rows(asker, "list_stream_consumer_groups", "members")
    assert [each["state"] for each in row["members"]] == ["deactivating", "waiting"]
    await asker.refused("list_stream_group_consumers", stream="s", reference="h")


async def test_an_operator_has_it_decided_again(asker: Asker, stream: StreamQueue) -> None:
    join(asker, 0)
    second = join(asker, 1)
    await asker.do("activate_stream_consumer", stream="s", reference="g")
    assert second.is_active
    await asker.refused("activate_stream_consumer", stream="s", reference="h")


async def test_who_reads_and_writes_by_the_stream_protocol_is_listed() -> None:
    asker = Asker()
    assert await rows(asker, "list_stream_consumers") == []
    assert await rows(asker, "list_stream_publishers", "stream", "node", "connection_pid") == []
    await asker.refused("list_stream_publishers", "colour")
    await asker.refused("list_stream_consumers", vhost="nowhere")
