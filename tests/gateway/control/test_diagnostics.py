"""Words that scripts and containers ask for their exit codes."""

from __future__ import annotations

import socket

import pytest

from tests.gateway.control.test_browse import Browsing
from warren.adapters.session.keys import PRODUCT_VERSION
from warren.gateway import open_broker
from warren.gateway.control.commands import run_command
from warren.gateway.control.target import Answer, Control
from warren.gateway.facts import node_name


async def ask(server: Browsing, word: str, *arguments: str) -> Answer:
    return await run_command(server.control, {"command": word, "arguments": list(arguments), "options": {}})


@pytest.fixture
async def server() -> Browsing:
    return Browsing()


async def test_a_broker_that_runs(server: Browsing) -> None:
    for word in ("check_running", "check_alarms", "check_local_alarms"):
        assert (await ask(server, word))["ok"] is True
    assert (await ask(server, "is_running"))["value"] == {
        "result": True,
        "message": "The broker is fully booted and running",
    }
    assert (await ask(server, "is_booting"))["value"]["result"] is False  # type: ignore[index]
    assert (await ask(server, "server_version"))["value"] == {"result": "ok", "value": PRODUCT_VERSION.default}


async def test_an_alarm(server: Browsing) -> None:
    server.server.broker.alarms.set("disk", True)
    for word in ("check_alarms", "check_local_alarms"):
        answer = await ask(server, word)
        assert (answer["exit_code"], "disk" in str(answer["error"])) == (70, True)
    assert (await ask(server, "check_running"))["ok"] is True


async def test_a_stopped_application(server: Browsing) -> None:
    await server.server.stop_app()
    assert (await ask(server, "check_running"))["exit_code"] == 69
    assert (await ask(server, "is_running"))["value"]["result"] is False  # type: ignore[index]
    assert (await ask(server, "check_alarms"))["exit_code"] == 69
    assert (await ask(server, "server_version"))["ok"] is True


async def test_listeners_of_a_broker() -> None:
    async with open_broker(listen=("amqp=127.0.0.1:0", "mqtt=127.0.0.1:0")) as broker:
        control = Control(broker._server, broker._server.config, 0.0, broker._server.plugin_words)

        async def said(word: str, *arguments: str) -> Answer:
            return await run_command(control, {"command": word, "arguments": list(arguments), "options": {}})

        ((_, amqp),), ((_, mqtt),) = broker.listening["amqp"], broker.listening["mqtt"]
        found = await said("listeners")
        node = node_name()
        assert found["value"] == {
            "listeners": [
                {"node": node, "interface": "127.0.0.1", "port": port, "protocol": protocol, "purpose": purpose}
                for port, protocol, purpose in ((amqp, "amqp", "AMQP 0-9-1 and AMQP 1.0"), (mqtt, "mqtt", "MQTT"))
            ],
            "node": node,
            "result": "ok",
        }
        line = f"Interface: 127.0.0.1, port: {amqp}, protocol: amqp, purpose: AMQP 0-9-1 and AMQP 1.0"
        assert str(found["text"]).splitlines()[0] == line
        for word, argument in (
            ("check_port_listener", str(amqp)),
            ("check_protocol_listener", "amqp"),
            ("check_protocol_listener", "AMQP091, mqtt"),
        ):
            assert (await said(word, argument))["ok"] is True, argument
        for word, argument, code, why in (
            ("check_port_listener", str(next(port for port in range(1, 9) if port not in (amqp, mqtt))), 70, str(mqtt)),
            ("check_port_listener", "amqp", 65, "give a number"),
            ("check_protocol_listener", "mqtt,stomp", 70, "nothing listens for stomp; there are amqp, mqtt"),
            ("check_protocol_listener", "amqps", 70, "nothing listens for amqps"),
            ("check_protocol_listener", ",", 70, "no protocol"),
        ):
            answer = await said(word, argument)
            assert answer["exit_code"] == code, answer
            assert why in str(answer["error"])
        assert (await said("check_port_connectivity"))["ok"] is True
        assert (await said("check_virtual_hosts"))["ok"] is True


async def test_a_port_that_nobody_can_reach(server: Browsing, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        host, port = taken.getsockname()
        monkeypatch.setattr(server.server, "listening", {"amqp": [(host, port)]})
        answer = await ask(server, "check_port_connectivity")
    assert answer["exit_code"] == 70
    assert f"amqp on {host}:{port}" in str(answer["error"])


async def test_damage_is_told(server: Browsing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(server.server.broker), "damage", lambda self: ["a row is damaged"])
    answer = await ask(server, "check_virtual_hosts")
    assert (answer["exit_code"], answer["error"]) == (70, "a row is damaged")
