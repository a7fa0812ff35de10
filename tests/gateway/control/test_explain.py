"""`warren ctl explain`, which says where a message would go."""

from __future__ import annotations

from typing import Any, cast

import pytest

from tests.gateway.control.control_target import TargetServer
from tests.support.core_broker import core_client
from warren.core.administration import operations
from warren.core.declaring.queues import declare_queue
from warren.core.storage.definitions.store import JSON
from warren.gateway.command_line.ctl_options import parse
from warren.gateway.configuration.config import Config
from warren.gateway.control.commands import run_command
from warren.gateway.control.target import Answer, Control
from warren.gateway.control.words.built_in import WORDS


class Explaining:
    """A server with a queue `q`, and a way to ask it, as it is typed."""

    def __init__(self) -> None:
        self.server = TargetServer()
        self.control = Control(self.server, Config(in_memory=True, default_pass="swordfish"), started_at_s=0.0)
        self.server.broker.users.set_permissions("guest", "/", ".*", ".*", ".*")
        declare_queue(core_client(self.server.broker), "q")

    async def ask(self, *typed: str) -> Answer:
        parsed = parse(["explain", *typed], WORDS.values())
        request: dict[str, object] = {
            "command": "explain",
            "arguments": list(parsed.words[1:]),
            "options": parsed.of_word,
        }
        return await run_command(self.control, request)

    async def value(self, *typed: str) -> dict[str, Any]:
        answer = await self.ask(*typed)
        assert answer["ok"] is True, answer
        return cast("dict[str, Any]", answer["value"])


@pytest.fixture
async def explaining() -> Explaining:
    return Explaining()


async def test_the_text(explaining: Explaining) -> None:
    answer = await explaining.ask("", "q", "--user", "guest")
    assert answer["text"] == (
        "The message goes to queue 'q'.\n"
        "\n"
        "1. User 'guest' may write to exchange 'amq.default' with this routing key.\n"
        "\n"
        "2. The default exchange leads to the queue of the routing key's name, 'q'.\n"
        "\n"
        "Queues:\n"
        "  q (classic): takes it; 0 ready, 0 consumer(s)"
    )


async def test_headers_and_properties_may_be_repeated(explaining: Explaining) -> None:
    vhost = explaining.server.broker.vhosts["/"]
    wanted: dict[str, JSON] = {"n": 5, "t": "5", "f": True, "s": "text"}
    operations.bindings.add(explaining.server.broker, vhost.name, "amq.headers", "queue", "q", "", wanted)
    given = [
        "--header",
        "n=5",
        "--header",
        't="5"',
        "--header=f=true",
        "--header",
        "s=text",
        "--property",
        "priority=3",
    ]
    assert (await explaining.value("amq.headers", *given))["routed"] is True
    assert (await explaining.value("amq.headers", *given[2:]))["routed"] is False
    for wrong in (["--header", "n"], ["--property", "colour=red"], ["--property", "priority=high"]):
        assert (await explaining.ask("amq.headers", *wrong))["exit_code"] == 64


async def test_what_cant_be_asked(explaining: Explaining) -> None:
    for typed in ([], ["q", "--mqtt-topic", "a"]):
        assert (await explaining.ask(*typed))["exit_code"] == 64
    assert (await explaining.ask("", "q", "-p", "none"))["exit_code"] == 65
    assert (await explaining.ask("", "q", "--user", "nobody"))["exit_code"] == 67
