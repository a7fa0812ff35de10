"""MQTT and STOMP clients on the same messages: paho-mqtt and stomp.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from paho.mqtt.packettypes import PacketTypes

from tests.mqtt.paho_client import Properties, paho, paho_client
from tests.stomp.conftest import Client
from tests.support.warren_process import WarrenProcess


@pytest.fixture
def stomp(process: WarrenProcess) -> Iterator[Client]:
    """A stomp.py connection."""
    client = Client("1.2", process.addresses["stomp"][1])
    yield client
    client.connection.disconnect()


@pytest.mark.parametrize("protocol", [paho.MQTTv31, paho.MQTTv311, paho.MQTTv5])
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_from_mqtt_to_stomp(port: int, stomp: Client, protocol: Any, qos: int) -> None:
    stomp.subscribe("/topic/s.*.#")
    with paho_client(port, "p", protocol) as publisher:
        publisher.publish("s/a.b/c", b"hello", qos)
    message = stomp.next("message")
    assert message.body == "hello"
    assert message.headers["destination"] == "/topic/s.a%252Eb.c", (
        "a word with a dot: escaped once for the key, once for STOMP"
    )
    assert (message.headers.get("persistent") == "true") == bool(qos)


def test_properties_from_mqtt_5_to_stomp(port: int, stomp: Client) -> None:
    stomp.subscribe("/topic/s.p")
    properties: Any = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    properties.ContentType = "text/plain"
    properties.CorrelationData = b"c"
    properties.ResponseTopic = "$queue/answers"
    properties.UserProperty = [("colour", "blue"), ("shape", "round")]
    properties.MessageExpiryInterval = 60
    with paho_client(port, "p") as publisher:
        publisher.publish("s/p", b"hello", 1, properties=properties)
    headers = stomp.next("message").headers
    assert headers["content-type"] == "text/plain"
    assert headers["correlation-id"] == "c"
    assert headers["reply-to"] == "/reply-queue/answers"
    assert (headers["colour"], headers["shape"]) == ("blue", "round")
    assert headers["expiration"] == "60000"
    assert not [name for name in headers if name.startswith("x-mqtt")]


@pytest.mark.parametrize("protocol", [paho.MQTTv31, paho.MQTTv311, paho.MQTTv5])
@pytest.mark.parametrize("persistent", ["false", "true"])
def test_from_stomp_to_mqtt(port: int, stomp: Client, protocol: Any, persistent: str) -> None:
    with paho_client(port, "s", protocol) as subscriber:
        subscriber.subscribe("s/+/c", 2)
        stomp.send("/topic/s.a%252Eb.c", "hello", persistent=persistent)
        message = subscriber.next()
    assert (message.topic, bytes(message.payload), message.qos) == ("s/a.b/c", b"hello", int(persistent == "true"))


def test_properties_from_stomp_to_mqtt_5(port: int, stomp: Client) -> None:
    with paho_client(port, "s") as subscriber:
        subscriber.subscribe("s/p", 1)
        stomp.send(
            "/topic/s.p", "hello", content_type="text/plain", correlation_id="c", colour="blue", expiration="60000"
        )
        properties: Any = subscriber.next().properties
    assert properties.ContentType == "text/plain"
    assert properties.CorrelationData == b"c"
    assert ("colour", "blue") in properties.UserProperty
    assert properties.MessageExpiryInterval == 60


def test_a_device_takes_from_a_queue_that_stomp_fills(port: int, stomp: Client) -> None:
    stomp.send("/queue/stomp-jobs", "job", persistent="true")
    with paho_client(port, "device") as device:
        device.subscribe("$queue/stomp-jobs", 1)
        message = device.next()
        assert (message.topic, bytes(message.payload), message.qos) == ("$queue/stomp-jobs", b"job", 1)
        device.publish("$queue/stomp-jobs", b"back", 1)
        assert bytes(device.next().payload) == b"back"


def test_retained_messages_stay_mqtt_s(port: int, stomp: Client) -> None:
    with paho_client(port, "p") as publisher:
        publisher.publish("s/kept", b"kept", 1, retain=True)
        stomp.subscribe("/topic/s.kept")
        stomp.send("/topic/s.kept", "from STOMP", persistent="true")
        assert stomp.next("message").body == "from STOMP"
        with paho_client(port, "late") as late:
            late.subscribe("s/kept", 1)
            message = late.next()
            assert (bytes(message.payload), message.retain) == (b"kept", True)
        publisher.publish("s/kept", b"", 1, retain=True)
