"""Submit jobs, which wait in a durable queue until a worker has done them.

    python examples/work_queue/submit.py 1000 5000000 20000

Each number N is one job: count the primes below N. Prints a line per job once the broker has it on disk:

    submitted: 1000
    submitted: 5000000
    submitted: 20000
"""

import argparse
import os

import pika

parser = argparse.ArgumentParser(description="Submit jobs to the queue 'jobs'.")
parser.add_argument("numbers", nargs="+", type=int, metavar="N")
parser.add_argument("--url", default=os.environ.get("AMQP_URL", "amqp://guest:guest@127.0.0.1:5672"))
arguments = parser.parse_args()

with pika.BlockingConnection(pika.URLParameters(arguments.url)) as connection:
    channel = connection.channel()
    channel.queue_declare("jobs", durable=True)

    # With confirms on, basic_publish returns when the broker has taken responsibility for the message. A persistent
    # message in a durable queue is then on disk, and survives a crash of the broker.
    channel.confirm_delivery()
    for number in arguments.numbers:
        channel.basic_publish(
            exchange="",
            routing_key="jobs",
            body=str(number).encode(),
            properties=pika.BasicProperties(delivery_mode=pika.DeliveryMode.Persistent),
        )
        print(f"submitted: {number}", flush=True)
