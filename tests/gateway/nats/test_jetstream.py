"""JetStream's API with a real server: streams, publishing with an expected sequence, reading back, purging."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.nats_servers import NatsServer, client_of
from warren.gateway.nats import jetstream, requirements
from warren.gateway.nats.blocking import BlockingClient
from warren.gateway.nats.calls import Call, Reply
from warren.gateway.nats.errors import (
    NO_MESSAGE_FOUND,
    STREAM_NAME_IN_USE,
    STREAM_NOT_FOUND,
    WRONG_LAST_SEQUENCE,
    ApiError,
    LoginRefused,
    NoResponders,
    UnfitServer,
)
from warren.gateway.nats.headers import Headers
from warren.gateway.nats.login import Login


@pytest.fixture
def client(nats: NatsServer) -> Iterator[BlockingClient]:
    with client_of([nats], patience_s=30) as opened:
        yield opened


def config(**changed: Any) -> dict[str, Any]:
    """Of a stream with a name that no other test has."""
    name = "S" + secrets.token_hex(6)
    return {
        "name": name,
        "subjects": [f"{name}.log"],
        "storage": "file",
        "retention": "limits",
        "discard": "new",
        "num_replicas": 1,
        "allow_direct": True,
        **changed,
    }


def make(client: BlockingClient, **changed: Any) -> str:
    return client.call(jetstream.create_stream(config(**changed))).name


def refusal(client: BlockingClient, call: Call[Any]) -> int:
    """The code that the call is refused with."""
    with pytest.raises(ApiError) as caught:
        client.call(call)
    assert caught.value.description
    return caught.value.code


def test_a_stream_is_made_changed_and_deleted(client: BlockingClient) -> None:
    wanted = config()
    name = wanted["name"]
    made = client.call(jetstream.create_stream(wanted))
    assert (made.name, made.messages, made.first_sequence, made.last_sequence) == (name, 0, 1, 0)
    assert client.call(jetstream.create_stream(wanted)).name == name
    assert refusal(client, jetstream.create_stream({**wanted, "subjects": [f"{name}.other"]})) == STREAM_NAME_IN_USE
    assert client.call(jetstream.update_stream({**wanted, "max_bytes": 1 << 20})).config["max_bytes"] == 1 << 20
    requirements.check_stream(client.call(jetstream.stream_info(name)), replicas=1)
    assert client.call(jetstream.delete_stream(name))
    assert refusal(client, jetstream.stream_info(name)) == STREAM_NOT_FOUND


def test_a_publish_that_expected_something_else_is_refused(client: BlockingClient) -> None:
    name = make(client)
    first = client.call(jetstream.publish(f"{name}.log", b"a", expected_last=0))
    assert (first.stream, first.sequence, first.duplicate) == (name, 1, False)
    assert refusal(client, jetstream.publish(f"{name}.log", b"b", expected_last=0)) in WRONG_LAST_SEQUENCE
    assert client.call(jetstream.publish(f"{name}.log", b"b", expected_last=1)).sequence == 2


def test_a_message_id_counts_once(client: BlockingClient) -> None:
    name = make(client)
    again = [client.call(jetstream.publish(f"{name}.log", b"a", message_id="m")) for _ in range(2)]
    assert [(each.sequence, each.duplicate) for each in again] == [(1, False), (1, True)]


def test_what_was_published_is_read_back(client: BlockingClient) -> None:
    name = make(client)
    bodies = [b"\r\n", b"", bytes(range(256)) * 100, b"last"]
    for number, body in enumerate(bodies):
        client.call(jetstream.publish(f"{name}.log", body, expected_last=number, headers={"Own": str(number)}))
    batch = client.call(jetstream.get_batch(name, 1, count=10, size_bytes=1 << 20))
    assert [each.payload for each in batch] == bodies
    assert [each.sequence for each in batch] == [1, 2, 3, 4]
    assert [each.headers.number("Own") for each in batch] == [0, 1, 2, 3]
    one = client.call(jetstream.get_message(name, 3))
    assert (one.payload, one.sequence, one.subject) == (bodies[2], 3, f"{name}.log")
    assert client.call(jetstream.last_message(name, f"{name}.log")).payload == b"last"
    assert len(client.call(jetstream.get_batch(name, 2, count=2, size_bytes=1 << 20))) == 2
    assert len(client.call(jetstream.get_batch(name, 3, count=4, size_bytes=1000))) == 1


def test_reading_behind_the_end_gives_nothing(client: BlockingClient) -> None:
    name = make(client)
    assert client.call(jetstream.get_batch(name, 1, count=2, size_bytes=1000)) == []
    client.call(jetstream.publish(f"{name}.log", b"a"))
    assert client.call(jetstream.get_batch(name, 2, count=2, size_bytes=1000)) == []
    assert refusal(client, jetstream.get_message(name, 2)) == NO_MESSAGE_FOUND


def test_a_purge_takes_what_is_before_a_sequence(client: BlockingClient) -> None:
    name = make(client)
    for _ in range(5):
        client.call(jetstream.publish(f"{name}.log", b"a"))
    assert client.call(jetstream.purge_stream(name, 4)) == 3
    info = client.call(jetstream.stream_info(name))
    assert (info.first_sequence, info.last_sequence, info.messages) == (4, 5, 2)
    assert [each.sequence for each in client.call(jetstream.get_batch(name, 1, count=9, size_bytes=1000))] == [4, 5]
    client.call(jetstream.purge_stream(name, 6))
    empty = client.call(jetstream.stream_info(name))
    assert (empty.first_sequence, empty.last_sequence, empty.messages) == (6, 5, 0)


def test_nobody_at_a_subject_is_said(nats: NatsServer) -> None:
    with client_of([nats], patience_s=60) as client:
        # Which doesn't ask again within its patience, as `call` does.
        asked = client.start(Call("nobody.here", b"", lambda replies: None, repeatable=False))
        with pytest.raises(NoResponders):
            client.finish(asked)


def test_an_election_is_no_refusal() -> None:
    """What JetStream says while it has no leader: nothing was done, and it is asked again."""
    error = {"code": 503, "err_code": 10008, "description": "JetStream system temporarily unavailable"}
    reply = Reply(Headers(), json.dumps({"type": "any", "error": error}).encode())
    calls: list[Call[Any]] = [jetstream.account_info(), jetstream.create_consumer("S", {}), jetstream.publish("s", b"")]
    for call in calls:
        with pytest.raises(NoResponders, match="temporarily unavailable"):
            call.answer([reply])


def test_calls_may_be_under_way_together(client: BlockingClient) -> None:
    name = make(client)
    asked = [client.start(jetstream.publish(f"{name}.log", b"%d" % number)) for number in range(3)]
    assert [client.finish(each).sequence for each in reversed(asked)] == [3, 2, 1]


def test_the_server_says_what_it_is(client: BlockingClient) -> None:
    info, where = client.server_info()
    requirements.check_server(info, where)


def test_how_it_is_configured_is_told_to_the_system_account(nats: NatsServer) -> None:
    with client_of([nats], Login(user="system", password="warden")) as system:
        requirements.check_settings(system.call(requirements.server_settings()))


def test_a_server_that_syncs_later_is_refused(tmp_path_factory: pytest.TempPathFactory) -> None:
    from tests.support.nats_servers import nats_server

    with (
        nats_server(tmp_path_factory.mktemp("late"), sync_always=False) as server,
        client_of([server], Login(user="system", password="warden")) as system,
    ):
        found = system.call(requirements.server_settings())
    with pytest.raises(UnfitServer, match="sync_interval: always"):
        requirements.check_settings(found)


def test_a_wrong_password_is_a_refused_login(nats: NatsServer) -> None:
    with client_of([nats], Login(user="warren", password="wrong")) as client, pytest.raises(LoginRefused):
        client.call(jetstream.account_info())
