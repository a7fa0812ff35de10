"""CreateSuperStream, DeleteSuperStream, Partitions, Route (spec H.2)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.adapters.stream.conftest import Connect
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_stream import StreamClient
from warren.adapters.stream.codec import commands
from warren.adapters.stream.codec.keys import Code, Key
from warren.core.declaring.super_streams import PARTITIONS_PER_SLICE


def create(client: StreamClient, name: str = "s", count: int = 3, **arguments: str) -> Code:
    partitions = [f"{name}-{number}" for number in range(count)]
    keys = [str(number) for number in range(count)]
    given = {key.replace("_", "-"): value for key, value in arguments.items()}
    return client.code(commands.CreateSuperStream, name, partitions, keys, given)


def partitions(client: StreamClient, name: str = "s") -> list[str]:
    answer = client.ask(commands.Partitions, name)
    assert answer.code == Code.OK
    return list(answer.streams)


def test_it_is_made_with_its_partitions_in_order(client: StreamClient, simulated: SimulatedBroker) -> None:
    assert create(client, max_age="7D") is Code.OK
    assert partitions(client) == ["s-0", "s-1", "s-2"]
    assert simulated.vhost.queues["s-1"].arguments["x-max-age"] == "7D"
    routed = client.ask(commands.Route, "2", "s")
    assert (routed.code, list(routed.streams)) == (Code.OK, ["s-2"])
    routed = client.ask(commands.Route, "nowhere", "s")
    assert (routed.code, list(routed.streams)) == (Code.OK, [])


def test_it_is_deleted_with_its_partitions_and_publishers_are_told(
    client: StreamClient, simulated: SimulatedBroker
) -> None:
    create(client)
    assert client.code(commands.DeclarePublisher, 2, None, "s-1") is Code.OK
    answers = client.send(commands.DeleteSuperStream(50, "s"))
    assert commands.Answer(Key.DELETE_SUPER_STREAM, 50, Code.OK) in answers
    assert commands.MetadataUpdate(Code.NOT_AVAILABLE, "s-1") in answers
    assert set(simulated.vhost.queues) == {"log"}
    assert client.code(commands.Partitions, "s") is Code.NO_STREAM


def test_many_partitions_are_answered_when_all_are_there(client: StreamClient, simulated: SimulatedBroker) -> None:
    count = 5 * PARTITIONS_PER_SLICE
    assert create(client, count=count) is Code.OK
    assert len(partitions(client)) == count
    assert client.code(commands.DeleteSuperStream, "s") is Code.OK
    assert set(simulated.vhost.queues) == {"log"}


def test_who_leaves_while_it_is_made_leaves_all_of_it(client: StreamClient, simulated: SimulatedBroker) -> None:
    count = 5 * PARTITIONS_PER_SLICE
    names = [f"s-{number}" for number in range(count)]
    client.transport.receive(encoded(commands.CreateSuperStream(9, "s", names, names, {})))
    assert "s" not in simulated.vhost.exchanges
    client.session.connection_lost("test")
    simulated.settle()
    assert "s" in simulated.vhost.exchanges
    assert len(simulated.vhost.queues) == count + 1


def encoded(command: Any) -> bytes:
    from warren.adapters.stream.codec.encoding import encode

    return encode(command)


@pytest.mark.parametrize(
    ("name", "partitions", "keys", "code"),
    [
        ("s", ["a", "b"], ["a"], Code.PRECONDITION_FAILED),
        ("s", [], [], Code.PRECONDITION_FAILED),
        ("s", ["a", "a"], ["a", "b"], Code.PRECONDITION_FAILED),
        ("s", ["log"], ["a"], Code.STREAM_EXISTS),
        ("amq.topic", ["a"], ["a"], Code.ACCESS_REFUSED),
    ],
    ids=["other numbers", "none", "twice", "a stream that is there", "a reserved name"],
)
def test_what_cannot_be_made(
    client: StreamClient, name: str, partitions: list[str], keys: list[str], code: Code
) -> None:
    assert client.code(commands.CreateSuperStream, name, partitions, keys, {}) is code


def test_it_is_not_made_twice_nor_deleted_twice(client: StreamClient) -> None:
    assert create(client) is Code.OK
    assert create(client) is Code.STREAM_EXISTS
    assert client.code(commands.DeleteSuperStream, "s") is Code.OK
    assert client.code(commands.DeleteSuperStream, "s") is Code.NO_STREAM
    assert client.code(commands.Route, "0", "s") is Code.NO_STREAM
    assert client.code(commands.DeleteSuperStream, "amq.topic") is Code.PRECONDITION_FAILED


def test_rights_of_all_parts_are_asked_for(client: StreamClient, connect: Connect, simulated: SimulatedBroker) -> None:
    create(client)
    users = simulated.broker.users
    users.set_permissions("guest", "/", "^s", "^s-", "^x$")
    other: StreamClient = connect()
    assert other.code(commands.Route, "0", "s") is Code.ACCESS_REFUSED
    assert other.code(commands.Partitions, "s") is Code.ACCESS_REFUSED
    assert other.code(commands.DeleteSuperStream, "s") is Code.ACCESS_REFUSED
    assert create(other, "s2") is Code.ACCESS_REFUSED
    users.set_permissions("guest", "/", "", "^s", "")
    assert other.code(commands.Partitions, "s") is Code.OK
    assert other.code(commands.Route, "0", "s") is Code.OK
    users.set_permissions("guest", "/", ".*", ".*", ".*")
