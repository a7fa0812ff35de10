"""The back-end over HTTP in a running broker: with every protocol, and with servers that misbehave."""

from __future__ import annotations

import base64
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pika
import pytest
import trio
from pika.adapters.blocking_connection import BlockingConnection
from pika.exceptions import AMQPError, ChannelClosedByBroker

from tests.embedding.clients import in_thread
from tests.support.auth_server import Asked, AuthServer, allow_all, auth_server
from warren.core.access.questions import Denied, Identity, Login, MayEnter, Secret
from warren.core.errors import StorageError
from warren.gateway import EmbeddedBroker, open_broker
from warren.gateway.authentication.http import HttpBackEnd
from warren.gateway.configuration.config import ConfigError
from warren.gateway.configuration.load import load_config
from warren.gateway.configuration.options import options_of


@pytest.fixture
def server() -> Iterator[AuthServer]:
    with auth_server() as running:
        yield running


def parameters(broker: EmbeddedBroker, user: str, password: str = "secret") -> pika.ConnectionParameters:
    host, port = broker.address("amqp")
    return pika.ConnectionParameters(host, port, credentials=pika.PlainCredentials(user, password))


async def test_a_client_is_let_in_and_asked_about(server: AuthServer) -> None:
    async with open_broker(config=server.config(auth_backends=["internal", "http"], auth_http_method="post")) as broker:

        def use() -> None:
            with BlockingConnection(parameters(broker, "alice")) as connection:
                channel = connection.channel()
                channel.queue_declare("q")
                channel.confirm_delivery()
                channel.basic_publish("", "q", b"body")
                _, _, body = channel.basic_get("q", auto_ack=True)
                assert body == b"body"
                server.answer = lambda asked: (200, "deny")
                with pytest.raises(ChannelClosedByBroker):
                    channel.queue_declare("another")

        await in_thread(use)
        asked = server.take()
        assert {each.method for each in asked} == {"POST"}
        assert asked[0].key == ("user", "password=secret", "username=alice")
        rows = broker.inspect("connections")
        assert rows == []


async def test_own_users_are_asked_for_nothing(server: AuthServer) -> None:
    async with open_broker(config=server.config(auth_backends=["internal", "http"])) as broker:

        def use() -> None:
            with BlockingConnection(parameters(broker, "guest", "guest")) as connection:
                connection.channel().queue_declare("q", exclusive=True)

        await in_thread(use)
    assert server.take() == []


async def test_a_server_that_is_down_refuses_and_the_next_is_asked(caplog: pytest.LogCaptureFixture) -> None:
    with auth_server() as gone:
        pass
    async with open_broker(config=gone.config(auth_backends=["http", "internal"])) as broker:

        def use() -> None:
            with BlockingConnection(parameters(broker, "guest", "guest")) as connection:
                connection.channel()

        await in_thread(use)
    assert "the authentication back-end 'http' can't answer: 127.0.0.1 port" in caplog.text


async def test_a_server_that_never_answers_holds_nobody_up(server: AuthServer) -> None:
    over = threading.Event()

    def late(asked: Asked) -> tuple[int, str]:
        over.wait(60)
        return allow_all(asked)

    server.answer = late
    config = server.config(auth_backends=["internal", "http"], auth_http_request_timeout_s=0.3)
    try:
        async with open_broker(config=config) as broker:
            broker._server.broker.refused_logins.delay_ms = 0

            def waits() -> None:
                with pytest.raises(AMQPError):
                    BlockingConnection(parameters(broker, "alice"))

            def goes_on() -> None:
                with BlockingConnection(parameters(broker, "guest", "guest")) as connection:
                    connection.channel().queue_declare("q", exclusive=True)

            async with trio.open_nursery() as nursery:
                nursery.start_soon(in_thread, waits)
                nursery.start_soon(in_thread, goes_on)
    finally:
        over.set()


def back_end(server: AuthServer, **config: object) -> HttpBackEnd:
    return HttpBackEnd(options_of(server.config(**config)))


LOGIN = Login("alice", Secret("secret"))


async def asked_raw(reply: bytes, *, closes: bool = True) -> Identity | Denied | bool:
    """What the back-end makes of these bytes as an answer; where nothing follows and nobody closes, in a moment."""

    async def answer(stream: trio.SocketStream) -> None:
        await stream.receive_some(65536)
        try:
            await stream.send_all(reply)
            if not closes:
                await trio.sleep_forever()
        except trio.BrokenResourceError:
            pass

    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, answer, listeners)
        port = listeners[0].socket.getsockname()[1]
        of = back_end(AuthServer(f"http://127.0.0.1:{port}"), auth_http_request_timeout_s=60 if closes else 0.5)
        nursery.start_soon(of.run)
        found = await of.answer(LOGIN)
        nursery.cancel_scope.cancel()
    return found


