"""Tokens and plugins' back-ends in a running broker, from the configuration to the client."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pika
import pytest
import trio
from pika.adapters.blocking_connection import BlockingConnection
from pika.exceptions import AMQPError, ChannelClosedByBroker

from tests.embedding.clients import in_thread
from tests.support.auth_server import auth_server
from tests.support.tokens import jwks, rsa_key
from warren.core.access.accounts import User
from warren.core.errors import AccessRefused, StorageError
from warren.gateway import BrokerClient, EmbeddedBroker, authentication, open_broker
from warren.gateway.authentication import oauth2
from warren.gateway.configuration.catalogue import KEYS
from warren.gateway.configuration.config import Config
from warren.gateway.control.commands import run_command
from warren.gateway.control.target import Control
from warren.gateway.plugin import Plugin, when_known
from warren.plugins import registry

TIME_LIMIT_S = 60

PAGE = Path(__file__).parents[3] / "docs" / "authentication.md"


def config(**written: object) -> Config:
    return Config(in_memory=True, **{name: KEYS[name].parse(value) for name, value in written.items()})


@pytest.fixture
def issuer() -> Iterator[str]:
    with auth_server(lambda asked: (200, jwks(rsa_key()))) as server:
        yield f"{server.url}/keys"


def token(scope: str, **claims: object) -> str:
    return rsa_key().sign({"sub": "alice", "aud": "burrow", "exp": int(time.time()) + 600, "scope": scope, **claims})


def of_issuer(url: str, **others: object) -> Config:
    return config(
        auth_backends=["oauth2", "internal"],
        auth_oauth2_resource_server_id="burrow",
        auth_oauth2_jwks_url=url,
        **others,
    )


def parameters(broker: EmbeddedBroker, user: str, password: str) -> pika.ConnectionParameters:
    host, port = broker.address("amqp")
    return pika.ConnectionParameters(host, port, credentials=pika.PlainCredentials(user, password))


EVERYTHING = "burrow.read:*/* burrow.write:*/* burrow.configure:*/*"


async def test_a_token_is_a_password(issuer: str) -> None:
    async with open_broker(config=of_issuer(issuer)) as broker:

        def use() -> None:
            with BlockingConnection(parameters(broker, "whatever", token(EVERYTHING))) as connection:
                connection.channel().queue_declare("q")
            with BlockingConnection(parameters(broker, "", token("burrow.read:*/*"))) as connection:
                channel = connection.channel()
                channel.basic_get("q", auto_ack=True)
                with pytest.raises(ChannelClosedByBroker) as refused:
                    channel.queue_declare("another")
                assert refused.value.reply_code == 403
                assert "refused for user 'alice'" in refused.value.reply_text
            with BlockingConnection(parameters(broker, "guest", "guest")) as connection:
                connection.channel()
            for wrong in (token(EVERYTHING, aud="other"), token(""), token(EVERYTHING)[:-5], "secret"):
                with pytest.raises(AMQPError):
                    BlockingConnection(parameters(broker, "alice", wrong))

        broker._server.broker.refused_logins.delay_ms = 0
        await in_thread(use)


async def test_a_newer_token_and_an_older_one(issuer: str) -> None:
    async with open_broker(config=of_issuer(issuer)) as broker:

        def use() -> None:
            with BlockingConnection(parameters(broker, "", token(EVERYTHING))) as connection:
                connection.update_secret(token(EVERYTHING, exp=int(time.time()) + 3600), "renewed")
                connection.channel().queue_declare("q", exclusive=True)
                with pytest.raises(AMQPError) as refused:
                    connection.update_secret(token(EVERYTHING, sub="bob"), "another's")
                assert "New secret was refused" in str(refused.value)

        await in_thread(use)


async def test_a_token_in_the_management_api(issuer: str) -> None:
    listen = ["http=127.0.0.1:0", "amqp=127.0.0.1:0"]
    async with open_broker(listen=listen, config=of_issuer(issuer, plugins=["management"])) as broker:

        async def status(authorization: str) -> int:
            host, port = broker.address("http")
            async with await trio.open_tcp_stream(host, port) as stream:
                head = "GET /api/vhosts HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                await stream.send_all(f"{head}Authorization: {authorization}\r\n\r\n".encode())
                with trio.fail_after(TIME_LIMIT_S):
                    return int((await stream.receive_some(1000)).split()[1])

        broker._server.broker.refused_logins.delay_ms = 0
        assert await status(f"Bearer {token('burrow.tag:management')}") == 200
        assert await status(f"bearer {token('burrow.tag:management')}") == 200
        assert await status(f"Bearer {token(EVERYTHING)}") == 401, "no tag"
        assert await status(f"Bearer {token('burrow.tag:management')}x") == 401
        assert await status("Bearer ") == 401


async def test_without_its_package_the_start_ends(monkeypatch: pytest.MonkeyPatch, issuer: str) -> None:
    # What is imported anew is forgotten afterwards, also by the package that it is in.
    monkeypatch.setattr(authentication, "oauth2", oauth2)
    for name in [name for name in sys.modules if name.startswith("warren.gateway.authentication.oauth2")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "jwt", None)
    with pytest.raises(StorageError, match=re.escape("pip install 'warren-mq[oauth2]'")):
        async with open_broker(config=of_issuer(issuer)):
            raise AssertionError("it has started")


def example() -> type[Plugin]:
    """The plugin of docs/authentication.md."""
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    found: dict[str, object] = {}
    exec(compile(code, str(PAGE), "exec"), found)
    plugin = found["PeoplePlugin"]
    assert isinstance(plugin, type)
    assert issubclass(plugin, Plugin)
    return plugin


@pytest.fixture
def with_people(monkeypatch: pytest.MonkeyPatch) -> Config:
    """A broker's that asks the plugin of the page."""
    module = type(sys)("people_of_the_page")
    module.__dict__["PeoplePlugin"] = example()
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(registry, "BUILT_IN", {"people": f"{module.__name__}:PeoplePlugin"})
    return config(plugins=["people"], auth_backends=["internal", "people"])


