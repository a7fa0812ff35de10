"""Direct reply-to: requests, replies, requesters that are gone, misuse (spec A.7)."""

from __future__ import annotations

import pytest

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_client import SimulatedClient
from warren.adapters.amqp091.codec import methods
from warren.core.messages.properties import Properties, encode_properties

REPLY_TO = "amq.rabbitmq.reply-to"
ASKING = encode_properties(reply_to=REPLY_TO).raw


@pytest.fixture
def broker() -> SimulatedBroker:
    return SimulatedBroker()


@pytest.fixture
def client(broker: SimulatedBroker) -> SimulatedClient:
    client = broker.connect(channels=2)
    client.declare("q")
    return client


def answer(client: SimulatedClient, address: str, body: bytes) -> None:
    client.publish(address, body)
    client.settle()


def test_a_request_and_its_replies(broker: SimulatedBroker, client: SimulatedClient) -> None:
    server = broker.connect()
    server.consume("q", "s", no_ack=True)
    client.consume(REPLY_TO, "replies", no_ack=True)
    client.publish("q", b"question", properties=ASKING)
    [question] = server.take()
    address = Properties.parse(question.properties).reply_to
    assert address is not None
    assert address.startswith(REPLY_TO + ".")
    assert server.declare(address).message_count == 0
    for body in (b"1", b"2"):
        answer(server, address, body)
    found = client.take()
    assert [event.body for event in found] == [b"1", b"2"]
    for event in found:
        assert isinstance(event.method, methods.BasicDeliver)
        assert (event.method.exchange, event.method.routing_key) == ("", address)
        assert event.method.consumer_tag == "replies"
    broker.check()


@pytest.mark.parametrize("end", ["cancel", "channel", "connection"])
def test_replies_to_a_requester_that_is_gone_are_dropped(
    broker: SimulatedBroker, client: SimulatedClient, end: str
) -> None:
    server = broker.connect()
    server.consume("q", "s", no_ack=True)
    client.consume(REPLY_TO, "replies", no_ack=True)
    client.publish("q", b"question", properties=ASKING)
    [question] = server.take()
    address = Properties.parse(question.properties).reply_to or ""
    answer(server, address, b"1")
    if end == "cancel":
        client.send(1, methods.BasicCancel("replies"))
    elif end == "channel":
        client.close_channel()
    else:
        client.lose()
    broker.settle()
    assert broker.vhost.reply_queues == {}
    server.confirm_select()
    server.publish(address, b"2", mandatory=True)
    assert server.take_methods() == [methods.BasicAck(1, False)], "counts as routed"
    server.send(1, methods.QueueDeclare(queue=address, passive=True))
    assert server.expect(methods.ChannelClose).reply_code == 404
    if end == "cancel":
        client.consume(REPLY_TO, "again", no_ack=True)


@pytest.mark.parametrize(
    ("method", "code", "text"),
    [
        (methods.BasicConsume(queue=REPLY_TO), 406, "PRECONDITION_FAILED - reply consumer cannot acknowledge; consume"),
        (methods.QueueBind(queue=REPLY_TO, exchange="amq.direct"), 403, "can't be bound"),
        (methods.BasicGet(queue=REPLY_TO + ".x"), 404, "no queue"),
    ],
)
def test_misuse_of_the_pseudo_queue(client: SimulatedClient, method: methods.Method, code: int, text: str) -> None:
    client.send(1, method)
    close = client.expect(methods.ChannelClose)
    assert close.reply_code == code
    assert text in close.reply_text


def test_one_reply_consumer_per_channel(client: SimulatedClient) -> None:
    client.consume(REPLY_TO, "a", no_ack=True)
    client.consume(REPLY_TO, "a", no_ack=True, channel=2)
    client.send(1, methods.BasicConsume(queue=REPLY_TO, consumer_tag="b", no_ack=True))
    close = client.expect(methods.ChannelClose)
    said = "PRECONDITION_FAILED - reply consumer already set; there is one per channel"
    assert (close.reply_code, close.reply_text) == (406, said)


def test_asking_takes_a_reply_consumer_on_the_same_channel(client: SimulatedClient) -> None:
    client.consume(REPLY_TO, "a", no_ack=True, channel=2)
    client.publish("q", b"x", properties=ASKING)
    close = client.expect(methods.ChannelClose)
    assert (close.reply_code, "fast reply consumer does not exist" in close.reply_text) == (406, True)


def test_nobody_else_can_read_replies(broker: SimulatedBroker, client: SimulatedClient) -> None:
    client.consume(REPLY_TO, "a", no_ack=True)
    [address] = broker.vhost.reply_queues
    for method in (
        methods.BasicGet(queue=address),
        methods.BasicConsume(queue=address),
        methods.QueuePurge(queue=address),
    ):
        thief = broker.connect()
        thief.send(1, method)
        assert thief.expect(methods.ChannelClose).reply_code == 404
