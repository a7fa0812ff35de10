"""stomp.py, a client library of all three versions, against a real broker."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import stomp

from tests.stomp.conftest import CLIENTS, Client

Connect = Callable[..., Client]


def test_sending_and_receiving(connect: Connect, version: str, name: str) -> None:
    client = connect(version)
    client.subscribe(f"/queue/{name}")
    client.send(f"/queue/{name}", "hello", colour="blue")
    message = client.next("message")
    assert message.body == "hello"
    assert message.headers["colour"] == "blue"
    assert message.headers["destination"] == f"/queue/{name}"
    assert message.headers["subscription"] == "1"


def test_many_messages_in_order(connect: Connect, version: str, name: str) -> None:
    client = connect(version)
    client.subscribe(f"/queue/{name}")
    for number in range(500):
        client.connection.send(f"/queue/{name}", str(number))
    assert [client.next("message").body for _ in range(500)] == [str(number) for number in range(500)]


def test_a_large_body(connect: Connect, version: str, name: str) -> None:
    client = connect(version)
    client.subscribe(f"/queue/{name}")
    body = "0123456789" * 150_000
    client.send(f"/queue/{name}", body)
    assert client.next("message").body == body


def test_acknowledging(connect: Connect, version: str, name: str) -> None:
    client = connect(version)
    client.subscribe(f"/queue/{name}", ack="client")
    client.send(f"/queue/{name}", "one")
    client.send(f"/queue/{name}", "two")
    messages = [client.next("message") for _ in range(2)]
    client.ack(messages[0])
    client.connection.disconnect()
    other = connect(version)
    other.connection.subscribe(f"/queue/{name}", id="1")
    message = other.next("message")
    assert (message.body, message.headers["redelivered"]) == ("two", "true")


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_rejecting(connect: Connect, version: str, name: str) -> None:
    client = connect(version)
    client.subscribe(f"/queue/{name}", ack="client-individual")
    client.send(f"/queue/{name}", "one")
    message = client.next("message")
    client.ack(message, positive=False)
    again = client.next("message")
    assert again.headers["redelivered"] == "true"
    client.ack(again)


def test_transactions(connect: Connect, version: str, name: str) -> None:
    client = connect(version)
    client.subscribe(f"/queue/{name}")
    connection = client.connection
    for end in (connection.abort, connection.commit):
        transaction = connection.begin()
        for number in range(3):
            connection.send(f"/queue/{name}", str(number), transaction=transaction)
        end(transaction)
    assert [client.next("message").body for _ in range(3)] == ["0", "1", "2"]
    client.send(f"/queue/{name}", "last")
    assert client.next("message").body == "last"


def test_errors(connect: Connect, version: str) -> None:
    client = connect(version)
    client.connection.send("/nowhere/a", "x", headers={"receipt": "7"})
    error = client.next("error")
    assert error.headers["message"] == "Unknown destination"
    assert error.headers["receipt-id"] == "7"
    assert "Valid destination types" in error.body


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_escaped_headers(connect: Connect, version: str, name: str) -> None:
    client = connect(version)
    client.subscribe(f"/queue/{name}")
    value = "colon: backslash\\ line\nend"
    client.send(f"/queue/{name}", "x", note=value)
    assert client.next("message").headers["note"] == value


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_heart_beats(connect: Connect, version: str, name: str) -> None:
    client = connect(version, heartbeats=(4000, 4000))
    client.send(f"/queue/{name}", "x")
    assert client.connection.is_connected()


def test_a_wrong_password(stomp_port: int, version: str) -> None:
    connection = CLIENTS[version]([("127.0.0.1", stomp_port)], reconnect_attempts_max=1)
    with pytest.raises(stomp.exception.ConnectFailedException):
        connection.connect("guest", "wrong", wait=True)


def test_topics(connect: Connect, version: str) -> None:
    one, other = connect(version), connect(version)
    one.subscribe("/topic/weather.#")
    other.subscribe("/topic/*.rain")
    one.connection.send("/topic/weather.rain", "wet")
    assert [client.next("message").body for client in (one, other)] == ["wet", "wet"]


def test_a_durable_subscription(connect: Connect, version: str) -> None:
    headers = {"durable": "true", "auto-delete": "false"}
    first = connect(version)
    first.subscribe("/topic/news", id=f"n{version}", **headers)
    first.connection.disconnect()
    sender = connect(version)
    sender.send("/topic/news", "while you were away")
    second = connect(version)
    second.connection.subscribe("/topic/news", id=f"n{version}", ack="auto", headers=headers)
    assert second.next("message").body == "while you were away"
    second.connection.unsubscribe(id=f"n{version}", headers={**headers, "receipt": "gone"})
    second.next("receipt")


def test_versions_meet(connect: Connect, name: str) -> None:
    clients = {version: connect(version) for version in CLIENTS}
    clients["1.0"].subscribe(f"/topic/{name}")
    clients["1.2"].subscribe(f"/topic/{name}")
    clients["1.1"].send(f"/topic/{name}", "hi", where="C:\\dir")
    assert clients["1.0"].next("message").headers["where"] == "C:\\dir"
    assert clients["1.2"].next("message").headers["where"] == "C:\\dir"


def test_request_and_answer(connect: Connect, version: str, name: str) -> None:
    server, client = connect(version), connect(version)
    server.subscribe(f"/queue/{name}")
    client.send(f"/queue/{name}", "question", reply_to="/temp-queue/mine")
    server.send(server.next("message").headers["reply-to"], "answer")
    answer = client.next("message")
    assert answer.body == "answer"
    assert answer.headers["subscription"] == "/temp-queue/mine"
