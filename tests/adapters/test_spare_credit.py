"""How many more messages consumers of each protocol could take, as their queue says."""

from __future__ import annotations

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_stomp import StompClient
from warren.core.queues.consumer import UNLIMITED_CREDIT


def test_an_amqp_consumers_prefetch() -> None:
    broker = SimulatedBroker()
    client = broker.connect()
    client.declare("q")
    queue = broker.queue("q")
    client.consume("q", "unlimited", no_ack=True)
    assert queue.spare_credit >= UNLIMITED_CREDIT
    client.close_channel()
    client.open()
    client.qos(5)
    client.consume("q")
    assert queue.spare_credit == 5
    client.publish("q", b"1")
    client.publish("q", b"2")
    broker.settle()
    assert queue.spare_credit == 3
    client.ack(2, multiple=True)
    broker.settle()
    assert queue.spare_credit == 5


def test_what_a_channels_consumers_share() -> None:
    broker = SimulatedBroker()
    client = broker.connect()
    client.declare("q")
    queue = broker.queue("q")
    client.qos(3, global_=True)
    client.qos(2)
    client.consume("q", "one")
    assert queue.spare_credit == 2
    client.publish("q", b"1")
    broker.settle()
    assert queue.spare_credit == 1
    client.qos(0)
    client.consume("q", "two")
    client.publish("q", b"2")
    client.publish("q", b"3")
    broker.settle()
    assert queue.spare_credit == 0, "the channel has no more"


def test_a_stomp_subscriptions_prefetch_count() -> None:
    broker = SimulatedBroker()
    client = StompClient(broker)
    client.connect()
    client.send("SUBSCRIBE", id="1", destination="/queue/q", ack="client-individual", prefetch_count="3")
    queue = broker.queue("q")
    assert queue.spare_credit == 3
    client.send("SEND", b"1", destination="/queue/q")
    assert queue.spare_credit == 2
