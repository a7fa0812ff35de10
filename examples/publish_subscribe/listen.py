"""Print announcements, until Ctrl-C. Start several: each prints all of them.

    python examples/publish_subscribe/listen.py

With `announce.py "lunch is ready"` run beside it, this prints

    listening, Ctrl-C stops
    heard: lunch is ready
"""

import argparse
import os

import pika
from pika.adapters.blocking_connection import BlockingChannel

parser = argparse.ArgumentParser(description="Print what comes through the exchange 'announcements'.")
parser.add_argument("--url", default=os.environ.get("AMQP_URL", "amqp://guest:guest@127.0.0.1:5672"))
arguments = parser.parse_args()


def show(
    channel: BlockingChannel, method: pika.spec.Basic.Deliver, properties: pika.BasicProperties, body: bytes
) -> None:
    print(f"heard: {body.decode()}", flush=True)


with pika.BlockingConnection(pika.URLParameters(arguments.url)) as connection:
    channel = connection.channel()
    channel.exchange_declare("announcements", exchange_type="fanout")

    # A queue of our own: the broker chooses its name, and removes it when this connection ends.
    queue = channel.queue_declare("", exclusive=True).method.queue
    channel.queue_bind(queue, "announcements")
    channel.basic_consume(queue, show, auto_ack=True)
    print("listening, Ctrl-C stops", flush=True)
    try:
        channel.start_consuming()
    except KeyboardInterrupt:
        print("stopped")
