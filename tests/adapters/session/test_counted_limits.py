"""Limits of AMQP, STOMP and of who may come in: whoever meets one is told, and it is counted under its name."""

from __future__ import annotations

import pytest

from tests.support import core_clients
from tests.support.core_broker import core_broker, core_client
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_stomp import StompClient, frame
from warren.adapters.amqp091.codec import methods
from warren.adapters.amqp091.settings import Amqp091Settings
from warren.core.clients.limits import BrokerLimits
from warren.core.errors import NotAllowed
from warren.core.queues.classic.queue import ClassicQueue


def test_an_amqp_message_that_is_too_large() -> None:
    broker = SimulatedBroker(settings=Amqp091Settings(message_bytes_max=100))
    client = broker.connect()
    client.publish("q", b"x" * 101)
    assert client.expect(methods.ChannelClose).reply_code == 406
    assert broker.broker.limit_hits.of("max_message_bytes") == 1


def test_an_amqp_frame_that_is_too_large_is_counted_once() -> None:
    broker = SimulatedBroker()
    client = broker.connect()
    client.send_bytes(b"\x01\x00\x01\x7f\x00\x00\x00" + b"x" * 10)
    assert client.expect(methods.ConnectionClose, 0).reply_code == 501
    assert broker.broker.limit_hits.of("frame_max") == 1


def test_a_stomp_frame_with_too_many_headers() -> None:
    broker = SimulatedBroker()
    client = StompClient(broker)
    client.connect()
    client.send_bytes(b"SEND\n" + b"".join(b"h%d:x\n" % number for number in range(101)) + b"\n\0")
    assert client.closed
    assert broker.broker.limit_hits.of("headers of a STOMP frame") == 1


def test_a_stomp_transaction_too_many() -> None:
    broker = SimulatedBroker()
    client = StompClient(broker)
    client.connect()
    for number in range(17):
        client.send_bytes(frame("BEGIN", transaction=f"t{number}"))
    assert broker.broker.limit_hits.of("transactions of a STOMP connection") == 1


def test_a_connection_too_many() -> None:
    broker = core_broker(limits=BrokerLimits(connections=1))
    core_client(broker)
    with pytest.raises(NotAllowed):
        core_client(broker)
    assert broker.limit_hits.of("connection_max") == 1


def test_a_message_that_was_delivered_in_vain_too_often(caplog: pytest.LogCaptureFixture) -> None:
    broker = SimulatedBroker()
    queue = core_clients.queue(broker, "q", {"x-queue-type": "quorum", "x-delivery-limit": 1}, durable=True)
    assert isinstance(queue, ClassicQueue)
    core_clients.publish(broker, "", b"poison", key="q")
    for _ in range(2):
        found = queue.poll(no_ack=False)
        assert found is not None
        queue.requeue([found[0]])
        broker.settle()
    assert queue.ready_count == 0
    assert broker.broker.limit_hits.of("x-delivery-limit") == 1
    assert [record.getMessage() for record in caplog.records] == [
        "queue 'q' in vhost '/': a message is dropped: it was delivered in vain more often than 1 times "
        "(x-delivery-limit)"
    ]
