"""Submit jobs over STOMP, which wait in a durable queue until a worker has done them.

    python examples/stomp_work_queue/submit.py 1000 5000000 20000

Each number N is one job: count the primes below N. Prints a line per job once the broker has it on disk:

    submitted: 1000
    submitted: 5000000
    submitted: 20000
"""

import argparse
import os
import queue
from urllib.parse import urlsplit

import stomp

parser = argparse.ArgumentParser(description="Submit jobs to the queue 'jobs'.")
parser.add_argument("numbers", nargs="+", type=int, metavar="N")
parser.add_argument("--url", default=os.environ.get("STOMP_URL", "stomp://guest:guest@127.0.0.1:61613"))
arguments = parser.parse_args()


class Receipts(stomp.ConnectionListener):
    def __init__(self) -> None:
        self.answers: queue.Queue[str] = queue.Queue()

    def on_receipt(self, frame: stomp.utils.Frame) -> None:
        self.answers.put("")

    def on_error(self, frame: stomp.utils.Frame) -> None:
        self.answers.put(frame.body)


url = urlsplit(arguments.url)
receipts = Receipts()
connection = stomp.Connection12([(url.hostname, url.port)], vhost="/")
connection.set_listener("receipts", receipts)
connection.connect(url.username, url.password, wait=True)

for number in arguments.numbers:
    # The receipt of a persistent message comes when the message is on disk. Should the broker refuse it, an ERROR with
    # the same receipt-id comes instead.
    connection.send("/queue/jobs", str(number), headers={"persistent": "true", "receipt": str(number)})
    problem = receipts.answers.get()
    if problem:
        raise SystemExit(problem)
    print(f"submitted: {number}", flush=True)

connection.disconnect()
