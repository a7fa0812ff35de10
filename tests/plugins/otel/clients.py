"""Real clients of every protocol, for tests that trace what they publish and consume."""

from __future__ import annotations

import queue
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import pika
import stomp
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions
from proton.utils import BlockingConnection

from tests.support.warren_process import WarrenProcess

TIME_LIMIT_S = 60.0


class Parent:
    """The span of a publisher."""

    def __init__(self, *, sampled: bool = True) -> None:
        self.trace = secrets.token_hex(16)
        self.span = secrets.token_hex(8)
        self.text = f"00-{self.trace}-{self.span}-{'01' if sampled else '00'}"


@contextmanager
def pika_channel(process: WarrenProcess) -> Iterator[Any]:
    host, port = process.addresses["amqp"]
    connection = pika.BlockingConnection(pika.ConnectionParameters(host, port))
    try:
        yield connection.channel()
    finally:
        connection.close()


class Mqtt:
    """A client of MQTT 5, whose messages are in a row."""

    def __init__(
        self, process: WarrenProcess, client_id: str, version: MQTTProtocolVersion = MQTTProtocolVersion.MQTTv5
    ) -> None:
        self.messages: queue.Queue[MQTTMessage] = queue.Queue()
        self._subscribed: queue.Queue[None] = queue.Queue()
        self.client = Client(CallbackAPIVersion.VERSION2, client_id, protocol=version)
        self.client.on_message = lambda client, userdata, message: self.messages.put(message)
        self.client.on_subscribe = lambda *ignored: self._subscribed.put(None)
        self.client.username_pw_set("guest", "guest")
        host, port = process.addresses["mqtt"]
        self.client.connect(host, port)
        self.client.loop_start()

    def __enter__(self) -> Mqtt:
        return self

    def __exit__(self, *error: object) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def subscribe(self, topic: str, qos: int) -> None:
        self.client.subscribe(topic, options=SubscribeOptions(qos=qos))
        self._subscribed.get(timeout=TIME_LIMIT_S)

    def publish(self, topic: str, body: bytes, qos: int, *user_properties: tuple[str, str]) -> None:
        properties: Any = cast("Any", Properties)(PacketTypes.PUBLISH)
        if user_properties:
            properties.UserProperty = list(user_properties)
        self.client.publish(topic, body, qos, properties=properties).wait_for_publish(TIME_LIMIT_S)

    def get(self) -> tuple[bytes, dict[str, str]]:
        message = self.messages.get(timeout=TIME_LIMIT_S)
        return bytes(message.payload), dict(getattr(message.properties, "UserProperty", []))


class Stomp(stomp.ConnectionListener):  # type: ignore[misc]  # comes without types
    """A client of STOMP 1.2, whose messages are in a row."""

    def __init__(self, process: WarrenProcess) -> None:
        self.messages: queue.Queue[Any] = queue.Queue()
        self._receipts: queue.Queue[str] = queue.Queue()
        self.connection = stomp.Connection12([process.addresses["stomp"]])
        self.connection.set_listener("", self)
        self.connection.connect("guest", "guest", wait=True)

    def __enter__(self) -> Stomp:
        return self

    def __exit__(self, *error: object) -> None:
        self.connection.disconnect()

    def on_message(self, frame: Any) -> None:
        self.messages.put(frame)

    def on_receipt(self, frame: Any) -> None:
        self._receipts.put(frame.headers["receipt-id"])

    def subscribe(self, destination: str, ack: str = "client-individual") -> None:
        self.connection.subscribe(destination, "s", ack, headers={"receipt": "subscribed"})
        assert self._receipts.get(timeout=TIME_LIMIT_S) == "subscribed"

    def get(self) -> Any:
        return self.messages.get(timeout=TIME_LIMIT_S)


@contextmanager
def proton_connection(process: WarrenProcess) -> Iterator[BlockingConnection]:
    host, port = process.addresses["amqp"]
    made = BlockingConnection(
        f"amqp://{host}:{port}", timeout=TIME_LIMIT_S, allowed_mechs="PLAIN", user="guest", password="guest"
    )
    try:
        yield made
    finally:
        made.close()


def published(channel: Any, name: str, headers: dict[str, Any] | None = None, **more: Any) -> None:
    channel.queue_declare(name, durable=True)
    channel.basic_publish("", name, b"body", pika.BasicProperties(headers=headers, **more))


def got(channel: Any, name: str) -> tuple[Any, Any, bytes]:
    """The next message of a queue, by a consumer."""
    for method, properties, body in channel.consume(name, inactivity_timeout=TIME_LIMIT_S):
        assert method is not None, "nothing has come"
        return method, properties, body
    raise AssertionError("consuming has ended")
