"""Send one message to a queue.

    python examples/hello/send.py "good morning"

Start `receive.py` before or after: the queue keeps the message until somebody takes it. Prints

    sent: good morning
"""

import argparse
import os

import pika

parser = argparse.ArgumentParser(description="Send one message to the queue 'hello'.")
parser.add_argument("text", nargs="?", default="hello")
parser.add_argument("--url", default=os.environ.get("AMQP_URL", "amqp://guest:guest@127.0.0.1:5672"))
arguments = parser.parse_args()

with pika.BlockingConnection(pika.URLParameters(arguments.url)) as connection:
    channel = connection.channel()

    # Both programs declare the queue, so it doesn't matter which one runs first.
    channel.queue_declare("hello", durable=True)

    # The default exchange, named "", routes to the queue whose name is the routing key.
    channel.basic_publish(exchange="", routing_key="hello", body=arguments.text.encode())
    print(f"sent: {arguments.text}")
