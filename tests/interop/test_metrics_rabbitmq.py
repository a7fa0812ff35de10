"""The same program run against Warren and RabbitMQ: both pages have the same families, but for what is listed here."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pika
import pytest
import trio

from tests.plugins.metrics.scrape import Page, open_metrics, read_page
from tests.support.rabbitmq import RabbitMQ, rabbitmq, rabbitmq_available

pytestmark = pytest.mark.skipif(not rabbitmq_available(), reason="needs Debian's rabbitmq-server")

MISSING = {
    "the Erlang machine's own": ("erlang_", "telemetry_", "process_reductions_total"),
    "there is no Mnesia": ("rabbitmq_schema_db_",),
    "queues have no index and no store of their own": ("msg_store_", "queue_index_", "rabbitmq_io_reopen_", "io_seek_"),
    "quorum queues are on one node": ("rabbitmq_raft_",),
    "sockets are descriptors": ("_tcp_sockets",),
    "reads and writes are the log's, not a queue's": ("queue_disk_",),
    "a message without a timestamp has none": ("queue_head_message_timestamp",),
    "shares of time have no sum": ("rabbitmq_queue_consumer_utilisation",),
}
"""Parts of names of RabbitMQ's that aren't here, by the reason."""

OTHER_LABELS = {
    "rabbitmq_build_info": "versions of what it is made of",
    "rabbitmq_identity_info": "newer versions say which page it is",
    "rabbitmq_global_messages_dead_lettered_": "what has nowhere to go, strategy `disabled`, is not counted",
    "rabbitmq_channel_": "of a channel as a whole, not of its exchanges and queues; with the virtual host",
    "rabbitmq_connection_": "by the connection's name and virtual host; there the label is called channel",
    "rabbitmq_consumer_prefetch": "with the virtual host",
    "rabbitmq_queue_messages_published_total": "of a queue as a whole, not of channels and exchanges",
}
"""Beginnings of names whose labels differ, and how."""

COLLECTED_S = 60.0
"""RabbitMQ's figures follow after some seconds."""

AGREEING = (
    "rabbitmq_connections",
    "rabbitmq_channels",
    "rabbitmq_queues",
    "rabbitmq_consumers",
    "rabbitmq_queue_messages",
    "rabbitmq_queue_messages_ready",
    "rabbitmq_queue_messages_unacked",
    "rabbitmq_channel_messages_published_total",
    "rabbitmq_channel_messages_confirmed_total",
    "rabbitmq_channel_messages_unroutable_dropped_total",
    "rabbitmq_channel_messages_unroutable_returned_total",
    "rabbitmq_channel_get_ack_total",
    "rabbitmq_channel_get_total",
    "rabbitmq_channel_get_empty_total",
    "rabbitmq_channel_messages_acked_total",
    "rabbitmq_global_messages_received_total",
    "rabbitmq_global_messages_received_confirm_total",
    "rabbitmq_global_messages_confirmed_total",
    "rabbitmq_global_messages_routed_total",
    "rabbitmq_global_messages_unroutable_dropped_total",
    "rabbitmq_global_messages_unroutable_returned_total",
    "rabbitmq_global_messages_delivered_get_manual_ack_total",
    "rabbitmq_global_messages_delivered_get_auto_ack_total",
    "rabbitmq_global_messages_get_empty_total",
    "rabbitmq_global_messages_acknowledged_total",
    "rabbitmq_queues_created_total",
    "rabbitmq_connections_opened_total",
    "rabbitmq_channels_opened_total",
)
"""Families whose sums are the same in both, for this program."""

PATHS = (
    "/metrics",
    "/metrics/per-object",
    "/metrics/detailed?family=queue_coarse_metrics&family=queue_consumer_count&family=channel_metrics"
    "&family=channel_exchange_metrics&family=channel_queue_metrics&family=connection_coarse_metrics"
    "&family=connection_metrics&family=queue_metrics&vhost=/",
)


