"""A stranger's tests with clients of MQTT and STOMP.  Run by ../test_strangers.py."""

from __future__ import annotations

import threading

import paho.mqtt.client as mqtt
import stomp
from paho.mqtt.enums import CallbackAPIVersion

from warren.testing.broker import WarrenBroker
from warren.testing.rows import MqttAddress, StompAddress

SECONDS = 10


def test_mqtt(warren_mqtt: MqttAddress, warren_broker: WarrenBroker) -> None:
    subscribed = threading.Event()
    came = threading.Event()
    client = mqtt.Client(CallbackAPIVersion.VERSION2, "device")
    client.username_pw_set(warren_mqtt.username, warren_mqtt.password)
    client.on_subscribe = lambda *_: subscribed.set()
    client.on_message = lambda *_: came.set()
    client.connect(warren_mqtt.host, warren_mqtt.port)
    client.loop_start()
    client.subscribe("room/+", 1)
    assert subscribed.wait(SECONDS)
    client.publish("room/kitchen", b"21.5", 1).wait_for_publish(SECONDS)
    assert came.wait(SECONDS)
    (published,) = warren_broker.assert_routed("amq.topic", "room.kitchen", body=b"21.5")
    assert len(published.queues) == 1
    assert [each.protocol for each in warren_broker.connections()] == ["MQTT 3-1-1"]
    client.disconnect()
    client.loop_stop()


def test_stomp(warren_stomp: StompAddress, warren_broker: WarrenBroker) -> None:
    address = warren_stomp
    connection = stomp.Connection12([(address.host, address.port)], vhost=address.vhost)
    connection.connect(address.login, address.passcode, wait=True)
    connection.send("/queue/orders", "three chairs", receipt="sent")
    warren_broker.assert_routed("", "orders", "orders", body=b"three chairs")
    assert [each.body for each in warren_broker.messages("orders")] == [b"three chairs"]
    connection.disconnect()
