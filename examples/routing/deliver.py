"""Print the orders for some countries, until Ctrl-C.

    python examples/routing/deliver.py norway sweden

With `order.py norway "three chairs"` run beside it, this prints

    delivering to norway, sweden, Ctrl-C stops
    to norway: three chairs
"""

import argparse
import os

import pika
from pika.adapters.blocking_connection import BlockingChannel

parser = argparse.ArgumentParser(description="Print the orders for some countries.")
parser.add_argument("countries", nargs="+", metavar="country")
parser.add_argument("--url", default=os.environ.get("AMQP_URL", "amqp://guest:guest@127.0.0.1:5672"))
arguments = parser.parse_args()


def show(
    channel: BlockingChannel, method: pika.spec.Basic.Deliver, properties: pika.BasicProperties, body: bytes
) -> None:
    print(f"to {method.routing_key}: {body.decode()}", flush=True)


with pika.BlockingConnection(pika.URLParameters(arguments.url)) as connection:
    channel = connection.channel()
    channel.exchange_declare("orders", exchange_type="direct")
    queue = channel.queue_declare("", exclusive=True).method.queue

    # One queue, one binding per country.
    for country in arguments.countries:
        channel.queue_bind(queue, "orders", routing_key=country)
    channel.basic_consume(queue, show, auto_ack=True)
    print(f"delivering to {', '.join(arguments.countries)}, Ctrl-C stops", flush=True)
    try:
        channel.start_consuming()
    except KeyboardInterrupt:
        print("stopped")
