"""`warren top`: one look, rates of two, and what people see."""

from __future__ import annotations

import io
from typing import Any, cast

import pytest
import trio
from rich.console import Console

from tests.gateway.control.test_browse import Browsing
from tests.plugins.management.api import open_api
from tests.plugins.management.test_messages import publish
from warren.core.administration.operations import activity
from warren.gateway.command_line import top
from warren.gateway.control.api_client import Api
from warren.gateway.control.client import CommandFailedError
from warren.gateway.control.commands import run_command


@pytest.fixture
async def server() -> Browsing:
    return Browsing()


async def look(server: Browsing) -> dict[str, Any]:
    answer = await run_command(server.control, {"command": "top", "arguments": [], "options": {}})
    assert answer["ok"] is True, answer
    return cast("dict[str, Any]", answer["value"])


async def test_one_look(server: Browsing) -> None:
    server.publish(b"one")
    found = await look(server)
    assert found["queues"] == [
        {
            "name": "q",
            "vhost": "/",
            "ready": 1,
            "unacknowledged": 0,
            "consumers": 0,
            "publish": 1,
            "deliver_get": 0,
            "ack": 0,
        }
    ]
    assert found["totals"]["messages_ready"] == 1
    assert found["memory_bytes"] > 0


async def test_the_busiest_are_told(server: Browsing, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.support.core_broker import core_client
    from warren.core.declaring.queues import declare_queue

    monkeypatch.setattr(activity, "QUEUES_MAX", 2)
    for number in range(700):
        declare_queue(core_client(server.server.broker), f"idle {number}")
    server.publish(b"one")
    steps = activity.look(server.server.broker)
    slices = 0
    while steps.step():
        slices += 1
    assert slices > 2
    names = [each.name for each in steps.result.queues]
    assert (len(names), names[0]) == (2, "q")
    assert steps.result.totals.queue_count == 701


def facts(at_ms: int, **queue: int) -> dict[str, Any]:
    counts = {"publish": 0, "deliver_get": 0, "ack": 0, "ready": 0, "unacknowledged": 0, "consumers": 1, **queue}
    return {
        "at_ms": at_ms,
        "uptime_s": 5,
        "memory_bytes": 50 * 1024 * 1024,
        "cpu_s": at_ms / 4000,
        "alarms": ["memory"],
        "totals": {"connection_count": 3, "queue_count": 2, "messages_ready": 7, "messages_unacknowledged": 0},
        "counts": {"publish": counts["publish"]},
        "queues": [{"name": "[bold]q", "vhost": "/", **counts}, {**counts, "name": "idle", "vhost": "/", "publish": 0}],
    }


def text_of(table: object) -> str:
    console = Console(width=140, file=io.StringIO(), record=True)
    console.print(table)
    return console.export_text()


def test_rates_of_two_looks() -> None:
    first, second = facts(1000, publish=100), facts(3000, publish=500, ready=7)
    found = text_of(top.shown(second, first, "in", 10))
    assert "200/s published" in found
    assert "CPU 25%" in found
    assert "alarms: memory" in found
    lines = [line.split() for line in found.splitlines() if "[bold]q" in line]
    assert lines == [["/", "[bold]q", "7", "0", "1", "200", "0", "0"]]
    assert found.index("[bold]q") < found.index("idle")
    found = text_of(top.shown(second, first, "name", 10))
    assert found.index("[bold]q") < found.index("idle")
    found = text_of(top.shown(second, None, "out", 1))
    assert "and 1 queues more" in found
    assert "?/s published" in found


async def test_over_http(capsys: pytest.CaptureFixture[str]) -> None:
    async with open_api() as api:
        await api.put("/queues/%2F/orders", {})
        await publish(api, "one", "orders")
        assert (await api.get("/activity"))["queues"][0]["ready"] == 1
        where = Api.at(f"http://guest:guest@127.0.0.1:{api.port}")
        await trio.to_thread.run_sync(lambda: top.run(where, {"count": "1"}))
        assert "orders" in capsys.readouterr().out


@pytest.mark.parametrize("options", [{"interval": "0"}, {"interval": "x"}, {"sort": "size"}, {"count": "0"}])
def test_what_cant_be_typed(options: dict[str, object]) -> None:
    with pytest.raises(CommandFailedError):
        top.run(Api.at("http://x"), options)
