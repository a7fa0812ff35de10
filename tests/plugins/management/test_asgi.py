"""An ASGI application is served over a stream: bodies there and back, what nobody reads, what goes wrong."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any, Final

import pytest
import trio
import trio.testing

from warren.plugins.management.serving import serve

LOG: Final = logging.getLogger("warren.plugin.management")


class Wire:
    """A stream of the test's own: what comes is given beforehand, and what is sent is kept."""

    peer_host, peer_port, host, port = "127.0.0.1", 1234, "127.0.0.1", 15672
    is_tls = shares_port = False

    @property
    def behind_s(self) -> float:
        return 0.0

    def __init__(self, *received: bytes) -> None:
        self.received = [*received]
        self.sent = b""

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        await trio.lowlevel.checkpoint()
        return self.received.pop(0) if self.received else b""

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await trio.lowlevel.checkpoint()
        self.sent += bytes(data)

    async def aclose(self) -> None:
        raise AssertionError("whoever has made a stream closes it")

    def abort(self) -> None:
        raise AssertionError("nobody is to be cut off")


POST: Final = b"POST /x HTTP/1.1\r\nhost: localhost\r\n"


async def exchange(application: Any, *received: bytes) -> bytes:
    """What is sent for these bytes."""
    wire = Wire(*received)
    await serve(wire, application, LOG, 30.0)
    return wire.sent


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """An application that answers with the body, chunked."""
    body = b""
    while (message := await receive())["type"] == "http.request" and message["more_body"]:
        body += message["body"]
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-method", scope["method"].encode())]})
    await send({"type": "http.response.body", "body": body, "more_body": True})
    await send({"type": "http.response.body"})


async def ignorant(scope: Any, receive: Any, send: Any) -> None:
    """An application that reads nothing."""
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b"which 204 doesn't have"})


async def test_a_body_in_chunks_there_and_back() -> None:
    sent = await exchange(echo, POST + b"transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n", b"2\r\nde\r\n0\r\n\r\n")
    head, _, body = sent.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert b"\r\ntransfer-encoding: chunked" in head.lower()
    assert b"\r\ndate: " in head.lower()
    assert body == b"5\r\nabcde\r\n0\r\n\r\n"


async def test_head_has_no_body() -> None:
    sent = await exchange(echo, b"HEAD /x HTTP/1.1\r\nhost: localhost\r\n\r\n")
    assert sent.endswith(b"\r\n\r\n")
    assert sent.count(b"\r\n\r\n") == 1


@pytest.mark.parametrize(("application", "asked"), [(echo, True), (ignorant, False)])
async def test_a_body_is_asked_for_when_somebody_wants_it(application: Any, asked: bool) -> None:
    """Expect: 100-continue (RFC 9110, 10.1.1)."""
    sent = await exchange(application, POST + b"content-length: 2\r\nexpect: 100-continue\r\n\r\n", b"ab")
    assert sent.startswith(b"HTTP/1.1 100 " if asked else b"HTTP/1.1 204 ")
    assert sent.count(b"HTTP/1.1 ") == 1 + asked


async def test_who_is_gone_when_a_body_is_asked_for() -> None:
    """It is the application that hears of it, as where the body ends too early."""
    heard: list[str] = []

    class Gone(Wire):
        async def send_all(self, data: bytes | bytearray | memoryview) -> None:
            raise trio.BrokenResourceError("the peer closed the socket")

    async def hears(scope: Any, receive: Any, send: Any) -> None:
        heard.append((await receive())["type"])
        raise trio.BrokenResourceError

    wire = Gone(POST + b"content-length: 2\r\nexpect: 100-continue\r\n\r\n")
    with pytest.raises(trio.BrokenResourceError):
        await serve(wire, hears, LOG, 30.0)
    assert heard == ["http.disconnect"]


async def test_what_nobody_reads_of_a_body_is_no_part_of_the_next_request() -> None:
    sent = await exchange(ignorant, POST + b"content-length: 6\r\n\r\nab", b"cd", b"ef" + POST + b"\r\n")
    assert sent.count(b"HTTP/1.1 204 ") == 2


@pytest.mark.parametrize("body", [b"3\r\nab", b"nonsense\r\n"])
async def test_a_body_that_is_none(body: bytes) -> None:
    """It ends too early, or isn't as HTTP has it."""

    async def gives_up(scope: Any, receive: Any, send: Any) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    sent = await exchange(gives_up, POST + b"transfer-encoding: chunked\r\n\r\n", body)
    assert sent.startswith(b"HTTP/1.1 400 ")
    assert sent.count(b"HTTP/1.1 ") == 1


async def test_who_waits_for_the_peer_to_go_reads_no_more_than_some_of_what_it_asks_next() -> None:
    gone: list[bool] = []

    async def waits(scope: Any, receive: Any, send: Any) -> None:
        assert (await receive())["more_body"] is False
        with trio.move_on_after(60):
            gone.append((await receive())["type"] == "http.disconnect")

    quiet = b"GET /x HTTP/1.1\r\nhost: localhost\r\n\r\n"
    await exchange(waits, quiet, b"x" * 100)
    assert gone == [True]
    wire = Wire(quiet, *[b"x" * 10_000] * 50)
    with trio.CancelScope() as stop:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(serve, wire, waits, LOG, 30.0))
            await trio.testing.wait_all_tasks_blocked()
            assert len(wire.received) == 50 - 7, "64 KiB, and no more"
            stop.cancel()
    assert gone == [True]


@pytest.mark.parametrize("began", [False, True])
async def test_a_bug_of_an_application_is_logged_and_answered_where_nothing_was(
    began: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async def fails(scope: Any, receive: Any, send: Any) -> None:
        if began:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise RuntimeError("a bug")

    sent = await exchange(fails, POST + b"\r\n")
    assert sent.startswith(b"HTTP/1.1 200 " if began else b"HTTP/1.1 500 ")
    assert sent.count(b"HTTP/1.1 ") == 1
    assert [record.exc_info is not None for record in caplog.records] == [True]
    caplog.clear()


async def test_a_request_that_is_cancelled_says_nothing_at_its_end() -> None:
    """Half of its answer may be out."""
    wire = Wire(POST + b"\r\n")

    async def never_ends(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        stop.cancel()
        await trio.sleep_forever()

    with trio.CancelScope() as stop:
        await serve(wire, never_ends, LOG, 30.0)
    assert wire.sent.endswith(b"4\r\nhalf\r\n")
