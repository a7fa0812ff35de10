"""Every name of RabbitMQ's metrics that dashboards and alerts must find (docs/spec/F-management.md, F.7), and what the
numbers behind some of them are."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from tests.plugins.metrics.scrape import open_metrics
from warren.core.clients.login_attempts import Source
from warren.core.messages.properties import encode_properties

_QUEUE = (
    *("messages", "messages_ready", "messages_unacked", "messages_persistent", "messages_ram", "consumers"),
    *("messages_bytes", "messages_ready_bytes", "messages_unacked_bytes", "messages_persistent_bytes"),
    *("messages_ram_bytes", "messages_published_total"),
)
_CHANNEL = (
    *("messages_published_total", "messages_confirmed_total", "messages_delivered_total", "messages_acked_total"),
    *("messages_delivered_ack_total", "messages_redelivered_total", "messages_unroutable_returned_total"),
    *("messages_unroutable_dropped_total", "get_total", "get_ack_total", "get_empty_total", "messages_unacked"),
    *("messages_unconfirmed", "prefetch"),
)
_CONNECTION = (
    *("incoming_bytes_total", "outgoing_bytes_total", "incoming_packets_total", "outgoing_packets_total"),
    "pending_packets",
)
_GLOBAL = (
    *("messages_received_total", "messages_received_confirm_total", "messages_routed_total"),
    *("messages_unroutable_dropped_total", "messages_unroutable_returned_total", "messages_confirmed_total"),
    *("messages_delivered_total", "messages_delivered_consume_manual_ack_total"),
    *("messages_delivered_consume_auto_ack_total", "messages_delivered_get_manual_ack_total"),
    *("messages_delivered_get_auto_ack_total", "messages_redelivered_total", "messages_acknowledged_total"),
    *("messages_get_empty_total", "publishers", "consumers", "messages_dead_lettered_maxlen_total"),
    *("messages_dead_lettered_expired_total", "messages_dead_lettered_rejected_total"),
    *("messages_dead_lettered_delivery_limit_total", "messages_dead_lettered_confirmed_total"),
)
MUST_HAVE = {
    *("build_info", "identity_info", "connections", "channels", "queues", "consumers"),
    *("connections_opened_total", "connections_closed_total", "channels_opened_total", "channels_closed_total"),
    *("queues_declared_total", "queues_created_total", "queues_deleted_total"),
    *(f"queue_{name}" for name in _QUEUE),
    *(f"channel_{name}" for name in _CHANNEL),
    *(f"connection_{name}" for name in _CONNECTION),
    *(f"global_{name}" for name in _GLOBAL),
    *("process_open_fds", "process_max_fds", "process_resident_memory_bytes", "resident_memory_limit_bytes"),
    *("disk_space_available_bytes", "disk_space_available_limit_bytes", "alarms_memory_used_watermark"),
    *("alarms_free_disk_space_watermark", "alarms_file_descriptor_limit", "unreachable_cluster_peers_count"),
    *("io_read_ops_total", "io_read_bytes_total", "io_write_ops_total", "io_write_bytes_total", "io_sync_ops_total"),
    *("io_read_time_seconds_total", "io_write_time_seconds_total", "io_sync_time_seconds_total"),
    *("message_size_bytes_bucket", "message_size_bytes_count", "message_size_bytes_sum"),
    *("auth_attempts_total", "auth_attempts_succeeded_total", "auth_attempts_failed_total"),
}

OF_OBJECTS = {"queue_consumer_utilisation", "queue_consumer_capacity", "queue_head_message_timestamp"}
"""Those of single objects, whose sums would say nothing."""


@pytest.mark.parametrize("path", ["/metrics", "/metrics/per-object"])
async def test_every_name_is_there(path: str, tmp_path: Path) -> None:
    async with open_metrics(directory=tmp_path) as metrics, metrics.embedded.connect() as client:
        metrics.broker.login_attempts.count(Source("amqp091", "127.0.0.1", "guest"), succeeded=True)
        for name in ("q", "consumed"):
            await client.declare_queue(name, durable=True)
        await client.publish("", "q", b"x", encode_properties(timestamp=1_700_000_000))
        async with client.consume("consumed"):
            page = await metrics.page(path)
            wanted = MUST_HAVE | OF_OBJECTS if "per-object" in path else MUST_HAVE
            assert {f"rabbitmq_{name}" for name in wanted} - page.names == set()


async def test_sizes_of_messages() -> None:
    async with open_metrics() as metrics, metrics.embedded.connect() as client:
        await client.declare_queue("q")
        for size in (0, 100, 101, 20_000):
            await client.publish("", "q", b"x" * size)
        page = await metrics.page("/metrics")
        buckets = {
            labels["le"]: page.value("rabbitmq_message_size_bytes_bucket", **labels)
            for labels in page.labels("rabbitmq_message_size_bytes_bucket")
            if labels["protocol"] == "direct091"
        }
        first, rest = (
            {"100.0": 2, "1000.0": 3, "10000.0": 3},
            ("100000", "1000000", "10000000", "50000000", "100000000"),
        )
        assert buckets == {**first, **{f"{each}.0": 4 for each in rest}, "+Inf": 4}
        assert page.kinds["rabbitmq_message_size_bytes"] == "histogram"
        assert page.value("rabbitmq_message_size_bytes_count", protocol="direct091") == 4
        assert page.value("rabbitmq_message_size_bytes_sum", protocol="direct091") == 20_201


async def test_packets_stay_counted_when_connections_are_gone() -> None:
    async with open_metrics("amqp=127.0.0.1:0") as metrics:
        stream = await trio.open_tcp_stream(*metrics.embedded.address("amqp"))
        await stream.send_all(b"AMQP\0\0\x09\x01")
        assert await stream.receive_some()
        (name,) = (f"{row['peer_host']}:{row['peer_port']}" for row in metrics.embedded.inspect("connections"))
        page = await metrics.page("/metrics/per-object")
        (labels,) = page.labels("rabbitmq_connection_incoming_packets_total")
        assert labels["connection"].startswith(name)
        assert page.value("rabbitmq_connection_incoming_packets_total") == 1
        assert page.value("rabbitmq_connection_outgoing_packets_total") == 1
        assert page.value("rabbitmq_connection_pending_packets") == 0
        await stream.aclose()
        while metrics.embedded.inspect("connections"):
            await trio.sleep(0)
        page = await metrics.page()
        assert page.value("rabbitmq_connection_incoming_packets_total") >= 1
        assert page.value("rabbitmq_connection_outgoing_packets_total") >= 1
