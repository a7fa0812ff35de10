"""A device at the edge: publishes numbered readings over MQTT, with paho-mqtt, to the broker beside it.

    python examples/edge/device.py boiler 100

Readings are messages of QoS 1, so the edge broker has each on its disk when `reported` is printed. Whether the link to
the centre is up doesn't matter to the device, which never notices. With `confirm-upstream = true` in edge.toml it is
the centre that has them, and the device waits for that. Prints

    boiler reported 100 readings
"""

import argparse
import os
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

parser = argparse.ArgumentParser(description="Publish numbered readings.")
parser.add_argument("name")
parser.add_argument("count", type=int)
parser.add_argument("--first", type=int, default=1, help="the number of the first reading")
parser.add_argument("--url", default=os.environ.get("MQTT_URL", "mqtt://guest:guest@127.0.0.1:1884"))
arguments = parser.parse_args()

url = urlsplit(arguments.url)
client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=arguments.name)
client.username_pw_set(url.username, url.password)
client.connect(url.hostname or "127.0.0.1", url.port or 1883)
client.loop_start()
for number in range(arguments.first, arguments.first + arguments.count):
    client.publish(f"devices/{arguments.name}/reading", f"{arguments.name} {number}", qos=1).wait_for_publish()
print(f"{arguments.name} reported {arguments.count} readings", flush=True)
client.disconnect()
client.loop_stop()
