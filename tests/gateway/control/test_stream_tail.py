"""`warren tail` of a stream, from a place in it on."""

from __future__ import annotations

import json

import pytest
import trio
import trio.testing

from tests.gateway.control.test_tail import Tailing
from tests.plugins.management.api import open_api
from tests.plugins.management.test_messages import publish
from tests.support.core_broker import core_client
from warren.core.administration.tails import TAILS_MAX
from warren.core.declaring.queues import declare_queue
from warren.core.messages.message import Message
from warren.core.messages.properties import encode_properties
from warren.gateway.command_line import tail as tail_client
from warren.gateway.control.api_client import Api
from warren.gateway.control.client import CommandFailedError
from warren.gateway.control.words.tail import KEPT_S


class StreamTailing(Tailing):
    """A stream `s` with ten messages."""

    def __init__(self) -> None:
        super().__init__()
        declare_queue(core_client(self.server.broker), "s", durable=True, arguments={"x-queue-type": "stream"})
        for number in range(10):
            self.store(b"%d" % number)

    def store(self, body: bytes) -> None:
        """Publish to the stream, and have it stored."""
        broker = self.server.broker
        properties = encode_properties(type="odd" if body[-1] % 2 else "even")
        route = self.vhost.route("", "s")
        message = Message(broker.next_sequence(), route.address, properties, body, 0, len(body), 0, broker.now_ms)
        self.vhost.publish(route, message)
        commit = broker.begin_commit()
        commit.write()
        broker.finish_commit(commit)

    async def payloads(self, *arguments: str, **options: object) -> list[str]:
        return [each["payload"] for each in (await self.value(*arguments, **options))["messages"]]


@pytest.fixture
async def tailing() -> StreamTailing:
    return StreamTailing()


@pytest.mark.parametrize(
    ("offset", "expected"),
    [
        ("first", "0123456789"),
        ("7", "789"),
        ("offset=8", "89"),
        ("last", "9"),
        ("next", ""),
        ("timestamp=0", "0123456789"),
        ("1h", "0123456789"),
    ],
)
async def test_it_begins_where_one_says(tailing: StreamTailing, offset: str, expected: str) -> None:
    assert await tailing.payloads("s", **{"from": offset}) == list(expected)


async def test_it_goes_on_with_what_comes(tailing: StreamTailing) -> None:
    begun = await tailing.value("s", **{"from": "9"})
    (message,) = begun["messages"]
    assert message["properties"]["headers"]["x-stream-offset"] == 9
    tailing.store(b"10")
    found = await tailing.value("s", token=begun["token"], **{"from": "9"})
    assert ([each["payload"] for each in found["messages"]], found["missed"], found["over"]) == (["10"], 0, False)
    assert tailing.vhost.queues["s"].ready_count == 11


async def test_without_a_place_it_begins_with_what_comes(tailing: StreamTailing) -> None:
    begun = await tailing.value("s")
    assert begun["messages"] == []
    tailing.store(b"10")
    found = await tailing.value("s", token=begun["token"])
    assert [each["payload"] for each in found["messages"]] == ["10"]


async def test_filters_are_those_of_any_tail(tailing: StreamTailing) -> None:
    assert await tailing.payloads("s", "type=odd", **{"from": "first"}) == list("13579")
    assert await tailing.payloads("s", "body=4", **{"from": "first"}) == ["4"]
    assert await tailing.payloads("s", "routing_key=other.*", **{"from": "first"}) == []


async def test_it_is_over_when_the_stream_is_deleted(tailing: StreamTailing) -> None:
    from warren.core.declaring.queues import remove_queue

    begun = await tailing.value("s", **{"from": "next"})
    remove_queue(tailing.vhost, tailing.vhost.queues["s"])
    assert (await tailing.value("s", token=begun["token"]))["over"] is True


@pytest.mark.parametrize(
    ("name", "offset", "words"),
    [
        ("q", "first", "no stream"),
        ("amq.topic", "first", "--from is for a stream"),
        ("s", "sometime", "x-stream-offset"),
    ],
)
async def test_what_cannot_be_is_refused(tailing: StreamTailing, name: str, offset: str, words: str) -> None:
    answer = await tailing.tail(name, **{"from": offset})
    assert answer["ok"] is False
    assert words in str(answer["error"])
    assert not tailing.control.tails


async def test_an_answer_comes_as_soon_as_there_is_more(
    tailing: StreamTailing, autojump_clock: trio.testing.MockClock
) -> None:
    begun = await tailing.value("s", **{"from": "next"})
    async with trio.open_nursery() as nursery:

        async def ask() -> None:
            found = await tailing.value("s", token=begun["token"])
            assert [each["payload"] for each in found["messages"]] == ["late"]
            assert trio.current_time() == began

        began = trio.current_time()
        nursery.start_soon(ask)
        await trio.testing.wait_all_tasks_blocked()
        tailing.store(b"late")


async def test_they_are_so_many_at_most_and_end_when_nobody_asks(tailing: StreamTailing) -> None:
    broker = tailing.server.broker
    for _ in range(TAILS_MAX):
        await tailing.value("s", **{"from": "next"})
    refused = await tailing.tail("s", **{"from": "next"})
    assert "look at queues and exchanges already" in str(refused["error"])
    broker.advance(broker.now_ms + KEPT_S * 1000)
    broker.end_turn()
    assert broker.tails == set()
    assert await tailing.payloads("s", **{"from": "9"}) == ["9"]


async def test_the_client_over_http(capsys: pytest.CaptureFixture[str]) -> None:
    async with open_api() as api:
        await api.put("/queues/%2F/s", {"durable": True, "arguments": {"x-queue-type": "stream"}})
        for number in range(4):
            await publish(api, str(number), "s")
        where = Api.at(f"http://guest:guest@127.0.0.1:{api.port}")
        options = {"from": "2", "count": "2"}
        await trio.to_thread.run_sync(lambda: tail_client.run(where, ["s"], options, as_json=True))
        assert [json.loads(line)["payload"] for line in capsys.readouterr().out.splitlines()] == ["2", "3"]
        await api.put("/queues/%2F/q", {})
        with pytest.raises(CommandFailedError, match="is no stream"):
            await trio.to_thread.run_sync(lambda: tail_client.run(where, ["q"], options, as_json=True))