async def test_a_client_in_the_process_waits_for_its_rights(with_people: Config) -> None:
    """The back-end answers as soon as its task runs, which is before a call that has a checkpoint behind it waits."""
    async with open_broker(listen=(), config=with_people) as broker:
        server = broker._server

        async def log_in() -> User:
            return server.broker.users.log_in("ann", "sparrow", is_loopback=True, mechanism="PLAIN")

        ann = await when_known(log_in)
        async with AsyncExitStack() as stack:

            async def connect() -> BrokerClient:
                return await stack.enter_async_context(server.clients.connect(ann, "/", "ann"))

            with trio.fail_after(TIME_LIMIT_S):
                client = await when_known(connect)
                await client.declare_queue("ann's")
                await client.declare_exchange("ann's exchange", "fanout")
                await client.bind_queue("ann's", "ann's exchange")
                with pytest.raises(AccessRefused):
                    await client.declare_queue("bob's")
                with pytest.raises(AccessRefused):
                    await client.send("", "ann's", b"no")
                with pytest.raises(AccessRefused):
                    await client.publish_nowait("amq.direct", "k", b"no").wait()
                for body in (b"1", b"2"):
                    client.publish_nowait("ann's exchange", "", body)
                await client.publish("ann's exchange", "", b"3")
                found = [await client.get("ann's", no_ack=True) for _ in range(3)]
                assert [each.body for each in found if each is not None] == [b"1", b"2", b"3"]


async def test_the_word_that_tries_a_password_asks_everybody(with_people: Config) -> None:
    async with open_broker(listen=(), config=with_people) as broker:
        control = Control(broker._server, with_people, 0.0)
        for name, password, code in (("ann", "sparrow", None), ("ann", "wren", 65), ("guest", "guest", None)):
            with trio.fail_after(TIME_LIMIT_S):
                request: dict[str, object] = {"command": "authenticate_user", "arguments": [name, password]}
                answer = await run_command(control, request)
            assert answer.get("exit_code") == code, answer


async def test_the_back_end_of_a_plugin(with_people: Config) -> None:
    async with open_broker(config=with_people) as broker:

        def use() -> None:
            with BlockingConnection(parameters(broker, "ann", "sparrow")) as connection:
                channel = connection.channel()
                channel.queue_declare("ann's")
                with pytest.raises(ChannelClosedByBroker):
                    channel.queue_declare("bob's")
            with pytest.raises(AMQPError):
                BlockingConnection(parameters(broker, "ann", "wren"))

        broker._server.broker.refused_logins.delay_ms = 0
        await in_thread(use)
