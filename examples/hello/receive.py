"""Print the messages of a queue as they arrive, until Ctrl-C.

    python examples/hello/receive.py

With `send.py` run beside it, or before it, this prints

    waiting for messages, Ctrl-C stops
    received: good morning
"""

import argparse
import os

import pika
from pika.adapters.blocking_connection import BlockingChannel

parser = argparse.ArgumentParser(description="Print the messages of the queue 'hello'.")
parser.add_argument("--url", default=os.environ.get("AMQP_URL", "amqp://guest:guest@127.0.0.1:5672"))
arguments = parser.parse_args()


def show(
    channel: BlockingChannel, method: pika.spec.Basic.Deliver, properties: pika.BasicProperties, body: bytes
) -> None:
    print(f"received: {body.decode()}", flush=True)


with pika.BlockingConnection(pika.URLParameters(arguments.url)) as connection:
    channel = connection.channel()
    channel.queue_declare("hello", durable=True)

    # auto_ack: the broker forgets a message as soon as it is sent. See work_queue for messages that must not be lost.
    channel.basic_consume("hello", show, auto_ack=True)
    print("waiting for messages, Ctrl-C stops", flush=True)
    try:
        channel.start_consuming()
    except KeyboardInterrupt:
        print("stopped")
