"""Publish a reading of a sensor, under a topic of words with dots between them: building.room.quantity

    python examples/topics/measure.py barn.loft.temperature 21.5

Prints

    barn.loft.temperature is 21.5
"""

import argparse
import os

import pika

parser = argparse.ArgumentParser(description="Publish a reading through the exchange 'readings'.")
parser.add_argument("topic")
parser.add_argument("value", type=float)
parser.add_argument("--url", default=os.environ.get("AMQP_URL", "amqp://guest:guest@127.0.0.1:5672"))
arguments = parser.parse_args()

with pika.BlockingConnection(pika.URLParameters(arguments.url)) as connection:
    channel = connection.channel()
    channel.exchange_declare("readings", exchange_type="topic")
    channel.basic_publish("readings", routing_key=arguments.topic, body=str(arguments.value).encode())
    print(f"{arguments.topic} is {arguments.value}")
