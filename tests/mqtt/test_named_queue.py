"""`$queue/NAME` with paho-mqtt beside a worker with pika: competing, acknowledged one by one, lost and taken over."""

from __future__ import annotations

from collections.abc import Iterator

import pika
import pytest
from paho.mqtt.enums import MQTTProtocolVersion
from pika.adapters.blocking_connection import BlockingChannel

from tests.mqtt.paho_client import TIME_LIMIT_S, PahoClient, paho
from tests.support.until import until
from tests.support.warren_process import WarrenProcess

QUEUE = "named"


@pytest.fixture
def channel(process: WarrenProcess) -> Iterator[BlockingChannel]:
    """A pika channel that confirms, with an empty durable queue."""
    with pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", process.amqp_port)) as connection:
        opened = connection.channel()
        opened.confirm_delivery()
        opened.queue_declare(QUEUE, durable=True)
        yield opened
        opened.queue_delete(QUEUE)


def fill(channel: BlockingChannel, numbers: range) -> None:
    """Persistent messages, confirmed."""
    for number in numbers:
        channel.basic_publish("", QUEUE, b"%d" % number, pika.BasicProperties(delivery_mode=2))


def counts(channel: BlockingChannel) -> int:
    """Messages that are ready."""
    return int(channel.queue_declare(QUEUE, passive=True).method.message_count)


@pytest.mark.parametrize("protocol", [paho.MQTTv311, paho.MQTTv5], ids=["3.1.1", "5"])
def test_what_a_lost_device_has_not_acknowledged_goes_to_the_worker(
    port: int, channel: BlockingChannel, protocol: MQTTProtocolVersion
) -> None:
    device = PahoClient(port, "device", protocol)
    try:
        device.client.manual_ack_set(True)
        device.subscribe(f"$queue/{QUEUE}", 1)
        fill(channel, range(10))
        held = [device.next() for _ in range(10)]
        assert [each.payload for each in held] == [b"%d" % number for number in range(10)]
        assert {each.qos for each in held} == {1}
        assert counts(channel) == 0
        for each in held[:4]:
            device.client.ack(each.mid, each.qos)
        # The broker answers a SUBSCRIBE after it has taken the acknowledgements before it.
        device.subscribe("flush", 0)
        assert counts(channel) == 0
        sock = device.client.socket()
        assert sock is not None
        device.client.loop_stop()
        sock.close()
        taken: list[bytes] = []
        for method, _, body in channel.consume(QUEUE, inactivity_timeout=TIME_LIMIT_S):
            assert method is not None, f"only {taken} came"
            assert method.redelivered
            channel.basic_ack(method.delivery_tag)
            taken.append(body)
            if len(taken) == 6:
                break
        channel.cancel()
        assert taken == [b"%d" % number for number in range(4, 10)]
        assert counts(channel) == 0
    finally:
        device.stop()


@pytest.mark.parametrize("protocol", [paho.MQTTv311, paho.MQTTv5], ids=["3.1.1", "5"])
def test_they_compete(port: int, channel: BlockingChannel, protocol: MQTTProtocolVersion) -> None:
    device = PahoClient(port, "device", protocol)
    try:
        device.subscribe(f"$queue/{QUEUE}", 1)
        of_worker: list[bytes] = []

        def take(channel: BlockingChannel, method: object, properties: object, body: bytes) -> None:
            of_worker.append(body)

        channel.basic_consume(QUEUE, take, auto_ack=True)
        fill(channel, range(100))
        of_device = [device.next().payload for _ in range(50)]
        until(lambda: len(of_worker) == 50, channel.connection.process_data_events)
        assert sorted(int(each) for each in of_device + of_worker) == list(range(100)), "each once, in turns"
    finally:
        device.stop()
