"""The same back-end over HTTP beside RabbitMQ and Warren: it is asked the same, and has the same effect."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel, BlockingConnection
from pika.exceptions import AMQPError, ChannelClosedByBroker

from tests.support.auth_server import Asked, AuthServer, allow_all, auth_server
from tests.support.rabbitmq import rabbitmq, rabbitmq_available
from tests.support.warren_process import warren_process

pytestmark = pytest.mark.skipif(not rabbitmq_available(), reason="no RabbitMQ is installed here")

MAKER, USER, PASSWORD = "maker", "älice +&=", "sëcret/%?"


@dataclass(frozen=True)
class Side:
    """One broker with a back-end of its own."""

    name: str
    port: int
    server: AuthServer


@pytest.fixture(scope="module")
def sides() -> Iterator[tuple[Side, Side]]:
    """RabbitMQ first; neither has users of its own that count."""
    with auth_server() as first, auth_server() as second:
        keys = second.written(auth_backends=["http"])
        options = [each for name, value in keys.items() for each in ("--set", f"{name}={_written(value)}")]
        with (
            rabbitmq(
                plugins=["rabbitmq_auth_backend_http"],
                configuration=["auth_backends.1 = http", *first.rabbitmq_conf()],
            ) as theirs,
            warren_process(in_memory=True, listen=["amqp=127.0.0.1:0"], options=options) as ours,
        ):
            yield Side("RabbitMQ", theirs.amqp_port, first), Side("Warren", ours.amqp_port, second)


def _written(value: object) -> str:
    return ",".join(value) if isinstance(value, list) else str(value)


def connected(side: Side, user: str = USER, password: str = PASSWORD) -> BlockingConnection:
    credentials = pika.PlainCredentials(user, password)
    return BlockingConnection(pika.ConnectionParameters("127.0.0.1", side.port, credentials=credentials))


def outcome(side: Side, do: Callable[[BlockingChannel], object], user: str = MAKER) -> object:
    """None, or with which code the channel was closed."""
    with connected(side, user) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        try:
            do(channel)
        except ChannelClosedByBroker as error:
            return (error.reply_code, error.reply_text)
        return None


def asked_for(requests: list[Asked]) -> set[tuple[str, ...]]:
    """What was asked, once each: how long answers are kept is each broker's own."""
    return {each.key for each in requests}


def deny(path: str, **parameters: str) -> Callable[[Asked], tuple[int, str]]:
    """All but that."""

    def answer(asked: Asked) -> tuple[int, str]:
        matches = asked.path == path and all(asked.parameters.get(name) == each for name, each in parameters.items())
        return (200, "deny") if matches else allow_all(asked)

    return answer


def make_all(channel: BlockingChannel) -> None:
    channel.exchange_declare("auth.x", "direct")
    channel.exchange_declare("auth.t", "topic")
    channel.queue_declare("auth.q", auto_delete=False)
    channel.queue_bind("auth.q", "auth.x", "k")


OPERATIONS: dict[str, Callable[[BlockingChannel], object]] = {
    "declare an exchange": lambda channel: channel.exchange_declare("auth.new", "fanout", auto_delete=True),
    "declare a queue": lambda channel: channel.queue_declare("auth.queue / +", exclusive=True),
    "declare with dead letters": lambda channel: channel.queue_declare(
        "auth.dead", exclusive=True, arguments={"x-dead-letter-exchange": "auth.x"}
    ),
    "bind": lambda channel: channel.queue_bind("auth.q", "auth.x", "other"),
    "bind to a topic": lambda channel: channel.queue_bind("auth.q", "auth.t", "a.*"),
    "publish": lambda channel: channel.basic_publish("auth.x", "k", b""),
    "publish by the default exchange": lambda channel: channel.basic_publish("", "auth.q", b""),
    "publish to a topic": lambda channel: channel.basic_publish("auth.t", "a.b", b""),
    "get": lambda channel: channel.basic_get("auth.q", auto_ack=True),
    "purge": lambda channel: channel.queue_purge("auth.q"),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_what_is_asked(sides: tuple[Side, Side], name: str) -> None:
    found = []
    for side in sides:
        side.server.answer = allow_all
        outcome(side, make_all)
        side.server.take()
        assert outcome(side, OPERATIONS[name], f"{USER} {name}") is None
        found.append(asked_for(side.server.take()))
    assert found[0] == found[1]
    assert len(found[0]) > 2


def test_the_login_is_asked_for_alike(sides: tuple[Side, Side]) -> None:
    found = []
    for side in sides:
        side.server.answer = allow_all
        side.server.take()
        with connected(side, "somebody new", PASSWORD):
            pass
        found.append(asked_for(side.server.take()))
    assert found[0] == found[1]
    assert {each[0] for each in found[0]} == {"user", "vhost"}


REFUSALS = [
    ("declare a queue", deny("resource", permission="configure")),
    ("publish", deny("resource", permission="write", name="auth.x")),
    ("publish to a topic", deny("topic", permission="write", routing_key="a.b")),
    ("bind to a topic", deny("topic", permission="read")),
    ("get", deny("resource", permission="read", resource="queue")),
    ("get", lambda asked: (500, "no") if asked.path == "resource" else allow_all(asked)),
]
"""A word that is neither makes RabbitMQ 3.10 close the connection with 541, which Warren refuses as any failure."""


@pytest.mark.parametrize("number", range(len(REFUSALS)))
def test_what_is_refused(sides: tuple[Side, Side], number: int) -> None:
    name, answer = REFUSALS[number]
    found = []
    for side in sides:
        side.server.answer = allow_all
        outcome(side, make_all)
        side.server.answer = answer
        found.append(outcome(side, OPERATIONS[name], f"{USER} refused {number}"))
    theirs, ours = found
    assert isinstance(theirs, tuple)
    assert isinstance(ours, tuple)
    assert ours[0] == theirs[0] == 403
    # RabbitMQ says which right it is since 3.12.
    said = re.sub(" (configure|write|read) access", " access", ours[1])
    assert (
        said.partition(", backend")[0]
        == re.sub(" (configure|write|read) access", " access", theirs[1]).partition(", backend")[0]
    )
    assert (", backend" in said) == (", backend" in theirs[1])


LOGINS = {
    "deny": (200, "deny"),
    "Deny with a reason": (200, "DENY because"),
    "nothing": (200, ""),
    "another word": (200, "yes"),
    "not found": (404, "allow"),
    "an error": (500, "allow"),
}


@pytest.mark.parametrize("answer", LOGINS.values(), ids=LOGINS)
def test_logins_that_are_refused(sides: tuple[Side, Side], answer: tuple[int, str]) -> None:
    for side in sides:
        side.server.answer = lambda asked: answer if asked.path == "user" else allow_all(asked)
        with pytest.raises(AMQPError):
            connected(side, f"user for {json.dumps(answer)}")


def test_a_virtual_host_that_is_refused(sides: tuple[Side, Side]) -> None:
    for side in sides:
        side.server.answer = deny("vhost")
        with pytest.raises(AMQPError):
            connected(side, "nobody's guest")


@pytest.mark.parametrize("text", ["ALLOW", "Allow administrator", "  allow \n"])
def test_logins_that_are_allowed(sides: tuple[Side, Side], text: str) -> None:
    for side in sides:
        side.server.answer = lambda asked: (200, text) if asked.path == "user" else allow_all(asked)
        with connected(side, f"user for {text!r}"):
            pass
