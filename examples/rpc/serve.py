"""Answer requests for the prime factors of numbers, until Ctrl-C. Start several to share the work.

    python examples/rpc/serve.py

With `ask.py 360` run beside it, this prints

    waiting for requests, Ctrl-C stops
    answered: 360 = 2 x 2 x 2 x 3 x 3 x 5
"""

import argparse
import os

import pika
from pika.adapters.blocking_connection import BlockingChannel

parser = argparse.ArgumentParser(description="Answer the requests in the queue 'factors'.")
parser.add_argument("--url", default=os.environ.get("AMQP_URL", "amqp://guest:guest@127.0.0.1:5672"))
arguments = parser.parse_args()


def factors(number: int) -> list[int]:
    found, divisor = [], 2
    while divisor * divisor <= number:
        if number % divisor:
            divisor += 1
        else:
            found.append(divisor)
            number //= divisor
    return [*found, number]


def answer(
    channel: BlockingChannel, method: pika.spec.Basic.Deliver, properties: pika.BasicProperties, body: bytes
) -> None:
    text = " x ".join(map(str, factors(int(body))))

    # The request says which queue its answer goes to, and the number by which the client knows what it belongs to.
    channel.basic_publish(
        exchange="",
        routing_key=properties.reply_to,
        body=text.encode(),
        properties=pika.BasicProperties(correlation_id=properties.correlation_id),
    )
    channel.basic_ack(method.delivery_tag)
    print(f"answered: {int(body)} = {text}", flush=True)


with pika.BlockingConnection(pika.URLParameters(arguments.url)) as connection:
    channel = connection.channel()
    channel.queue_declare("factors")
    channel.basic_qos(prefetch_count=1)
    channel.basic_consume("factors", answer)
    print("waiting for requests, Ctrl-C stops", flush=True)
    try:
        channel.start_consuming()
    except KeyboardInterrupt:
        print("stopped")
