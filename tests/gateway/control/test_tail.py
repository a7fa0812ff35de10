"""`warren tail`: the word, and what the client prints."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest
import trio
import trio.testing

from tests.gateway.control.test_browse import Browsing
from tests.plugins.management.api import open_api
from tests.plugins.management.test_messages import publish
from warren.gateway.command_line import tail as tail_client
from warren.gateway.control.api_client import Api
from warren.gateway.control.client import CommandFailedError
from warren.gateway.control.commands import run_command
from warren.gateway.control.target import Answer
from warren.gateway.control.words.tail import KEPT_S


class Tailing(Browsing):
    async def tail(self, *arguments: str, **options: object) -> Answer:
        request: dict[str, object] = {"command": "tail", "arguments": list(arguments), "options": options}
        return await run_command(self.control, request)

    async def value(self, *arguments: str, **options: object) -> dict[str, Any]:
        answer = await self.tail(*arguments, **options)
        assert answer["ok"] is True, answer
        return cast("dict[str, Any]", answer["value"])


@pytest.fixture
async def tailing() -> Tailing:
    return Tailing()


async def test_messages_come_from_then_on(tailing: Tailing) -> None:
    tailing.publish(b"before")
    begun = await tailing.value("q")
    assert (begun["messages"], begun["missed"], begun["over"]) == ([], 0, False)
    tailing.publish(b"one")
    found = await tailing.value("q", token=begun["token"])
    (message,) = found["messages"]
    assert (message["payload"], message["routing_key"], message["payload_bytes"]) == ("one", "q", 3)
    assert tailing.vhost.queues["q"].ready_count == 2


async def test_an_answer_waits_for_a_message(tailing: Tailing, autojump_clock: trio.testing.MockClock) -> None:
    begun = await tailing.value("q")
    assert (await tailing.value("q", token=begun["token"]))["messages"] == []
    async with trio.open_nursery() as nursery:

        async def ask() -> None:
            found = await tailing.value("q", token=begun["token"])
            assert [each["payload"] for each in found["messages"]] == ["late"]

        nursery.start_soon(ask)
        await trio.testing.wait_all_tasks_blocked()
        tailing.publish(b"late")


async def test_a_tail_that_nobody_asks_about_ends(tailing: Tailing) -> None:
    broker = tailing.server.broker
    begun = await tailing.value("q")
    assert len(broker.tails) == 1
    broker.advance(broker.now_ms + KEPT_S * 1000)
    broker.end_turn()
    assert (broker.tails, tailing.control.tails) == (set(), {})
    assert (await tailing.tail("q", token=begun["token"]))["exit_code"] == 65


async def test_what_is_named(tailing: Tailing) -> None:
    assert (await tailing.tail("amq.topic", "routing_key=a.*", "header.x=1"))["ok"] is True
    assert (await tailing.tail("amq.topic", **{"as": "queue"}))["exit_code"] == 65
    assert (await tailing.tail("nothing"))["exit_code"] == 65
    assert (await tailing.tail("q", "wrong"))["exit_code"] == 64
    assert (await tailing.tail("q", **{"as": "table"}))["exit_code"] == 64
    assert (await tailing.tail("q", vhost="none"))["exit_code"] == 65


async def test_the_client_over_http(capsys: pytest.CaptureFixture[str]) -> None:
    async with open_api() as api:
        await api.put("/queues/%2F/q", {})
        where = Api.at(f"http://guest:guest@127.0.0.1:{api.port}")
        options = {"count": "2"}
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.to_thread.run_sync, lambda: tail_client.run(where, ["q"], options, as_json=True))
            for _ in range(100_000):
                if api.broker.tails:
                    break
                await trio.lowlevel.checkpoint()
            for body in ("one", "two"):
                await publish(api, body)
        printed = capsys.readouterr()
        shown = [json.loads(line) for line in printed.out.splitlines()]
        assert printed.err == "watching q in the virtual host /; Ctrl-C ends it\n"
        assert [each["payload"] for each in shown] == ["one", "two"]
        with pytest.raises(CommandFailedError, match="no queue 'none'"):
            await trio.to_thread.run_sync(lambda: tail_client.run(where, ["none"], options, as_json=True))


def test_what_cant_be_asked() -> None:
    for options in ({"count": "0"}, {"as": "table"}):
        with pytest.raises(CommandFailedError):
            tail_client.run(Api.at("http://x"), ["q"], options, as_json=True)
    with pytest.raises(CommandFailedError) as raised:
        tail_client.run(Api.at("http://guest:secret@127.0.0.1:1"), ["q"], {}, as_json=True)
    assert "secret" not in str(raised.value)


def test_what_people_see(capsys: pytest.CaptureFixture[str]) -> None:
    shown = tail_client._Shown()
    shown.line({"missed": 3})
    message = {
        "at": 0,
        "exchange": "",
        "routing_key": "q",
        "properties": {"a": 1},
        "payload_bytes": 4,
        "payload": "[b]x",
    }
    shown.line(message)
    out = capsys.readouterr().out
    assert "3 messages came too fast" in out
    assert 'amq.default → q 4 bytes {"a": 1}\n  [b]x' in out
