"""The management API's cost: what a client that polls every five seconds takes from a broker under full load, what a
list of 10,000 queues takes and holds up, and what the API takes of memory before and after somebody uses it.

Rates are compared in pairs on one broker: a load alone, the same load beside a client that polls, and so on.  How long
deliveries stand still is seen by one message that goes round and round; without anybody listing, that says what the
machine itself does to it.
"""

from __future__ import annotations

import base64
import http.client
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from tests.benchmarks import wire
from tests.benchmarks.client import Client, LoadError
from tests.benchmarks.echo import Echo
from tests.benchmarks.figures import MEBIBYTE, Figures
from tests.benchmarks.job import Job
from tests.benchmarks.load import run_in_child
from tests.benchmarks.servers import Server
from tests.support.child import LOOPBACK
from tests.support.process_usage import usage_of_tree

POLL_EVERY_S = 5.0
PAIRS = 3
QUEUES = 10_000
LISTS = 3
PROBE_QUEUE = "benchmark-probe"
PROBE_BODY_BYTES = 16
PROBES_ALONE = 2_000
REQUEST_TIMEOUT_S = 60.0
HEADERS = {"Authorization": "Basic " + base64.b64encode(b"guest:guest").decode()}


def measure_management(server: Server, messages: int) -> Figures:
    """See the head of this file."""
    unused = usage_of_tree(server.pid).resident_bytes
    _get(server.http_port, "/api/overview")
    used = usage_of_tree(server.pid).resident_bytes
    job = Job(server.port, server.pid, messages)
    run_in_child(replace(job, messages=max(messages // 10, 1)))
    ratios, alone, polled = [], [], []
    for _ in range(PAIRS):
        alone.append(_rate(job))
        with _polling(server.http_port):
            polled.append(_rate(job))
        ratios.append(polled[-1] / alone[-1])
    quiet_ms, listing_ms, list_s, size = _listing(server, QUEUES if messages >= QUEUES else messages)
    return {
        "messages/s": statistics.median(alone),
        "messages/s, polled": statistics.median(polled),
        "rate, polled": statistics.median(ratios),
        "list s": list_s,
        "list MiB": size / MEBIBYTE,
        "longest delivery ms": quiet_ms,
        "longest delivery ms, listing": listing_ms,
        "MiB of the first request": (used - unused) / MEBIBYTE,
    }


def _rate(job: Job) -> float:
    outcome = run_in_child(job)
    return outcome.deliveries / outcome.load_s


@contextmanager
def _polling(port: int) -> Iterator[None]:
    """Somebody asks for the queues every five seconds, the first time at once."""
    over = threading.Event()

    def poll() -> None:
        while True:
            _get(port, "/api/queues")
            if over.wait(POLL_EVERY_S):
                return

    thread = threading.Thread(target=poll)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _listing(server: Server, queues: int) -> tuple[float, float, float, int]:
    """The longest round of a message alone and beside lists, in ms; the median time of a list; its size in bytes."""
    client = Client(server.port)
    for number in range(queues):
        client.declare_queue(f"benchmark-{number}")
    quiet_ms = _longest_ms(server.port, lambda rounds: rounds >= PROBES_ALONE)
    taken: list[float] = []
    sizes: list[int] = []

    def look() -> None:
        for _ in range(LISTS):
            began_at = time.perf_counter()
            sizes.append(_get(server.http_port, "/api/queues"))
            taken.append(time.perf_counter() - began_at)

    thread = threading.Thread(target=look)
    thread.start()
    listing_ms = _longest_ms(server.port, lambda rounds: rounds > 0 and not thread.is_alive())
    thread.join()
    client.close()
    return quiet_ms, listing_ms, statistics.median(taken), sizes[0]


def _longest_ms(port: int, is_over: Callable[[int], bool]) -> float:
    """The longest that a message took to come back, of one after the other."""
    client = Client(port)
    client.declare_queue(PROBE_QUEUE)
    client.consume(PROBE_QUEUE, automatic_acks=True, prefetch=0)
    publication = wire.publication("", PROBE_QUEUE, PROBE_BODY_BYTES, persistent=False)
    delivery = wire.delivery("", PROBE_QUEUE, PROBE_BODY_BYTES, persistent=False)
    echo = Echo(client.socket, publication, delivery, messages=1 << 60)
    longest_s = 0.0
    while not is_over(echo.delivered):
        began_at = time.perf_counter()
        before = echo.delivered
        echo.pump()
        while echo.delivered == before:
            echo.read()
        longest_s = max(longest_s, time.perf_counter() - began_at)
    client.delete_queue(PROBE_QUEUE)
    client.close()
    return longest_s * 1000


def _get(port: int, path: str) -> int:
    """Ask; gives how many bytes the answer has."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=REQUEST_TIMEOUT_S)
    connection.request("GET", path, headers=HEADERS)
    response = connection.getresponse()
    size = len(response.read())
    connection.close()
    if response.status != 200:
        raise LoadError(f"GET {path} is answered with {response.status}")
    return size
