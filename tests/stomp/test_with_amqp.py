"""STOMP and AMQP clients on the same queues: what one says, the other understands."""

from __future__ import annotations

from collections.abc import Callable

import pika
from pika.adapters.blocking_connection import BlockingChannel

from tests.stomp.conftest import TIME_LIMIT_S, Client

Connect = Callable[..., Client]


def get(channel: BlockingChannel, queue: str) -> tuple[pika.BasicProperties, bytes]:
    _, properties, body = channel.basic_get(queue, auto_ack=True)
    assert body is not None
    return properties, body


def test_from_stomp_to_amqp(connect: Connect, channel: BlockingChannel, version: str, name: str) -> None:
    client = connect(version)
    client.send(
        f"/queue/{name}",
        "hello",
        content_type="text/plain",
        content_encoding="utf-8",
        priority="3",
        correlation_id="c",
        reply_to="/queue/answers",
        expiration="60000",
        amqp_message_id="m",
        timestamp="1700000000",
        type="t",
        user_id="guest",
        app_id="app",
        persistent="true",
        colour="blue",
    )
    properties, body = get(channel, name)
    assert body == b"hello"
    headers = properties.headers
    assert headers is not None
    assert headers["colour"] == "blue"
    assert {name: value for name, value in vars(properties).items() if name != "headers" and value is not None} == {
        "content_type": "text/plain",
        "content_encoding": "utf-8",
        "delivery_mode": 2,
        "priority": 3,
        "correlation_id": "c",
        "reply_to": "/queue/answers",
        "expiration": "60000",
        "message_id": "m",
        "timestamp": 1700000000,
        "type": "t",
        "user_id": "guest",
        "app_id": "app",
    }


def test_from_amqp_to_stomp(connect: Connect, channel: BlockingChannel, version: str, name: str) -> None:
    client = connect(version)
    client.subscribe(f"/queue/{name}")
    channel.basic_publish(
        "",
        name,
        b"hello",
        pika.BasicProperties(
            content_type="text/plain",
            headers={"colour": "blue", "count": 5, "big": 2**40, "good": True, "tags": ["a", 1], "table": {"x": None}},
            delivery_mode=2,
            priority=3,
            correlation_id="c",
            reply_to="answers",
            message_id="m",
            timestamp=1700000000,
            type="t",
            user_id="guest",
            app_id="app",
        ),
    )
    message = client.next("message")
    assert message.body == "hello"
    ours = ("subscription", "destination", "message-id", "redelivered", "content-length")
    assert {name: value for name, value in message.headers.items() if name not in ours} == {
        "content-type": "text/plain",
        "persistent": "true",
        "priority": "3",
        "correlation-id": "c",
        "reply-to": "/reply-queue/answers",
        "amqp-message-id": "m",
        "timestamp": "1700000000",
        "type": "t",
        "user-id": "guest",
        "app-id": "app",
        "colour": "blue",
        "count": "5",
        "big": "1099511627776",
        "good": "true",
        "tags": '["a",1]',
        "table": '{"x":null}',
    }


def test_bodies_are_bytes(connect: Connect, channel: BlockingChannel, name: str) -> None:
    body = bytes(range(256)) * 1000
    client = connect("1.2", auto_decode=False)
    client.subscribe(f"/queue/{name}")
    channel.basic_publish("", name, body)
    received: object = client.next("message").body
    assert received == body
    client.connection.unsubscribe(id="1", headers={"receipt": "1"})
    client.next("receipt")
    client.connection.send(f"/queue/{name}", received, headers={"receipt": "2"})
    client.next("receipt")
    assert get(channel, name)[1] == body


def test_topics(connect: Connect, channel: BlockingChannel, name: str) -> None:
    channel.queue_declare(name)
    channel.queue_bind(name, "amq.topic", "weather.*")
    client = connect()
    client.subscribe("/topic/*.snow")
    client.send("/topic/weather.rain", "wet")
    channel.basic_publish("amq.topic", "weather.snow", b"white")
    assert client.next("message").headers["destination"] == "/topic/weather.snow"
    assert [get(channel, name)[1] for _ in range(2)] == [b"wet", b"white"]


def test_a_question_from_stomp_is_answered_by_amqp(connect: Connect, channel: BlockingChannel, name: str) -> None:
    client = connect()
    client.send(f"/queue/{name}", "question", reply_to="/temp-queue/here", correlation_id="1")
    properties, _ = get(channel, name)
    assert properties.reply_to is not None
    channel.basic_publish(
        "", properties.reply_to, b"answer", pika.BasicProperties(correlation_id=properties.correlation_id)
    )
    answer = client.next("message")
    assert (answer.body, answer.headers["correlation-id"]) == ("answer", "1")
    assert answer.headers["subscription"] == "/temp-queue/here"


def test_a_question_from_amqp_is_answered_by_stomp(connect: Connect, channel: BlockingChannel, name: str) -> None:
    answers: list[bytes] = []
    channel.basic_consume(
        "amq.rabbitmq.reply-to", lambda _channel, _method, _properties, body: answers.append(body), auto_ack=True
    )
    client = connect()
    client.subscribe(f"/queue/{name}")
    channel.basic_publish("", name, b"question", pika.BasicProperties(reply_to="amq.rabbitmq.reply-to"))
    client.send(client.next("message").headers["reply-to"], "answer")
    for _ in range(10):
        if not answers:
            channel.connection.process_data_events(time_limit=TIME_LIMIT_S)
    assert answers == [b"answer"]


def test_a_deleted_queue_cancels_the_subscription(connect: Connect, channel: BlockingChannel, name: str) -> None:
    client = connect()
    client.subscribe(f"/queue/{name}")
    channel.queue_delete(name)
    error = client.next("error")
    assert error.headers["message"] == "Server cancelled subscription"
    assert error.headers["subscription"] == "1"
