"""Looking at a part of a stream, from any place in it, over HTTP; and following it from there."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
import trio

from tests.plugins.management.api import GUEST, Api, open_api, refusal
from tests.plugins.management.test_messages import publish
from tests.plugins.management.test_streams import STREAM, kept
from tests.support.simulated_stream import packed
from warren.core.administration.operations import streams
from warren.core.queues.stream.queue import StreamQueue
from warren.core.streams.chunk import Batch, batch_entry

LOG = "/queues/%2F/log/stream"


async def written(api: Api, count: int) -> None:
    """A stream with so many messages; the bodies are their offsets."""
    await api.put("/queues/%2F/log", STREAM)
    for number in range(count):
        await publish(api, str(number), "log", properties={"headers": {"n": number}})
    await kept(api, count)


async def payloads(api: Api, query: str) -> list[str]:
    return [each["payload"] for each in (await api.get(f"{LOG}?{query}"))["items"]]


async def test_messages_are_shown_with_their_offsets_and_stay() -> None:
    async with open_api() as api:
        await written(api, 3)
        for _ in range(2):
            found = await api.get(f"{LOG}?from=1")
            second, third = found.pop("items")
            assert found == {"next_offset": 3, "first_offset": 0, "end_offset": 3}
            assert second.pop("timestamp") > 0
            assert second == {
                "offset": 1,
                "exchange": "",
                "routing_key": "log",
                "properties": {"headers": {"n": 1}},
                "payload_bytes": 1,
                "payload": "1",
                "payload_encoding": "string",
            }
            assert third["offset"] == 2


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("count=3", "012"),
        ("from=first&count=2", "01"),
        ("from=7", "789"),
        ("from=offset%3D8", "89"),
        ("from=4&count=3", "456"),
        ("from=99", ""),
        ("from=next", ""),
        ("from=timestamp%3D0&count=2", "01"),
        ("from=timestamp%3D99999999999", ""),
        ("from=1h&count=1", "0"),
        ("before=4&count=3", "123"),
        ("before=2&count=5", "01"),
        ("before=0", ""),
        ("before=end&count=2", "89"),
        ("before=500&count=1", "9"),
    ],
)
async def test_where_it_begins(query: str, expected: str) -> None:
    async with open_api() as api:
        await written(api, 10)
        assert await payloads(api, query) == list(expected)


async def test_one_goes_forth_and_back() -> None:
    async with open_api() as api:
        await written(api, 7)
        places, at = [], 0
        while at < 7:
            found = await api.get(f"{LOG}?from={at}&count=3")
            places.append([each["offset"] for each in found["items"]])
            at = found["next_offset"]
        assert places == [[0, 1, 2], [3, 4, 5], [6]]
        assert (await api.get(f"{LOG}?from={at}"))["next_offset"] == 7
        back = await api.get(f"{LOG}?before=3&count=3")
        assert ([each["offset"] for each in back["items"]], back["next_offset"]) == ([0, 1, 2], 3)


def append_batch(api: Api, compression: int, records: int, data: bytes, size: int) -> None:
    """As a publisher of the stream protocol does."""
    queue = api.broker.vhosts["/"].queues["log"]
    assert isinstance(queue, StreamQueue)
    queue.append_entries([batch_entry(Batch(compression, records, size, data))], records, len(data))
    api.embedded._server.changed()


async def test_batches_of_publishers_are_unpacked() -> None:
    inside = packed(b"\x00\x53\x75\xa0\x01a", b"\x00\x53\x75\xa0\x01b")
    async with open_api() as api:
        await written(api, 1)
        append_batch(api, 1, 2, gzip.compress(inside), len(inside))
        append_batch(api, 2, 3, b"of clients alone", 100)
        append_batch(api, 0, 2, inside, len(inside))
        await kept(api, 8)
        found = await api.get(f"{LOG}?from=first")
        assert [(each["offset"], each["payload"]) for each in found["items"]] == [
            (0, "0"),
            (1, "a"),
            (2, "b"),
            (6, "a"),
            (7, "b"),
        ]
        assert found["next_offset"] == 8
        assert await payloads(api, "from=2&count=1") == ["b"]
        assert await payloads(api, "before=3&count=1") == ["b"]
        assert (await api.get(f"{LOG}?before=6&count=3"))["items"] == []


async def test_a_part_ends_where_it_is_large_enough() -> None:
    async with open_api() as api:
        await api.put("/queues/%2F/log", STREAM)
        size = streams.PAGE_BYTES_MAX // 2 + 1
        async with api.embedded.connect() as client:
            for _ in range(3):
                await client.publish("", "log", b"x" * size)
        await kept(api, 3)
        found = await api.get(f"{LOG}?truncate=1")
        assert (len(found["items"]), found["next_offset"], found["end_offset"]) == (2, 2, 3)
        assert found["items"][0]["payload"] == "x"
        assert found["items"][0]["payload_bytes"] == size


async def test_who_may_look_and_what_is_asked_wrongly() -> None:
    async with open_api() as api:
        await written(api, 1)
        await api.put("/queues/%2F/q", {})
        anne = api.user("anne", "management")
        api.broker.users.set_permissions("anne", "/", ".*", ".*", "^other$")
        refusal(await api.ask("GET", LOG, auth=anne), 401, "not_authorised")
        refusal(await api.ask("GET", "/tail/%2F?queue=log&from=first&seconds=0", auth=anne), 401, "not_authorised")
        for query in ("from=sometime", "from=-1", "count=0", "count=1001", "before=x", "before=1&from=1", "truncate=x"):
            refusal(await api.ask("GET", f"{LOG}?{query}"), 400, "bad_request")
        refusal(await api.ask("GET", "/queues/%2F/none/stream"), 404, "Object Not Found")
        refusal(await api.ask("GET", "/queues/%2F/q/stream"), 400, "bad_request")
        for path in ("/tail/%2F?queue=q&from=first", "/tail/%2F?exchange=amq.topic&from=first"):
            refusal(await api.ask("GET", path), 400, "bad_request")


async def tailed(api: Api, query: str) -> list[Any]:
    async with api.http.stream("GET", f"/api/tail/%2F?queue=log&{query}", auth=GUEST) as response:
        assert response.status_code == 200
        return [json.loads(line) async for line in response.aiter_lines() if line]


async def test_a_tail_begins_at_an_offset_and_goes_on_with_what_comes() -> None:
    async with open_api() as api:
        await written(api, 5)
        found: list[Any] = []

        async def read() -> None:
            found.extend(await tailed(api, "from=3&count=4"))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(read)
            while not api.broker.tails:
                await trio.lowlevel.checkpoint()
            for body in ("new", "newer"):
                await publish(api, body, "log")
        assert [each["payload"] for each in found] == ["3", "4", "new", "newer"]
        assert api.broker.tails == set()
        assert [each["payload"] for each in await tailed(api, "from=first&header.n=2&seconds=0")] == ["2"]


async def test_a_tail_is_over_when_the_stream_goes() -> None:
    async with open_api() as api:
        await written(api, 1)

        async def delete() -> None:
            while not api.broker.tails:
                await trio.lowlevel.checkpoint()
            assert (await api.ask("DELETE", "/queues/%2F/log")).status_code == 204

        async with trio.open_nursery() as nursery:
            nursery.start_soon(delete)
            assert [each["payload"] for each in await tailed(api, "from=first")] == ["0"]
        assert api.broker.tails == set()