def use(port: int) -> Any:
    """Publish, poll, and leave the connection open."""
    connection = pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", port))
    channel = connection.channel()
    channel.queue_declare("q")
    channel.confirm_delivery()
    for _ in range(5):
        channel.basic_publish("", "q", b"routed")
    channel.basic_publish("", "nowhere", b"dropped")
    with pytest.raises(pika.exceptions.UnroutableError):
        channel.basic_publish("", "nowhere", b"returned", mandatory=True)
    first = channel.basic_get("q")[0]
    channel.basic_ack(first.delivery_tag)
    channel.basic_get("q")
    channel.basic_get("q", auto_ack=True)
    channel.queue_declare("empty")
    assert channel.basic_get("empty")[0] is None
    return connection


def sum_of(page: Page, name: str) -> float:
    return sum(value for (each, _), value in page.values.items() if each == name)


def settled(fetch: Callable[[], Page], wanted: Callable[[Page], bool]) -> Page:
    """The page once it says what is wanted, or the last one."""
    until_s = time.monotonic() + COLLECTED_S
    while not wanted(page := fetch()) and time.monotonic() < until_s:
        time.sleep(0.2)
    return page


@pytest.fixture(scope="module")
def node() -> Iterator[RabbitMQ]:
    with rabbitmq(plugins=["rabbitmq_prometheus"], configuration=["collect_statistics_interval = 500"]) as running:
        yield running


@pytest.fixture(scope="module")
def theirs(node: RabbitMQ) -> Iterator[dict[str, Page]]:
    connection = use(node.amqp_port)
    base = f"http://127.0.0.1:{node.ports['prometheus']}"

    def fetch(path: str) -> Page:
        return read_page(httpx.get(base + path, timeout=60, trust_env=False).text)

    settled(
        lambda: fetch("/metrics"),
        lambda page: (
            sum_of(page, "rabbitmq_channel_get_empty_total") == 1
            and sum_of(page, "rabbitmq_queue_messages_unacked") == 1
        ),
    )
    yield {path: fetch(path) for path in PATHS}
    connection.close()


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Page]:
    directory = tmp_path_factory.mktemp("warren")
    found: dict[str, Page] = {}

    async def main() -> None:
        async with open_metrics("amqp=127.0.0.1:0", directory=directory) as metrics:
            connection = await trio.to_thread.run_sync(use, metrics.embedded.listening["amqp"][0][1])
            for path in PATHS:
                found[path] = await metrics.page(path)
            await trio.to_thread.run_sync(connection.close)

    trio.run(main)
    return found


def is_missing(name: str) -> bool:
    return any(part in name for parts in MISSING.values() for part in parts)


@pytest.mark.parametrize("path", PATHS)
def test_families_are_there(theirs: dict[str, Page], ours: dict[str, Page], path: str) -> None:
    missing = {name for name in theirs[path].names - ours[path].names if not is_missing(name)}
    assert not missing


def test_reasons_are_needed(theirs: dict[str, Page], ours: dict[str, Page]) -> None:
    missing = {name for path in PATHS for name in theirs[path].names - ours[path].names}
    idle = [part for parts in MISSING.values() for part in parts if not any(part in name for name in missing)]
    assert not idle


@pytest.mark.parametrize("path", PATHS)
def test_labels_are_the_same_or_explained(theirs: dict[str, Page], ours: dict[str, Page], path: str) -> None:
    for name in theirs[path].names & ours[path].names:
        if name.replace("_detailed_", "_").startswith(tuple(OTHER_LABELS)):
            continue
        both = [{frozenset(labels) for labels in page[path].labels(name)} for page in (theirs, ours)]
        assert both[0] == both[1], name


@pytest.mark.parametrize("name", AGREEING)
def test_sums_are_the_same(theirs: dict[str, Page], ours: dict[str, Page], name: str) -> None:
    assert sum_of(ours["/metrics"], name) == sum_of(theirs["/metrics"], name)