RAW = {
    "nothing": b"",
    "no HTTP": b"hello\r\n\r\n",
    "half a head": b"HTTP/1.1 200 OK\r\n",
    "half a body": b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nallow",
    "a length that is none": b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nallow",
    "a very long head": b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 10_000,
    "a very long body": b"HTTP/1.1 200 OK\r\n\r\n" + b"allow " * 100_000,
    "a redirect": b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n",
    "no UTF-8": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n\xff\xfe",
}


@pytest.mark.parametrize("reply", RAW.values(), ids=RAW)
async def test_what_is_no_answer_is_a_failure(reply: bytes) -> None:
    found = await asked_raw(reply)
    assert isinstance(found, Denied)
    assert found.failed
    assert "secret" not in found.reason


async def test_one_that_stays_silent_is_given_up() -> None:
    found = await asked_raw(b"HTTP/1.1 200 OK\r\n", closes=False)
    assert found == Denied("no answer within 0.5 s", failed=True)


async def test_answers_that_are_good() -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nallow\r\n4\r\n a b\r\n0\r\n\r\n"
    assert await asked_raw(chunked) == Identity("alice", frozenset("ab"))
    assert await asked_raw(b"HTTP/1.0 201 Created\r\n\r\nALLOW x") == Identity("alice", frozenset("x"))


async def test_connections_are_kept_and_renewed(server: AuthServer) -> None:
    of = back_end(server)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(of.run)
        for _ in range(3):
            assert isinstance(await of.answer(LOGIN), Identity)
        (kept,) = of._client._idle
        stream = kept[2]._stream
        assert isinstance(stream, trio.SocketStream)
        cast("Any", stream.socket)._sock.shutdown(socket.SHUT_WR)
        assert isinstance(await of.answer(LOGIN), Identity)
        nursery.cancel_scope.cancel()


async def test_words_are_sent_as_they_are(server: AuthServer) -> None:
    of = back_end(server)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(of.run)
        name, password = "a&b=c +%\u00fc\udcff", "\0\r\n"
        await of.answer(Login(name, Secret(password)))
        await of.answer(MayEnter(Identity("x", frozenset({"b", "a"})), "v/h", "::1"))
        nursery.cancel_scope.cancel()
    first, second = server.take()
    assert first.parameters["password"] == password
    assert first.parameters["username"].startswith("a&b=c +%\u00fc")
    assert dict(second.parameters) == {"username": "x", "vhost": "v/h", "ip": "::1", "tags": "a b"}


@pytest.mark.parametrize(
    "url", ["", "ftp://x", "http://", "http://user:pass@host/", "http://a b/", "http://host:99999/", "/auth", "x"]
)
def test_addresses_that_cant_be_asked(tmp_path: Path, url: str) -> None:
    path = tmp_path / "warren.toml"
    path.write_text(f'auth_http_user_path = "{url}"\n')
    with pytest.raises(ConfigError, match="auth_http_user_path"):
        load_config(config_file=path, environment={})


async def test_a_back_end_that_isnt_there_ends_the_start() -> None:
    with pytest.raises(StorageError, match=r"'ldap': there is none of this name .* Is its plugin enabled\?"):
        async with open_broker(config=AuthServer("http://127.0.0.1:1").config(auth_backends=["internal", "ldap"])):
            raise AssertionError("it has started")


async def test_the_management_api_asks_the_same(server: AuthServer) -> None:
    config = server.config(auth_backends=["http"], plugins=["management"])
    async with open_broker(listen=["http=127.0.0.1:0", "amqp=127.0.0.1:0"], config=config) as broker:

        async def get(path: str, authorization: str) -> bytes:
            host, port = broker.address("http")
            async with await trio.open_tcp_stream(host, port) as stream:
                head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                await stream.send_all(f"{head}Authorization: {authorization}\r\n\r\n".encode())
                received = b""
                with trio.fail_after(60):
                    async for data in stream:
                        received += data
            return received

        basic = "Basic " + base64.b64encode(b"alice:secret").decode()
        answer = await get("/api/whoami", basic)
        assert b" 200 " in answer.split(b"\r\n")[0]
        assert b'"name":"alice"' in answer
        assert b'"is_internal_user":false' in answer
        server.answer = lambda asked: (200, "allow management") if asked.path == "user" else (200, "deny")
        broker._server.broker.users.ask_anew()
        assert b" 401 " in (await get("/api/queues/%2F", basic)).split(b"\r\n")[0]
        server.answer = lambda asked: (200, "deny")
        broker._server.broker.users.ask_anew()
        broker._server.broker.refused_logins.delay_ms = 0
        assert b" 401 " in (await get("/api/whoami", basic)).split(b"\r\n")[0]
        assert b" 401 " in (await get("/api/whoami", "Bearer token")).split(b"\r\n")[0]
        assert server.take()[-1].parameters == {"username": "", "password": "token"}
