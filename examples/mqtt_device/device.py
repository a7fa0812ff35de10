"""A device: reports its temperature over MQTT, and says when it is gone, with amqtt's client.

    python examples/mqtt_device/device.py boiler 21.5 22.0

Readings are messages of QoS 1, so the broker has each when `reported` is printed, and retained, so a dashboard that
starts later sees the last one. The will, retained too, tells that the device was lost. Prints

    boiler is online
    reported: 21.5
    reported: 22.0
"""

import argparse
import asyncio
import os

from amqtt.client import MQTTClient

parser = argparse.ArgumentParser(description="Report temperatures.")
parser.add_argument("name")
parser.add_argument("readings", nargs="+", metavar="temperature")
parser.add_argument("--url", default=os.environ.get("MQTT_URL", "mqtt://guest:guest@127.0.0.1:1883"))
arguments = parser.parse_args()

state = f"devices/{arguments.name}/state"


async def report() -> None:
    will = {"topic": state, "message": "lost", "qos": 1, "retain": True}
    client = MQTTClient(client_id=arguments.name, config={"auto_reconnect": False, "will": will})
    await client.connect(arguments.url)
    await client.publish(state, b"online", qos=1, retain=True)
    print(f"{arguments.name} is online", flush=True)
    for reading in arguments.readings:
        await client.publish(f"devices/{arguments.name}/temperature", reading.encode(), qos=1, retain=True)
        print(f"reported: {reading}", flush=True)
    await client.publish(state, b"offline", qos=1, retain=True)
    await client.disconnect()


asyncio.run(report())
