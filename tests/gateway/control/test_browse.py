"""`warren ctl browse_queue`."""

from __future__ import annotations

from typing import cast

import pytest

from tests.gateway.control.control_target import TargetServer
from tests.support.core_broker import core_client
from warren.core.messages.message import Message
from warren.core.messages.properties import encode_properties
from warren.gateway.configuration.config import Config
from warren.gateway.control.commands import run_command
from warren.gateway.control.target import Answer, Control
from warren.gateway.control.words.browse import BODY_BYTES_SHOWN


class Browsing:
    """A server with a queue `q`, and a way to give it commands."""

    def __init__(self) -> None:
        from warren.core.declaring.queues import declare_queue

        self.server = TargetServer()
        self.control = Control(self.server, Config(in_memory=True, default_pass="swordfish"), started_at_s=0.0)
        self.vhost = self.server.broker.vhosts["/"]
        self.server.broker.users.set_permissions("guest", "/", ".*", ".*", ".*")
        declare_queue(core_client(self.server.broker), "q")

    def publish(self, body: bytes, message_id: str = "m") -> None:
        broker = self.server.broker
        properties = encode_properties(message_id=message_id, headers={"size": len(body)})
        route = self.vhost.route("", "q", properties.headers)
        message = Message(broker.next_sequence(), route.address, properties, body, 0, len(body), 0, broker.now_ms)
        self.vhost.publish(route, message)

    async def ask(self, *arguments: str) -> Answer:
        return await run_command(self.control, {"command": "browse_queue", "arguments": list(arguments), "options": {}})

    async def rows(self, *arguments: str) -> list[dict[str, object]]:
        answer = await self.ask(*arguments)
        assert answer["ok"] is True, answer
        return cast("list[dict[str, object]]", answer["rows"])


@pytest.fixture
async def browsing() -> Browsing:
    return Browsing()


async def test_what_is_shown(browsing: Browsing) -> None:
    browsing.publish(b"caf\xc3\xa9 \xff", "one")
    assert await browsing.rows("q") == [
        {
            "position": 0,
            "redelivered": False,
            "exchange": "",
            "routing_key": "q",
            "properties": {"message_id": "one", "headers": {"size": 7}},
            "body_bytes": 7,
            "body": "café \\xff",
        }
    ]
    assert browsing.vhost.queues["q"].ready_count == 1


async def test_a_part_of_the_queue(browsing: Browsing) -> None:
    for number in range(20):
        browsing.publish(b"%d" % number)
    assert [row["position"] for row in await browsing.rows("q")] == list(range(10))
    assert [row["body"] for row in await browsing.rows("q", "15", "3")] == ["15", "16", "17"]
    assert await browsing.rows("q", "20") == []


async def test_filters_look_at_the_whole_queue(browsing: Browsing) -> None:
    for number in range(12_000):
        browsing.publish(b"%d" % number)
    browsing.publish(b"the needle", "needle")
    for word in ("body=needle", "message_id=needle", "header.size=10"):
        assert [row["position"] for row in await browsing.rows("q", "0", "5", word)] == [12_000]
    assert await browsing.rows("q", "0", "5", "body=needle", "message_id=m") == []
    assert len(await browsing.rows("q", "0", "5", "routing_key=q", "exchange=")) == 5


async def test_only_the_beginning_of_a_long_body(browsing: Browsing) -> None:
    browsing.publish(b"x" * 100_000)
    (row,) = await browsing.rows("q")
    assert (row["body_bytes"], row["body"]) == (100_000, "x" * BODY_BYTES_SHOWN)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("nowhere",), "no queue 'nowhere'"),
        (("q", "-1"), "'-1' is no position"),
        (("q", "first"), "'first' is no position"),
        (("q", "0", "0"), "0 is no number of messages"),
        (("q", "0", "1001"), "1001 is no number of messages from 1 to 1000"),
        (("q", "0", "1", "needle"), "'needle' is no filter"),
        (("q", "0", "1", "colour=red"), "'colour=red' is no filter"),
        (("q", "0", "1", "header.=x"), "'header.=x' is no filter"),
        ((), "not enough arguments"),
    ],
)
async def test_refusals(browsing: Browsing, arguments: tuple[str, ...], text: str) -> None:
    answer = await browsing.ask(*arguments)
    assert answer["ok"] is False
    assert text in str(answer["error"])
