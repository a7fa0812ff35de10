"""Answers about the broker as a whole and its node, as the OpenAPI document describes them."""

from __future__ import annotations

from msgspec import UNSET

from warren.plugins.management.objects import Missing, Object, Rate, Stats, Table


class ExchangeType(Object):
    name: str
    description: str
    enabled: bool


class ListenerObject(Object):
    node: str
    protocol: str
    ip_address: str
    port: int
    tls: bool


class ContextObject(Object):
    node: str
    description: str
    path: str
    ip: str
    port: int
    tls: bool


class ObjectTotals(Object):
    connections: int
    channels: int
    consumers: int
    exchanges: int
    queues: int


class Overview(Object):
    management_version: str
    rates_mode: str
    sample_retention_policies: dict[str, list[int]]
    product_name: str
    product_version: str
    rabbitmq_version: str
    python_version: str
    cluster_name: str
    node: str
    exchange_types: list[ExchangeType]
    disable_stats: bool
    enable_queue_totals: bool
    statistics_db_event_queue: int
    message_stats: Stats
    queue_totals: Stats
    object_totals: ObjectTotals
    churn_rates: Stats | Missing = UNSET
    listeners: list[ListenerObject] | Missing = UNSET
    contexts: list[ContextObject] | Missing = UNSET


class Mechanism(Object):
    name: str
    description: str
    enabled: bool


class Application(Object):
    name: str
    description: str
    version: str


class NodeObject(Object):
    name: str
    type: str
    running: bool
    being_drained: bool
    partitions: list[str]
    cluster_links: list[Table]
    uptime: int
    os_pid: str
    processors: int
    run_queue: int
    rates_mode: str
    fd_used: int
    fd_used_details: Rate
    fd_total: int
    sockets_used: int
    sockets_used_details: Rate
    sockets_total: int
    proc_used: int
    proc_used_details: Rate
    proc_total: int
    context_switches: int
    context_switches_details: Rate
    mem_used: int
    mem_used_details: Rate
    mem_limit: int
    mem_alarm: bool
    mem_calculation_strategy: str
    disk_free: int | None
    disk_free_limit: int | None
    disk_free_alarm: bool
    connection_created: int
    connection_created_details: Rate
    connection_closed: int
    connection_closed_details: Rate
    channel_created: int
    channel_created_details: Rate
    channel_closed: int
    channel_closed_details: Rate
    queue_declared: int
    queue_declared_details: Rate
    queue_created: int
    queue_created_details: Rate
    queue_deleted: int
    queue_deleted_details: Rate
    exchange_types: list[ExchangeType]
    auth_mechanisms: list[Mechanism]
    applications: list[Application]
    contexts: list[ContextObject]
    enabled_plugins: list[str]
    config_files: list[str]
    log_files: list[str]
    db_dir: str
    disk_free_details: Rate | Missing = UNSET


class Memory(Object):
    """By part, in bytes or percent."""

    memory: Table
