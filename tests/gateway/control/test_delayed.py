"""`warren ctl list_delayed_messages` and `cancel_delayed_message`."""

from __future__ import annotations

from typing import cast

import pytest

from tests.gateway.control.control_target import TargetServer
from warren.core.clients.client import Client
from warren.core.declaring.exchanges import declare_exchange
from warren.core.exchanges.delaying.exchange import DelayedMessageExchange
from warren.core.messages.message import Message
from warren.core.messages.properties import encode_properties
from warren.gateway.configuration.config import Config
from warren.gateway.control.commands import run_command
from warren.gateway.control.target import Answer, Control

DAY_MS = 24 * 3600 * 1000


class Delayed:
    """A server with an x-delayed-message exchange `later`, and a way to give it commands."""

    def __init__(self) -> None:
        self.server = TargetServer()
        self.control = Control(self.server, Config(in_memory=True, default_pass="swordfish"), started_at_s=0.0)
        self.vhost = self.server.broker.vhosts["/"]
        self.server.broker.users.set_permissions("guest", "/", ".*", ".*", ".*")
        client = Client("test", self.server.broker.users["guest"], self.vhost, "test", {})
        declared = declare_exchange(client, "later", "x-delayed-message", arguments={"x-delayed-type": "fanout"})
        declare_exchange(client, "plain", "fanout")
        assert isinstance(declared, DelayedMessageExchange)
        self.exchange = declared

    def publish(self, body: bytes, delay_ms: int | str, key: str = "", message_id: str | None = None) -> None:
        broker = self.server.broker
        properties = encode_properties(headers={"x-delay": delay_ms}, message_id=message_id)
        route = self.vhost.route("later", key, properties.headers)
        message = Message(broker.next_sequence(), route.address, properties, body, 0, len(body), 0, broker.now_ms)
        self.vhost.publish(route, message)

    async def ask(self, command: str, *arguments: str, **options: object) -> Answer:
        request: dict[str, object] = {"command": command, "arguments": list(arguments), "options": options}
        return await run_command(self.control, request)

    async def rows(self, *arguments: str) -> list[dict[str, object]]:
        answer = await self.ask("list_delayed_messages", *arguments)
        assert answer["ok"] is True, answer
        return cast("list[dict[str, object]]", answer["rows"])


@pytest.fixture
async def delayed() -> Delayed:
    return Delayed()


async def test_messages_are_listed_by_due_time(delayed: Delayed) -> None:
    delayed.publish(b"second", 2 * DAY_MS + 1, "b", "m-2")
    delayed.publish(b"first", DAY_MS, "a")
    delayed.publish(b"never", "9" * 30)
    rows = await delayed.rows("later")
    assert [list(row.values())[1:] for row in rows] == [
        ["1970-01-02T00:00:00.000Z", "a", None, 5],
        ["1970-01-03T00:00:00.001Z", "b", "m-2", 6],
        [str(2**63 - 1), "", None, 5],
    ]
    assert [row["deliver_at"] for row in await delayed.rows("later", "1")] == ["1970-01-02T00:00:00.000Z"]
    assert await delayed.rows("later", "2") == rows[:2]


async def test_messages_are_cancelled_by_id(delayed: Delayed) -> None:
    for number in range(5):
        delayed.publish(b"%d" % number, DAY_MS)
    ids = [str(row["id"]) for row in await delayed.rows("later")]
    answer = await delayed.ask("cancel_delayed_message", "later", ids[1], ids[3], ids[1])
    assert (answer["ok"], answer["text"]) == (True, "2 delayed message(s) cancelled")
    answer = await delayed.ask("cancel_delayed_message", "later", ids[0], ids[1], "rubbish")
    assert (answer["ok"], answer["exit_code"]) == (False, 65)
    assert str(answer["error"]).startswith(
        f"1 delayed message(s) cancelled; not pending (any more): {ids[1]}, rubbish; warren ctl list_delayed_messages"
    )
    assert [row["id"] for row in await delayed.rows("later")] == [ids[2], ids[4]]
    assert delayed.exchange.messages_delayed == 2


@pytest.mark.parametrize("command", ["list_delayed_messages", "cancel_delayed_message"])
@pytest.mark.parametrize(
    ("exchange", "options", "text"),
    [
        ("nowhere", {}, "no exchange 'nowhere' in vhost '/'"),
        ("later", {"vhost": "other"}, "no exchange 'later' in vhost 'other'"),
        ("plain", {}, "exchange 'plain' in vhost '/' is of type fanout, which delays nothing"),
    ],
)
async def test_there_must_be_such_an_exchange(
    delayed: Delayed, command: str, exchange: str, options: dict[str, object], text: str
) -> None:
    answer = await delayed.ask(command, exchange, "5", **options)
    assert (answer["ok"], answer["error"], answer["exit_code"]) == (False, text, 65)


@pytest.mark.parametrize("count", ["0", "-1", "many", "10001", "9" * 40, "\u0665"])
async def test_a_count_must_be_one(delayed: Delayed, count: str) -> None:
    answer = await delayed.ask("list_delayed_messages", "later", count)
    assert (answer["ok"], answer["exit_code"]) == (False, 64)
    assert answer["error"] == f"'{count}' is no number of messages from 1 to 10000"
