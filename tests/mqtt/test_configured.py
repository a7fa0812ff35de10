"""A broker that shares by topic, has an exchange of its own for MQTT, and Sparkplug, seen by paho-mqtt and pika."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pika
import pytest

from tests.mqtt.paho_client import CallbackAPIVersion, PahoClient, paho, paho_client
from tests.support.warren_process import WarrenProcess, warren_process

OPTIONS = (
    "--set=mqtt_shared_subscription_strategy=hash",
    "--set=mqtt_exchange=plant",
    "--set=mqtt_sparkplug=true",
)


@pytest.fixture(scope="module")
def process() -> Iterator[WarrenProcess]:
    """Configured otherwise than the other tests' broker."""
    listen = ("mqtt=127.0.0.1:0", "amqp=127.0.0.1:0")
    with warren_process(in_memory=True, listen=listen, options=OPTIONS) as running:
        yield running


def until_end(member: PahoClient) -> list[tuple[str, int]]:
    """(topic, number) of what a member gets until it is told that it was all."""
    found: list[tuple[str, int]] = []
    while (message := member.next()).topic != "end":
        found.append((message.topic, int(message.payload)))
    return found


def test_all_of_it(process: WarrenProcess, port: int) -> None:
    refused = paho.Client(CallbackAPIVersion.VERSION2, client_id="early", protocol=paho.MQTTv5)
    codes: list[str] = []

    def note(client: Any, userdata: Any, flags: Any, code: Any, properties: Any) -> None:
        codes.append(str(code))
        client.disconnect()

    refused.on_connect = note
    refused.connect("127.0.0.1", port)
    refused.loop_forever()
    refused.on_connect = None
    assert codes == ["Server unavailable"]
    with pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", process.amqp_port)) as connection:
        channel = connection.channel()
        channel.exchange_declare("plant", "topic", durable=True)
        name = str(channel.queue_declare("", exclusive=True).method.queue)
        channel.queue_bind(name, "plant", "spBv1___0.#")
        with paho_client(port, "a") as first, paho_client(port, "b", paho.MQTTv311) as second:
            for member in (first, second):
                member.subscribe("$share/g/spBv1.0/#", 1)
                member.subscribe("end", 1)
            with paho_client(port, "p") as publisher:
                for number in range(40):
                    publisher.publish(f"spBv1.0/plant/NDATA/{number % 8}", b"%d" % number, 1)
                publisher.publish("end", b"", 1)
            taken = [until_end(member) for member in (first, second)]
        method, _, body = channel.basic_get(name, auto_ack=True)
        assert (method.routing_key, body) == ("spBv1___0.plant.NDATA.0", b"0")
    assert sorted(number for _, number in [*taken[0], *taken[1]]) == list(range(40))
    assert not {topic for topic, _ in taken[0]} & {topic for topic, _ in taken[1]}
    for each in taken:
        assert [number for _, number in each] == sorted(number for _, number in each)
