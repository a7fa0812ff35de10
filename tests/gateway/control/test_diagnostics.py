"""Words that scripts and containers ask for their exit codes."""

from __future__ import annotations

import pytest

from tests.gateway.control.test_browse import Browsing
from warren.gateway.control.commands import run_command
from warren.gateway.control.target import Answer
from warren.gateway.version import WARREN_VERSION


async def ask(server: Browsing, word: str) -> Answer:
    return await run_command(server.control, {"command": word, "arguments": [], "options": {}})


@pytest.fixture
async def server() -> Browsing:
    return Browsing()


async def test_a_broker_that_runs(server: Browsing) -> None:
    for word in ("check_running", "check_alarms", "check_local_alarms"):
        assert (await ask(server, word))["ok"] is True
    assert (await ask(server, "is_running"))["value"] is True
    assert (await ask(server, "server_version"))["value"] == WARREN_VERSION


async def test_an_alarm(server: Browsing) -> None:
    server.server.broker.alarms.set("disk", True)
    for word in ("check_alarms", "check_local_alarms"):
        answer = await ask(server, word)
        assert (answer["exit_code"], "disk" in str(answer["error"])) == (70, True)
    assert (await ask(server, "check_running"))["ok"] is True


async def test_a_stopped_application(server: Browsing) -> None:
    await server.server.stop_app()
    assert (await ask(server, "check_running"))["exit_code"] == 69
    assert (await ask(server, "is_running"))["value"] is False
    assert (await ask(server, "check_alarms"))["exit_code"] == 69
    assert (await ask(server, "server_version"))["ok"] is True
