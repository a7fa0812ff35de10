"""Whatever protocol a message comes by, a stream's publisher is answered when it is on disk, and not before.

The second and third of messages that are alike go the quick way (core.routing.known_routes), which must wait like the
first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.adapters.amqp091.streams.talk import Talk
from tests.support.simulated_amqp10 import Amqp10Client
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_mqtt import MqttClient
from tests.support.simulated_stomp import StompClient
from warren.adapters.amqp091.codec import methods
from warren.adapters.mqtt.codec import versions


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[SimulatedBroker]:
    made = SimulatedBroker(tmp_path)
    Talk(made).declare()
    yield made
    made.close()


Publish = Callable[[int], list[object]]
"""Publishes so many alike messages, and gives what came back."""


def stomp(broker: SimulatedBroker) -> tuple[Publish, Callable[[], list[object]]]:
    client = StompClient(broker).connect()
    sent = b"SEND\ndestination:/amq/queue/s\nreceipt:%d\n\nx\0"
    return (
        lambda count: list(client.send_bytes(b"".join([sent % number for number in range(count)]))),
        lambda: list(client.answers()),
    )


def mqtt(broker: SimulatedBroker) -> tuple[Publish, Callable[[], list[object]]]:
    actor = broker.connect()
    actor.send(1, methods.QueueBind(queue="s", exchange="amq.topic", routing_key="t"))
    actor.expect(methods.QueueBindOk)
    client = MqttClient(broker, versions.V3_1_1)
    assert client.connect("c").reason_code == 0
    return (
        lambda count: list(
            client.send_bytes(b"".join([b"\x32\x06\0\x01t\0%cx" % (number + 1) for number in range(count)]))
        ),
        lambda: list(client.packets()),
    )


def amqp10(broker: SimulatedBroker) -> tuple[Publish, Callable[[], list[object]]]:
    client = Amqp10Client(broker).open().begin()
    client.attach_sender("/queues/s")

    def publish(count: int) -> list[object]:
        return [
            each
            for _ in range(count)
            for each in client.publish(b"\x00\x53\x75\xa0\x01x", delivery_tag=b"%04d" % client.next_delivery_id)
        ]

    return publish, lambda: list(client.take())


@pytest.mark.parametrize("protocol", [stomp, mqtt, amqp10])
def test_it_is_answered_when_it_is_on_disk(
    broker: SimulatedBroker, protocol: Callable[[SimulatedBroker], tuple[Publish, Callable[[], list[object]]]]
) -> None:
    publish, take = protocol(broker)
    broker.settle()
    take()
    broker.commits_by_itself = False
    published = 0
    for count in (1, 1, 5):
        assert publish(count) == []
        broker.begin_commit()
        assert take() == []
        broker.finish_commit()
        broker.settle()
        assert len(take()) >= 1
        published += count
        assert broker.vhost.queue("s").ready_count == published
