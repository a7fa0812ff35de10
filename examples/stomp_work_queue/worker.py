"""Take jobs from a queue over STOMP, one at a time, until Ctrl-C. Start several to share the work.

    python examples/stomp_work_queue/worker.py

Each job is acknowledged when it is done. A worker that dies, or is stopped, in the middle of a job gives it back: the
next worker gets it, marked as a second attempt. And because of the prefetch count of one, a worker that is busy with a
long job is not given another one while others are free. With `submit.py 1000` run beside it, this prints

    waiting for jobs, Ctrl-C stops
    started: 1000
    done: 168 primes below 1000

The jobs of `examples/work_queue`, which speak AMQP, are welcome, too: both use the queue `jobs`.
"""

import argparse
import os
import queue
from urllib.parse import urlsplit

import stomp

parser = argparse.ArgumentParser(description="Work on the jobs in the queue 'jobs'.")
parser.add_argument("--url", default=os.environ.get("STOMP_URL", "stomp://guest:guest@127.0.0.1:61613"))
arguments = parser.parse_args()


class Jobs(stomp.ConnectionListener):
    """stomp.py calls this from a thread of its own; the work is done in the main one."""

    def __init__(self) -> None:
        self.waiting: queue.Queue[stomp.utils.Frame] = queue.Queue()

    def on_message(self, frame: stomp.utils.Frame) -> None:
        self.waiting.put(frame)


def is_prime(number: int) -> bool:
    return number > 1 and all(number % divisor for divisor in range(2, int(number**0.5) + 1))


url = urlsplit(arguments.url)
jobs = Jobs()
connection = stomp.Connection12([(url.hostname, url.port)], vhost="/")
connection.set_listener("jobs", jobs)
connection.connect(url.username, url.password, wait=True)

# At most one unacknowledged job at a time.
connection.subscribe("/queue/jobs", id="jobs", ack="client-individual", headers={"prefetch-count": "1"})
print("waiting for jobs, Ctrl-C stops", flush=True)
try:
    while True:
        job = jobs.waiting.get()
        limit = int(job.body)
        print(f"started: {limit}" + (" (second attempt)" if job.headers["redelivered"] == "true" else ""), flush=True)
        count = sum(map(is_prime, range(limit)))
        print(f"done: {count} primes below {limit}", flush=True)

        # Only now may the broker forget the job.
        connection.ack(job.headers["ack"])
except KeyboardInterrupt:
    connection.disconnect()
    print("stopped")
