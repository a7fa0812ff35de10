"""`warren ctl list_quarantined`, `restore_quarantined` and `delete_quarantined`, and what `status` says of damage."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from tests.gateway.control.control_target import TargetServer
from warren.core.broker import Broker
from warren.core.declaring.actor import Administrator
from warren.core.declaring.quarantine import SetAside
from warren.core.declaring.queues import declare_queue
from warren.core.messages.address import Address
from warren.core.messages.message import Message
from warren.core.messages.properties import encode_properties
from warren.core.storage.disk.engine import DiskEngine
from warren.gateway.configuration.config import Config
from warren.gateway.control import exit_codes as codes
from warren.gateway.control.commands import run_command
from warren.gateway.control.target import Answer, Control

NUMBER = 77


class Quarantined:
    """A server that has two messages of a lost queue set aside, and a way to give it commands."""

    def __init__(self, directory: Path) -> None:
        self.server = TargetServer()
        self.control = Control(self.server, Config(in_memory=True, default_pass="swordfish"), started_at_s=0.0)
        self.broker: Broker = self.server.broker
        self.store = DiskEngine(directory)
        list(self.store.recover())
        messages = [
            Message(0, Address("", "lost"), encode_properties(delivery_mode=2), body, 0, len(body), 0, 0)
            for body in (b"one", b"three")
        ]
        for message in messages:
            self.store.append(message, (NUMBER,))
        flush = self.store.begin_flush()
        assert flush is not None
        flush.write()
        self.store.finish_flush(flush)
        self.broker.store = self.store
        positions = [message.position for message in messages]
        self.broker.quarantine.hold(SetAside(NUMBER, ("queue", "/", "lost"), positions, [3, 5]))

    async def ask(self, command: str, *arguments: str, **options: object) -> Answer:
        request: dict[str, object] = {"command": command, "arguments": list(arguments), "options": options}
        return await run_command(self.control, request)


@pytest.fixture
def quarantined(tmp_path: Path) -> Quarantined:
    return Quarantined(tmp_path)


async def test_what_is_set_aside_is_listed(quarantined: Quarantined) -> None:
    answer = await quarantined.ask("list_quarantined")
    assert cast("list[object]", answer["rows"]) == [
        {
            "number": NUMBER,
            "kind": "queue",
            "vhost": "/",
            "name": "lost",
            "messages": 2,
            "message_bytes": 8,
            "exchange": "",
            "routing_key": "lost",
        }
    ]
    status = await quarantined.ask("status")
    assert "Damage: 2 message(s) of queue 'lost' in vhost '/' (number 77) are set aside" in str(status["text"])
    quarantined.store.close()


async def test_they_are_given_to_a_queue(quarantined: Quarantined) -> None:
    queue = declare_queue(Administrator(quarantined.broker.vhosts["/"]), "other", durable=True)
    answer = await quarantined.ask("restore_quarantined", str(NUMBER), "other")
    assert answer["text"] == "2 message(s) restored"
    assert [message.body for message in queue.browse(0, 9)] == [b"one", b"three"]
    assert (await quarantined.ask("list_quarantined"))["rows"] == []
    quarantined.store.close()


async def test_they_are_dropped(quarantined: Quarantined) -> None:
    answer = await quarantined.ask("delete_quarantined", str(NUMBER))
    assert answer["text"] == "2 message(s) dropped"
    answer = await quarantined.ask("delete_quarantined", str(NUMBER))
    assert (answer["ok"], answer["exit_code"]) == (False, codes.DATA)
    quarantined.store.close()


@pytest.mark.parametrize(("arguments", "code"), [(("x", "q"), codes.USAGE), (("1", "q"), codes.DATA)])
async def test_what_cannot_be_restored_is_said(quarantined: Quarantined, arguments: tuple[str, str], code: int) -> None:
    answer = await quarantined.ask("restore_quarantined", *arguments)
    assert (answer["ok"], answer["exit_code"]) == (False, code)
    assert "list_quarantined" in str(answer["error"])
    quarantined.store.close()
