"""Print the readings whose topic matches one of some patterns, until Ctrl-C.

    python examples/topics/watch.py 'barn.*.temperature' '#.humidity'

In a pattern `*` stands for exactly one word and `#` for any number of them, also none. A reading that matches several
patterns is printed once. With `measure.py barn.loft.temperature 21.5` run beside it, this prints

    watching barn.*.temperature, #.humidity, Ctrl-C stops
    barn.loft.temperature: 21.5
"""

import argparse
import os

import pika
from pika.adapters.blocking_connection import BlockingChannel

parser = argparse.ArgumentParser(description="Print the readings that match some patterns.")
parser.add_argument("patterns", nargs="+", metavar="pattern")
parser.add_argument("--url", default=os.environ.get("AMQP_URL", "amqp://guest:guest@127.0.0.1:5672"))
arguments = parser.parse_args()


def show(
    channel: BlockingChannel, method: pika.spec.Basic.Deliver, properties: pika.BasicProperties, body: bytes
) -> None:
    print(f"{method.routing_key}: {body.decode()}", flush=True)


with pika.BlockingConnection(pika.URLParameters(arguments.url)) as connection:
    channel = connection.channel()
    channel.exchange_declare("readings", exchange_type="topic")
    queue = channel.queue_declare("", exclusive=True).method.queue
    for pattern in arguments.patterns:
        channel.queue_bind(queue, "readings", routing_key=pattern)
    channel.basic_consume(queue, show, auto_ack=True)
    print(f"watching {', '.join(arguments.patterns)}, Ctrl-C stops", flush=True)
    try:
        channel.start_consuming()
    except KeyboardInterrupt:
        print("stopped")
