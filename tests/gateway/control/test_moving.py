"""`warren ctl move_messages`, `peek` and `browse_queue --unacknowledged`."""

from __future__ import annotations

import pytest
import trio

from tests.gateway.control.test_browse import Browsing
from tests.support.core_broker import core_client
from warren.core.declaring.queues import declare_queue
from warren.gateway.control.commands import run_command
from warren.gateway.control.target import Answer


class Moving(Browsing):
    """With a second queue, `to`, and a broker that goes on by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.server.broker.users.set_permissions("guest", "/", ".*", ".*", ".*")
        declare_queue(core_client(self.server.broker), "to")

    async def run(self, command: str, *arguments: str, **options: object) -> Answer:
        answers: list[Answer] = []
        async with trio.open_nursery() as nursery:

            async def ask() -> None:
                request: dict[str, object] = {"command": command, "arguments": list(arguments), "options": options}
                answers.append(await run_command(self.control, request))
                nursery.cancel_scope.cancel()

            nursery.start_soon(ask)
            for _ in range(100):
                await trio.lowlevel.checkpoint()
                self.server.broker.end_turn()
        return answers[0]


@pytest.fixture
async def moving() -> Moving:
    return Moving()


async def test_to_a_queue_and_through_an_exchange(moving: Moving) -> None:
    for number in range(4):
        moving.publish(str(number).encode())
    assert (await moving.run("move_messages", "q", "to", count="2"))["text"] == "2 messages were moved"
    answer = await moving.run("move_messages", "q", exchange="amq.default", routing_key="to", count="1")
    assert answer["text"] == "1 messages were moved"
    answer = await moving.run("move_messages", "q", exchange="amq.topic")
    assert answer["exit_code"] == 70
    assert "0 messages were moved; then: exchange 'amq.topic' leads nowhere" in str(answer["error"])
    assert moving.vhost.queues["to"].ready_count == 3


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        (["q"], {}),
        (["q", "to"], {"exchange": "x"}),
        (["q", "to"], {"routing_key": "x"}),
        (["q", "to"], {"count": "0"}),
        (["q", "to"], {"count": "many"}),
    ],
)
async def test_what_cant_be_typed(moving: Moving, arguments: list[str], options: dict[str, object]) -> None:
    assert (await moving.run("move_messages", *arguments, **options))["exit_code"] == 64


async def test_peek_counts_from_one(moving: Moving) -> None:
    for number in range(2):
        moving.publish(str(number).encode())
    answer = await moving.run("peek", "q", "2")
    assert {"keys": "body", "values": "1"} in answer["rows"]  # type: ignore[operator]
    assert (await moving.run("peek", "q", "3"))["exit_code"] == 65
    assert (await moving.run("peek", "q", "0"))["exit_code"] == 64


async def test_what_is_unacknowledged(moving: Moving) -> None:
    answer = await moving.run("browse_queue", "q", unacknowledged=True)
    assert answer["rows"] == []
    assert answer["columns"][:3] == ["connection", "consumer_tag", "delivery_tag"]  # type: ignore[index]
    assert (await moving.run("browse_queue", "q", "1", "2", unacknowledged=True))["exit_code"] == 64
