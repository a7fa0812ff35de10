"""Requests good and bad, both formats, peers that are slow or many, and a broker with very much to say."""

from __future__ import annotations

import pytest
import trio
import trio.testing
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics import parser

from tests.plugins.metrics.scrape import open_metrics, read_page
from warren.plugins.metrics.encoding import SERIES_PER_PIECE
from warren.plugins.metrics.pages import PAGES
from warren.plugins.metrics.serving import HEAD_BYTES_MAX, QUERY_VALUES_MAX

OPEN_METRICS = "application/openmetrics-text; version=1.0.0"


def parse(text: str) -> list[Metric]:
    """The families of a page of OpenMetrics; ValueError for what is none."""
    found: list[Metric] = list(parser.text_string_to_metric_families(text))  # type: ignore[no-untyped-call]
    return found


async def test_openmetrics_is_spoken_to_who_asks_for_it() -> None:
    async with open_metrics() as metrics, metrics.embedded.connect() as client:
        for number in range(2 * SERIES_PER_PIECE + 1):
            await client.declare_queue(f"q{number}")
        for path in PAGES:
            answer = await metrics.http.get(path, headers={"Accept": OPEN_METRICS})
            assert answer.headers["content-type"].startswith("application/openmetrics-text")
            assert answer.text.endswith("# EOF\n")
            assert answer.text.count("# EOF") == 1
            families = {family.name for family in parse(answer.text)}
            assert "rabbitmq_build_info" in families or "rabbitmq_build" in families
            plain = read_page((await metrics.http.get(path)).text)
            assert {name.removesuffix("_total") for name in plain.kinds} >= {
                name.removesuffix("_info") for name in families if not name.startswith("python")
            } - {"rabbitmq_build", "rabbitmq_identity"}


async def test_pages_of_many_pieces_have_one_head_for_each_family() -> None:
    count = 3 * SERIES_PER_PIECE + 7
    async with open_metrics() as metrics, metrics.embedded.connect() as client:
        for number in range(count):
            await client.declare_queue(f"q{number}")
        answer = await metrics.http.get("/metrics/per-object")
        page = read_page(answer.text)
        assert len(page.labels("rabbitmq_queue_messages_ready")) == count
        assert answer.text.count("# TYPE rabbitmq_queue_messages_ready gauge") == 1


async def test_others_have_turns_while_a_page_is_made() -> None:
    async with open_metrics() as metrics, metrics.embedded.connect() as client:
        for number in range(1000):
            await client.declare_queue(f"q{number}")
        pings = 0

        async def ping() -> None:
            nonlocal pings
            while True:
                await trio.lowlevel.checkpoint()
                pings += 1

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ping)
            answer = await metrics.http.get("/metrics/per-object")
            nursery.cancel_scope.cancel()
        families = answer.text.count("# TYPE rabbitmq_queue_")
        assert families > 5
        assert pings > families * 1000 / SERIES_PER_PIECE, "a turn between any two pieces"


async def test_a_queue_that_goes_while_the_page_is_made_is_left_out() -> None:
    async with open_metrics() as metrics, metrics.embedded.connect() as client:
        for number in range(1000):
            await client.declare_queue(f"q{number}")

        async def delete() -> None:
            for number in reversed(range(1000)):
                await client.delete_queue(f"q{number}")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(delete)
            page = await metrics.page("/metrics/per-object")
        assert page.kinds["rabbitmq_queue_messages"] == "gauge"
        assert not (await metrics.page("/metrics/per-object")).labels("rabbitmq_queue_messages")


@pytest.mark.parametrize(
    ("method", "path", "status", "says"),
    [
        ("GET", "/", 200, "/metrics/per-object"),
        ("GET", "/metrics/", 200, "rabbitmq_identity_info"),
        ("GET", "/metric", 404, "there are /metrics"),
        ("GET", "/metrics/x", 404, "there are /metrics"),
        ("POST", "/metrics", 405, "use GET"),
        ("DELETE", "/metrics", 405, "use GET"),
        ("GET", "/metrics/detailed?family=queue_cores_metrics", 400, "queue_coarse_metrics"),
        ("GET", "/metrics/detailed?family=queue_metrics&queue=(", 400, "regular expression"),
        ("GET", "/metrics/detailed?" + "&".join(["vhost=x"] * (QUERY_VALUES_MAX + 1)), 400, "no more than"),
        ("GET", "/metrics/detailed?%zz=%ff&&&=", 200, "rabbitmq_identity_info"),
        ("HEAD", "/metrics", 200, ""),
        ("HEAD", "/none", 404, ""),
    ],
)
async def test_requests(method: str, path: str, status: int, says: str) -> None:
    async with open_metrics() as metrics:
        answer = await metrics.http.request(method, path)
        assert answer.status_code == status
        assert says in answer.text
        if method == "HEAD":
            assert not answer.content
        if status == 405:
            assert answer.headers["allow"] == "GET, HEAD"
        again = await metrics.http.get("/metrics")
        assert again.status_code == 200, "the connection goes on"


async def exchange(port: int, data: bytes) -> bytes:
    """Send something, and read to the end."""
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    async with stream:
        await stream.send_all(data)
        found = b""
        async for chunk in stream:
            found += chunk
        return found


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"hello\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\n\r\n", b"400"),  # without Host
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * (HEAD_BYTES_MAX + 1), b"431"),
    ],
)
async def test_what_is_no_request_is_told_so_and_closed(data: bytes, status: bytes) -> None:
    async with open_metrics() as metrics:
        answer = await exchange(metrics.port, data)
        assert answer.split(b" ")[1] == status, answer
        assert (await metrics.http.get("/metrics")).status_code == 200


async def test_a_body_is_thrown_away_and_requests_that_come_together_are_answered_in_order() -> None:
    async with open_metrics() as metrics:
        body = b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nabcde"
        last = b"GET /none HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        answer = await exchange(metrics.port, body + last)
        assert answer.index(b" 200 ") < answer.index(b" 404 ")


async def test_an_idle_connection_is_closed(autojump_clock: trio.testing.MockClock) -> None:
    async with open_metrics(metrics_request_timeout_s=5.0) as metrics:
        begun_s = trio.current_time()
        assert await exchange(metrics.port, b"GET /metr") == b""
        # Sockets are real, so the clock may jump once more before the end is read.
        assert trio.current_time() - begun_s >= 5


async def test_one_connection_too_many_is_told_so() -> None:
    async with open_metrics(metrics_connections_max=1) as metrics:
        assert (await metrics.http.get("/metrics")).status_code == 200
        answer = await exchange(metrics.port, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 503")
        assert b"metrics_connections_max" in answer
        assert metrics.broker.limit_hits.of("metrics_connections_max") == 1
