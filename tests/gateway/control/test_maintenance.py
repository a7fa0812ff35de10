"""Keeping clients out for a while: suspend_listeners, drain, and back again."""

from __future__ import annotations

import pytest
import trio

from tests.support.simulated_client import handshake_bytes
from warren.gateway import EmbeddedBroker, open_broker
from warren.gateway.control.commands import run_command
from warren.gateway.control.target import Answer
from warren.gateway.network import listeners

OPEN_OK = bytes((0, 10, 0, 41))
"""connection.open-ok."""

CLOSE = bytes((0, 10, 0, 50))
"""connection.close."""

LISTEN = ("amqp=localhost:0", "http=127.0.0.1:0")


async def ask(broker: EmbeddedBroker, word: str) -> Answer:
    request: dict[str, object] = {"command": word, "arguments": [], "options": {}}
    return await run_command(broker._server.control, request)


async def accepts(address: tuple[str, int]) -> bool:
    try:
        stream = await trio.open_tcp_stream(*address)
    except OSError:
        return False
    await stream.aclose()
    return True


async def test_clients_are_refused_and_operators_are_not() -> None:
    async with open_broker(listen=LISTEN) as broker:
        amqp, http = broker.listening["amqp"], broker.listening["http"]
        stream = await trio.open_tcp_stream(*amqp[0])
        assert (await ask(broker, "suspend_listeners"))["ok"] is True
        assert [await accepts(each) for each in (*amqp, *http)] == [False] * len(amqp) + [True]
        assert broker.listening["amqp"] == amqp, "they come back"
        status = (await ask(broker, "status"))["value"]
        assert isinstance(status, dict)
        assert status["is_under_maintenance"] is True
        await stream.send_all(b"AMQP\0\0\x09\x01")
        assert await stream.receive_some(1) == b"\x01", "who was there stays"
        await stream.aclose()
        assert (await ask(broker, "suspend_listeners"))["ok"] is True, "once more"
        assert (await ask(broker, "resume_listeners"))["ok"] is True
        assert [await accepts(each) for each in (*amqp, *http)] == [True] * (len(amqp) + 1)
        assert (await ask(broker, "resume_listeners"))["ok"] is True, "once more"
        assert broker._server.accepting.suspended is False


async def test_draining_closes_those_that_are_there_but_not_the_brokers_own() -> None:
    async with open_broker(listen=LISTEN) as broker:
        amqp = broker.listening["amqp"]
        async with broker.connect() as client:
            await client.declare_queue("q")
            stream = await trio.open_tcp_stream(*amqp[0])
            await stream.send_all(handshake_bytes())
            said = b""
            while OPEN_OK not in said:
                said += await stream.receive_some()
            answer = await ask(broker, "drain")
            assert answer["text"] == "Closed 1 connections"
            said = b""
            while CLOSE not in said:
                said += await stream.receive_some()
            await stream.aclose()
            await client.declare_queue("what is in the process goes on")
        assert not await accepts(amqp[0])
        assert (await ask(broker, "revive"))["ok"] is True
        assert await accepts(amqp[0])


async def test_an_address_that_was_taken_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_broker(listen=("amqp=127.0.0.1:0",)) as broker:
        (address,) = broker.listening["amqp"]
        await ask(broker, "suspend_listeners")
        (taken,) = await trio.open_tcp_listeners(address[1], host=address[0])
        async with taken:
            answer = await ask(broker, "resume_listeners")
            assert (answer["exit_code"], "can't listen on amqp" in str(answer["error"])) == (70, True)
            assert broker._server.accepting.suspended is True
        assert (await ask(broker, "resume_listeners"))["ok"] is True
        assert await accepts(address)
        assert listeners.BACKLOG > 0


async def test_a_stop_while_they_are_suspended() -> None:
    async with open_broker(listen=LISTEN) as broker:
        await ask(broker, "suspend_listeners")
