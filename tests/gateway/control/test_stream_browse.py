"""`warren ctl browse_queue STREAM --from OFFSET`."""

from __future__ import annotations

from typing import cast

import pytest
import trio

from tests.gateway.control.test_stream_tail import StreamTailing
from tests.plugins.management.api import open_api
from tests.plugins.management.test_messages import publish
from warren.gateway.control.api_client import Api
from warren.gateway.control.commands import run_command
from warren.gateway.control.target import Answer


class StreamBrowsing(StreamTailing):
    async def browse(self, *arguments: str, **options: object) -> Answer:
        request: dict[str, object] = {"command": "browse_queue", "arguments": list(arguments), "options": options}
        return await run_command(self.control, request)

    async def bodies(self, *arguments: str, **options: object) -> str:
        answer = await self.browse(*arguments, **options)
        assert answer["ok"] is True, answer
        return "".join(str(row["body"]) for row in cast("list[dict[str, object]]", answer["rows"]))


@pytest.fixture
async def browsing() -> StreamBrowsing:
    return StreamBrowsing()


async def test_what_is_shown(browsing: StreamBrowsing) -> None:
    answer = await browsing.browse("s", "1", **{"from": "7"})
    (row,) = cast("list[dict[str, object]]", answer["rows"])
    assert str(row.pop("stored_at")).endswith("+00:00")
    assert row == {
        "offset": 7,
        "exchange": "",
        "routing_key": "s",
        "properties": {"type": "odd", "headers": {"x-stream-offset": 7}},
        "body_bytes": 1,
        "body": "7",
    }


@pytest.mark.parametrize(
    ("arguments", "offset", "expected"),
    [
        ((), "first", "0123456789"),
        (("3",), "2", "234"),
        ((), "offset=8", "89"),
        ((), "last", "9"),
        ((), "next", ""),
        (("1",), "1h", "0"),
        (("2", "type=odd"), "2", "35"),
        (("type=even",), "first", "02468"),
    ],
)
async def test_where_it_begins(
    browsing: StreamBrowsing, arguments: tuple[str, ...], offset: str, expected: str
) -> None:
    assert await browsing.bodies("s", *arguments, **{"from": offset}) == expected


@pytest.mark.parametrize(
    ("arguments", "options", "words"),
    [
        (("q",), {"from": "first"}, "not a stream"),
        (("none",), {"from": "first"}, "no queue 'none'"),
        (("s",), {"from": "sometime"}, "x-stream-offset"),
        (("s", "0"), {"from": "first"}, "0 is no number of messages"),
        (("s", "1", "colour=red"), {"from": "first"}, "'colour=red' is no filter"),
        (("s",), {"from": "first", "unacknowledged": True}, "exclude each other"),
    ],
)
async def test_refusals(
    browsing: StreamBrowsing, arguments: tuple[str, ...], options: dict[str, object], words: str
) -> None:
    answer = await browsing.browse(*arguments, **options)
    assert answer["ok"] is False
    assert words in str(answer["error"])


async def test_over_http() -> None:
    async with open_api() as api:
        await api.put("/queues/%2F/s", {"durable": True, "arguments": {"x-queue-type": "stream"}})
        for number in range(4):
            await publish(api, str(number), "s")
        where = Api.at(f"http://guest:guest@127.0.0.1:{api.port}")
        answer = await trio.to_thread.run_sync(lambda: where.request("browse_queue", ["s"], {"from": "2"}))
        assert [row["body"] for row in cast("list[dict[str, object]]", answer["rows"])] == ["2", "3"]
