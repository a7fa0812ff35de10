"""What RabbitMQ's public Grafana dashboard asks for (10991, RabbitMQ-Overview): every name in it is answered."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.plugins.metrics.scrape import open_metrics

OVERVIEW = {
    "rabbitmq_build_info",
    "rabbitmq_channels",
    "rabbitmq_channels_closed_total",
    "rabbitmq_channels_opened_total",
    "rabbitmq_connections",
    "rabbitmq_connections_closed_total",
    "rabbitmq_connections_opened_total",
    "rabbitmq_disk_space_available_bytes",
    "rabbitmq_disk_space_available_limit_bytes",
    "rabbitmq_erlang_uptime_seconds",
    "rabbitmq_global_consumers",
    "rabbitmq_global_messages_acknowledged_total",
    "rabbitmq_global_messages_confirmed_total",
    "rabbitmq_global_messages_delivered_consume_auto_ack_total",
    "rabbitmq_global_messages_delivered_consume_manual_ack_total",
    "rabbitmq_global_messages_delivered_get_auto_ack_total",
    "rabbitmq_global_messages_delivered_get_manual_ack_total",
    "rabbitmq_global_messages_delivered_total",
    "rabbitmq_global_messages_get_empty_total",
    "rabbitmq_global_messages_received_confirm_total",
    "rabbitmq_global_messages_received_total",
    "rabbitmq_global_messages_redelivered_total",
    "rabbitmq_global_messages_routed_total",
    "rabbitmq_global_messages_unroutable_dropped_total",
    "rabbitmq_global_messages_unroutable_returned_total",
    "rabbitmq_global_publishers",
    "rabbitmq_identity_info",
    "rabbitmq_message_size_bytes_bucket",
    "rabbitmq_process_max_fds",
    "rabbitmq_process_open_fds",
    "rabbitmq_process_resident_memory_bytes",
    "rabbitmq_queue_messages_ready",
    "rabbitmq_queue_messages_unacked",
    "rabbitmq_queues",
    "rabbitmq_queues_created_total",
    "rabbitmq_queues_declared_total",
    "rabbitmq_queues_deleted_total",
    "rabbitmq_resident_memory_limit_bytes",
}
"""Of 3.8 to 4.1; a newer one shows a histogram of sizes in addition."""

JOINED = ("rabbitmq_node", "rabbitmq_cluster")
"""Labels of `rabbitmq_identity_info` that every query is joined with."""


@pytest.mark.parametrize("path", ["/metrics", "/metrics/per-object"])
async def test_every_name_is_answered(path: str, tmp_path: Path) -> None:
    async with open_metrics(directory=tmp_path) as metrics:
        async with metrics.embedded.connect() as client:
            await client.declare_queue("q")
            await client.publish("", "q", b"x")
            page = await metrics.page(path)
        assert not OVERVIEW - page.names
        (identity,) = page.labels("rabbitmq_identity_info")
        assert all(identity[label] for label in JOINED)
        assert page.value("rabbitmq_disk_space_available_bytes") > 0
        assert page.value("rabbitmq_io_write_ops_total") >= 0
