"""Take jobs from a queue, one at a time, until Ctrl-C. Start several to share the work.

    python examples/work_queue/worker.py

Each job is acknowledged when it is done. A worker that dies, or is stopped, in the middle of a job gives it back: the
next worker gets it, marked as a second attempt. And because of the prefetch limit of one, a worker that is busy with a
long job is not given another one while others are free. With `submit.py 1000` run beside it, this prints

    waiting for jobs, Ctrl-C stops
    started: 1000
    done: 168 primes below 1000
"""

import argparse
import os

import pika
from pika.adapters.blocking_connection import BlockingChannel

parser = argparse.ArgumentParser(description="Work on the jobs in the queue 'jobs'.")
parser.add_argument("--url", default=os.environ.get("AMQP_URL", "amqp://guest:guest@127.0.0.1:5672"))
arguments = parser.parse_args()


def is_prime(number: int) -> bool:
    return number > 1 and all(number % divisor for divisor in range(2, int(number**0.5) + 1))


def work(
    channel: BlockingChannel, method: pika.spec.Basic.Deliver, properties: pika.BasicProperties, body: bytes
) -> None:
    limit = int(body)
    print(f"started: {limit}" + (" (second attempt)" if method.redelivered else ""), flush=True)
    count = sum(map(is_prime, range(limit)))
    print(f"done: {count} primes below {limit}", flush=True)

    # Only now may the broker forget the job.
    channel.basic_ack(method.delivery_tag)


parameters = pika.URLParameters(arguments.url)

# While a job runs, this simple program doesn't answer heartbeats. One that has work for minutes and wants to notice a
# broken connection meanwhile does the work in a thread of its own.
parameters.heartbeat = 0

with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.queue_declare("jobs", durable=True)

    # At most one unacknowledged job at a time.
    channel.basic_qos(prefetch_count=1)
    channel.basic_consume("jobs", work)
    print("waiting for jobs, Ctrl-C stops", flush=True)
    try:
        channel.start_consuming()
    except KeyboardInterrupt:
        print("stopped")
