"""The same tokens beside RabbitMQ's rabbitmq_auth_backend_oauth2 and Warren: who gets in, and what they may do."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel, BlockingConnection
from pika.exceptions import AMQPError, ChannelClosedByBroker

from tests.support.rabbitmq import rabbitmq, rabbitmq_available
from tests.support.tokens import rsa_key
from tests.support.warren_process import warren_process

pytestmark = pytest.mark.skipif(not rabbitmq_available(), reason="no RabbitMQ is installed here")


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, int]]:
    """RabbitMQ's, and Warren's; both believe the same key, and take the same for the broker's name."""
    directory = tmp_path_factory.mktemp("keys")
    key = rsa_key().write(directory)
    conf = [
        "auth_backends.1 = oauth2",
        "auth_oauth2.resource_server_id = burrow",
        "auth_oauth2.additional_scopes_key = roles",
        "auth_oauth2.default_key = rsa",
        f"auth_oauth2.signing_keys.rsa = {key}",
        "auth_oauth2.algorithms.1 = RS256",
    ]
    file: Path = directory / "warren.conf"
    file.write_text("\n".join(conf).replace("= oauth2", "= rabbit_auth_backend_oauth2"))
    theirs_conf = [conf[0].replace("oauth2", "rabbit_auth_backend_oauth2"), *conf[1:]]
    with (
        rabbitmq(plugins=["rabbitmq_auth_backend_oauth2"], configuration=theirs_conf) as theirs,
        warren_process(in_memory=True, listen=["amqp=127.0.0.1:0"], options=["--config", str(file)]) as ours,
    ):
        yield theirs.amqp_port, ours.amqp_port


def outcome(port: int, token: str, do: Callable[[BlockingChannel], object]) -> str:
    """allowed, or by which code it was refused, or that nobody was let in."""
    credentials = pika.PlainCredentials("whoever", token)
    try:
        connection = BlockingConnection(pika.ConnectionParameters("127.0.0.1", port, credentials=credentials))
    except AMQPError:
        return "not let in"
    with connection:
        channel = connection.channel()
        channel.confirm_delivery()
        try:
            do(channel)
        except ChannelClosedByBroker as error:
            return str(error.reply_code)
    return "allowed"


def claims(scope: object, **others: object) -> Mapping[str, object]:
    found = {"sub": "alice", "aud": ["burrow"], "exp": int(time.time()) + 600, "scope": scope, **others}
    return {name: value for name, value in found.items() if value is not None}


def declare(channel: BlockingChannel) -> None:
    channel.queue_declare("oauth.q", exclusive=True)


def publish(channel: BlockingChannel) -> None:
    channel.basic_publish("amq.direct", "k", b"")


def publish_topic(channel: BlockingChannel) -> None:
    channel.basic_publish("amq.topic", "a.b", b"")


ALL = "burrow.configure:*/* burrow.write:*/* burrow.read:*/*"

CASES: dict[str, tuple[Mapping[str, object], Callable[[BlockingChannel], None]]] = {
    "everything": (claims(ALL), declare),
    "a list of scopes": (claims(ALL.split()), declare),
    "configure alone": (claims("burrow.configure:*/*"), declare),
    "write alone, declaring": (claims("burrow.write:*/*"), declare),
    "a vhost by name": (claims("burrow.configure:%2F/oauth.*"), declare),
    "another vhost": (claims("burrow.configure:other/*"), declare),
    "another name": (claims("burrow.configure:*/other*"), declare),
    "another prefix": (claims("mole.configure:*/*"), declare),
    "no scope": (claims(""), declare),
    "additional scopes": (claims("", roles=["burrow.configure:*/*"]), declare),
    "additional scopes by server": (claims("", roles={"burrow": ["configure:*/*"]}), declare),
    "publish": (claims("burrow.write:*/amq.direct"), publish),
    "publish elsewhere": (claims("burrow.write:*/amq.fanout"), publish),
    "publish by reading": (claims("burrow.read:*/*"), publish),
    "a topic": (claims("burrow.write:*/*/a.*"), publish_topic),
    "a topic by a scope without a key": (claims("burrow.write:*/*"), publish_topic),
    "another topic": (claims("burrow.write:*/*/b.*"), publish_topic),
    "an audience in a text": (claims(ALL, aud="burrow"), declare),
    "another audience": (claims(ALL, aud=["mole"]), declare),
    "no audience": (claims(ALL, aud=None), declare),
    "expired": (claims(ALL, exp=int(time.time()) - 10), declare),
}


@pytest.mark.parametrize("name", CASES)
def test_a_token(ports: tuple[int, int], name: str) -> None:
    found, do = CASES[name]
    token = rsa_key().sign(found)
    theirs, ours = (outcome(port, token, do) for port in ports)
    assert ours == theirs


@pytest.mark.parametrize("kind", ["another's", "cut", "none", "no token"])
def test_tokens_that_nobody_takes(ports: tuple[int, int], kind: str) -> None:
    good = rsa_key().sign(claims(ALL))
    token = {
        "another's": rsa_key("other").sign(claims(ALL), kid="rsa"),
        "cut": good[:-8],
        "none": good.rpartition(".")[0] + ".",
        "no token": "secret",
    }[kind]
    assert [outcome(port, token, declare) for port in ports] == ["not let in", "not let in"]
