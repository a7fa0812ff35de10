"""A dashboard: prints what devices report over MQTT, until Ctrl-C, with paho-mqtt.

    python examples/mqtt_device/dashboard.py

`devices/+/temperature` stands for the temperature of every device. Retained messages come first, so whoever starts
late knows the last readings. With `device.py boiler 21.5` run beside it, this prints

    watching devices, Ctrl-C stops
    boiler: state online
    boiler: temperature 21.5
    boiler: state offline
"""

import argparse
import os
import threading
from typing import Any
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt

parser = argparse.ArgumentParser(description="Print what devices report.")
parser.add_argument("--url", default=os.environ.get("MQTT_URL", "mqtt://guest:guest@127.0.0.1:1883"))
arguments = parser.parse_args()


def on_connect(client: mqtt.Client, userdata: Any, flags: Any, code: Any, properties: Any) -> None:
    client.subscribe("devices/#", qos=1)


def on_subscribe(client: mqtt.Client, userdata: Any, number: int, codes: Any, properties: Any) -> None:
    print("watching devices, Ctrl-C stops", flush=True)


def on_message(client: mqtt.Client, userdata: Any, message: mqtt.MQTTMessage) -> None:
    _, device, what = message.topic.split("/")
    print(f"{device}: {what} {message.payload.decode()}", flush=True)


url = urlsplit(arguments.url)
client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)  # type: ignore[attr-defined]  # paho exports it at run time
client.username_pw_set(url.username or "guest", url.password)
client.on_connect = on_connect
client.on_subscribe = on_subscribe
client.on_message = on_message
client.connect(url.hostname or "127.0.0.1", url.port or 1883)
client.loop_start()
try:
    threading.Event().wait()
except KeyboardInterrupt:
    client.disconnect()
    client.loop_stop()
    print("stopped")
