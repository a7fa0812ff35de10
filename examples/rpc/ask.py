"""Ask for the prime factors of numbers, with `serve.py` running beside this.

    python examples/rpc/ask.py 360 97
    python examples/rpc/ask.py --direct 360 97

All requests are sent at once; their answers may come in any order. With `--direct` they come through the pseudo-queue
amq.rabbitmq.reply-to, which costs the broker no queue; without it through a queue of our own. Both print

    360 = 2 x 2 x 2 x 3 x 3 x 5
    97 = 97
"""

import argparse
import os

import pika
from pika.adapters.blocking_connection import BlockingChannel

DIRECT_REPLY_TO = "amq.rabbitmq.reply-to"

parser = argparse.ArgumentParser(description="Ask for the prime factors of numbers.")
parser.add_argument("numbers", nargs="+", type=int, metavar="N")
parser.add_argument("--direct", action="store_true", help="answers come by direct reply-to")
parser.add_argument("--timeout", type=float, default=30.0, metavar="SECONDS")
parser.add_argument("--url", default=os.environ.get("AMQP_URL", "amqp://guest:guest@127.0.0.1:5672"))
arguments = parser.parse_args()

answers: dict[str, str] = {}


def note(
    channel: BlockingChannel, method: pika.spec.Basic.Deliver, properties: pika.BasicProperties, body: bytes
) -> None:
    answers[properties.correlation_id] = body.decode()
    if len(answers) == len(set(arguments.numbers)):
        channel.stop_consuming()


with pika.BlockingConnection(pika.URLParameters(arguments.url)) as connection:
    channel = connection.channel()
    reply_queue = DIRECT_REPLY_TO if arguments.direct else channel.queue_declare("", exclusive=True).method.queue

    # Consuming comes first: direct reply-to works only for a channel that already consumes, and without acks.
    channel.basic_consume(reply_queue, note, auto_ack=True)
    channel.queue_declare("factors")
    for number in set(arguments.numbers):
        properties = pika.BasicProperties(reply_to=reply_queue, correlation_id=str(number))
        channel.basic_publish("", "factors", str(number).encode(), properties)

    connection.call_later(arguments.timeout, channel.stop_consuming)
    channel.start_consuming()

for number in arguments.numbers:
    print(f"{number} = {answers.get(str(number), 'no answer')}")
