"""What management and metrics cost: what a client that polls every five seconds takes from a broker under full load,
what a list of 10,000 queues takes and holds up, what both take of memory once somebody uses them, and what they do when
nobody does any more.

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
from tests.support.process_usage import cpu_s_of, usage_of_tree

POLL_EVERY_S = 5.0
PAIRS = 3
QUEUES = 10_000
LISTS = 3
PROBE_QUEUE = "benchmark-probe"
PROBE_BODY_BYTES = 16
PROBES_ALONE = 2_000
REQUEST_TIMEOUT_S = 60.0
IDLE_S = 60.0
SETTLING_S = 6.0
"""After a request: longer than the API's last sample takes to come, and connections to be forgotten."""
HEADERS = {"Authorization": "Basic " + base64.b64encode(b"guest:guest").decode()}


def measure_management(server: Server, messages: int) -> Figures:
    """See the head of this file."""
    unused = usage_of_tree(server.pid).resident_bytes
    _get(server.http_port, "/api/overview")
    used = usage_of_tree(server.pid).resident_bytes
    _scrape(server, "/metrics")
    scraped = usage_of_tree(server.pid).resident_bytes
    job = Job(server.port, server.pid, messages)
    run_in_child(replace(job, messages=max(messages // 10, 1)))
    ratios, alone, polled = [], [], []
    for _ in range(PAIRS):
        alone.append(_rate(job))
        with _polling(server):
            polled.append(_rate(job))
        ratios.append(polled[-1] / alone[-1])
    with _queues(server, QUEUES if messages >= QUEUES else messages):
        quiet_ms = _longest_ms(server.port, lambda rounds: rounds >= PROBES_ALONE)
        listing_ms, list_s, size = _beside(server, lambda: _get(server.http_port, "/api/queues"))
        scraping_ms, scrape_s, scrape_size = _beside(server, lambda: _scrape(server, "/metrics/per-object"))
    return {
        "messages/s": statistics.median(alone),
        "messages/s, polled": statistics.median(polled),
        "rate, polled": statistics.median(ratios),
        "list s": list_s,
        "list MiB": size / MEBIBYTE,
        "longest delivery ms": quiet_ms,
        "longest delivery ms, listing": listing_ms,
        "per-object scrape s": scrape_s,
        "per-object scrape MiB": scrape_size / MEBIBYTE,
        "longest delivery ms, scraping": scraping_ms,
        "MiB of the first request": (used - unused) / MEBIBYTE,
        "MiB of the first scrape": (scraped - used) / MEBIBYTE,
    }


def measure_idle(server: Server, messages: int) -> Figures:
    """What a broker does that nobody uses: CPU time of a minute, after one request and one scrape where it has both."""
    if server.http_port:
        _get(server.http_port, "/api/overview")
    _scrape(server, "/metrics")
    time.sleep(SETTLING_S)
    before_s = cpu_s_of(server.pid)
    time.sleep(IDLE_S)
    return {"CPU ms of a minute": (cpu_s_of(server.pid) - before_s) * 1000 * 60 / IDLE_S}


def _rate(job: Job) -> float:
    outcome = run_in_child(job)
    return outcome.deliveries / outcome.load_s


@contextmanager
def _polling(server: Server) -> Iterator[None]:
    """Somebody asks for the queues and for metrics every five seconds, the first time at once."""
    over = threading.Event()

    def poll() -> None:
        while True:
            _get(server.http_port, "/api/queues")
            _scrape(server, "/metrics")
            if over.wait(POLL_EVERY_S):
                return

    thread = threading.Thread(target=poll)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextmanager
def _queues(server: Server, queues: int) -> Iterator[None]:
    client = Client(server.port)
    for number in range(queues):
        client.declare_queue(f"benchmark-{number}")
    yield
    client.close()


def _beside(server: Server, ask: Callable[[], int]) -> tuple[float, float, int]:
    """The longest round of a message beside requests, in ms; the median time of one; its answer's size in bytes."""
    taken: list[float] = []
    sizes: list[int] = []

    def look() -> None:
        for _ in range(LISTS):
            began_at = time.perf_counter()
            sizes.append(ask())
            taken.append(time.perf_counter() - began_at)

    thread = threading.Thread(target=look)
    thread.start()
    longest_ms = _longest_ms(server.port, lambda rounds: rounds > 0 and not thread.is_alive())
    thread.join()
    return longest_ms, statistics.median(taken), sizes[0]


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


def _scrape(server: Server, path: str) -> int:
    """Ask for metrics, of a broker that has them."""
    return _get(server.metrics_port, path) if server.metrics_port else 0


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
