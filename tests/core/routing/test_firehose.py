"""Copies of what is published and delivered, and what they say (spec A.7), through AMQP connections."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_client import SimulatedClient
from warren.adapters.amqp091.codec import methods
from warren.core.messages.field_table import FieldTable
from warren.core.messages.message import Message
from warren.core.messages.properties import encode_properties


@pytest.fixture
def broker() -> Iterator[SimulatedBroker]:
    """A traced virtual host; its copies are in the queue "traces"."""
    simulated = SimulatedBroker()
    observer = simulated.connect()
    observer.declare("traces")
    observer.send(1, methods.QueueBind(queue="traces", exchange="amq.rabbitmq.trace", routing_key="#"))
    observer.expect(methods.QueueBindOk)
    simulated.broker.set_tracing("/", True)
    yield simulated
    simulated.check()


def traces(broker: SimulatedBroker) -> list[Message]:
    broker.settle()
    found = []
    queue = broker.queue("traces")
    while (got := queue.poll(no_ack=True)) is not None:
        found.append(got[0])
    return found


def keys(messages: list[Message]) -> list[str]:
    return [message.address.routing_key for message in messages]


def headers(message: Message) -> FieldTable:
    assert message.properties.headers is not None
    return message.properties.headers


def client_of(broker: SimulatedBroker) -> SimulatedClient:
    client = broker.connect(channels=2)
    client.declare("q")
    return client


def test_a_publish_and_its_delivery(broker: SimulatedBroker) -> None:
    client = client_of(broker)
    client.consume("q", channel=2)
    properties = encode_properties(content_type="text/plain", delivery_mode=2, priority=3, headers={"own": "x"})
    client.publish("q", b"body", properties=properties.raw)
    published, delivered = traces(broker)
    assert keys([published, delivered]) == ["publish.", "deliver.q"]
    common = {
        "exchange_name": "",
        "routing_keys": ["q"],
        "node": "warren",
        "vhost": "/",
        "connection": client.connection.name,
        "user": "guest",
        "properties": {"content_type": "text/plain", "delivery_mode": 2, "priority": 3, "headers": {"own": "x"}},
    }
    assert headers(published) == {**common, "channel": 1, "routed_queues": ["q"]}
    assert headers(delivered) == {**common, "channel": 2, "redelivered": 0}
    assert (published.body, delivered.body) == (b"body", b"body")


def test_extra_routing_keys_are_told(broker: SimulatedBroker) -> None:
    """A publish tells all of them; a delivery what its receiver may know."""
    client = client_of(broker)
    client.consume("q", no_ack=True)
    properties = encode_properties(headers={"CC": ["copy"], "BCC": ["hidden"]})
    client.publish("q", properties=properties.raw)
    published, delivered = traces(broker)
    assert headers(published)["routing_keys"] == ["q", "copy", "hidden"]
    assert headers(delivered)["routing_keys"] == ["q", "copy"]


def test_a_poll_is_a_delivery(broker: SimulatedBroker) -> None:
    client = client_of(broker)
    client.publish("q")
    assert client.get("q", channel=2) is not None
    client.nack(1, channel=2)
    assert client.get("q", no_ack=True, channel=2) is not None
    _, first, second = traces(broker)
    assert (headers(first)["redelivered"], headers(second)["redelivered"]) == (0, 1)
    assert (headers(first)["channel"], headers(first)["user"]) == (2, "guest")


def test_what_is_not_routed_is_a_publish_too(broker: SimulatedBroker) -> None:
    client = client_of(broker)
    client.publish("nowhere", exchange="amq.direct")
    (published,) = traces(broker)
    assert published.address.routing_key == "publish.amq.direct"
    assert headers(published)["routed_queues"] == []


def test_copies_are_not_copied(broker: SimulatedBroker) -> None:
    """Neither when they are delivered, nor when their queue is traced itself."""
    observer = broker.connect()
    observer.consume("traces", no_ack=True)
    client = client_of(broker)
    client.publish("q")
    events = observer.take()
    assert len(events) == 1
    assert broker.queue("traces").ready_count == 0


def test_every_publish_of_a_channel_that_published_before(broker: SimulatedBroker) -> None:
    """The fast path is for when nobody looks."""
    broker.broker.set_tracing("/", False)
    client = client_of(broker)
    client.publish("q", b"1")
    client.publish("q", b"2")
    assert traces(broker) == []
    broker.broker.set_tracing("/", True)
    client.publish("q", b"3")
    client.publish("q", b"4")
    assert [message.body for message in traces(broker)] == [b"3", b"4"]
    broker.broker.set_tracing("/", False)
    client.publish("q", b"5")
    assert traces(broker) == []


def test_dead_letters_are_the_brokers_own_business(broker: SimulatedBroker) -> None:
    client = client_of(broker)
    client.declare(
        "dying", arguments={"x-message-ttl": 0, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "q"}
    )
    client.publish("dying")
    assert keys(traces(broker)) == ["publish."]
    assert broker.queue("q").ready_count == 1


def test_who_watches_the_exchange_needs_no_queue() -> None:
    simulated = SimulatedBroker()
    seen: list[Message] = []
    simulated.vhost.exchange("amq.rabbitmq.trace").watch(seen.append)
    simulated.broker.set_tracing("/", True)
    client_of(simulated).publish("q", b"body")
    simulated.settle()
    assert [(message.address.routing_key, message.body) for message in seen] == [("publish.", b"body")]
    assert headers(seen[0])["routed_queues"] == ["q"]
    simulated.check()
