"""The centre: prints the readings that come from all edges, each once, until Ctrl-C, with pika.

    warren serve                                                              the centre's broker
    warren serve --config examples/edge/edge.toml --data-dir edge-data        an edge's
    python examples/edge/device.py boiler 3
    python examples/edge/centre.py

Stop the centre's broker, have the device report more (`--first 4`), and start it and this again: what was reported
meanwhile arrives, in order. A reading that was under way when the link broke may come twice, so each is known by its
number. Prints

    waiting for readings, Ctrl-C stops
    boiler: 1
    boiler: 2
    boiler: 3
"""

import argparse
import os

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.spec import Basic, BasicProperties

parser = argparse.ArgumentParser(description="Print readings.")
parser.add_argument("--url", default=os.environ.get("AMQP_URL", "amqp://guest:guest@127.0.0.1:5672"))
arguments = parser.parse_args()

latest: dict[str, int] = {}


def on_reading(channel: BlockingChannel, method: Basic.Deliver, properties: BasicProperties, body: bytes) -> None:
    device, number = body.decode().split()
    if int(number) > latest.get(device, 0):
        latest[device] = int(number)
        print(f"{device}: {number}", flush=True)
    channel.basic_ack(method.delivery_tag)


connection = pika.BlockingConnection(pika.URLParameters(arguments.url))
channel = connection.channel()
channel.queue_declare("readings", durable=True)
channel.basic_qos(prefetch_count=100)
channel.basic_consume("readings", on_reading)
print("waiting for readings, Ctrl-C stops", flush=True)
try:
    channel.start_consuming()
except KeyboardInterrupt:
    print("stopped", flush=True)
