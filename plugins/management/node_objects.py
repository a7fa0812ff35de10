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
    """Of other nodes of a cluster there is what they say of themselves there.  shards: of the cluster, that it has."""

    name: str
    type: str
    running: bool
    being_drained: bool | Missing = UNSET
    partitions: list[str] | Missing = UNSET
    cluster_links: list[Table] | Missing = UNSET
    uptime: int | Missing = UNSET
    os_pid: str | Missing = UNSET
    processors: int | Missing = UNSET
    run_queue: int | Missing = UNSET
    rates_mode: str | Missing = UNSET
    fd_used: int | Missing = UNSET
    fd_used_details: Rate | Missing = UNSET
    fd_total: int | Missing = UNSET
    sockets_used: int | Missing = UNSET
    sockets_used_details: Rate | Missing = UNSET
    sockets_total: int | Missing = UNSET
    proc_used: int | Missing = UNSET
    proc_used_details: Rate | Missing = UNSET
    proc_total: int | Missing = UNSET
    context_switches: int | Missing = UNSET
    context_switches_details: Rate | Missing = UNSET
    mem_used: int | Missing = UNSET
    mem_used_details: Rate | Missing = UNSET
    mem_limit: int | Missing = UNSET
    mem_alarm: bool | Missing = UNSET
    mem_calculation_strategy: str | Missing = UNSET
    disk_free: int | Missing | None = UNSET
    disk_free_limit: int | Missing | None = UNSET
    disk_free_alarm: bool | Missing = UNSET
    connection_created: int | Missing = UNSET
    connection_created_details: Rate | Missing = UNSET
    connection_closed: int | Missing = UNSET
    connection_closed_details: Rate | Missing = UNSET
    channel_created: int | Missing = UNSET
    channel_created_details: Rate | Missing = UNSET
    channel_closed: int | Missing = UNSET
    channel_closed_details: Rate | Missing = UNSET
    queue_declared: int | Missing = UNSET
    queue_declared_details: Rate | Missing = UNSET
    queue_created: int | Missing = UNSET
    queue_created_details: Rate | Missing = UNSET
    queue_deleted: int | Missing = UNSET
    queue_deleted_details: Rate | Missing = UNSET
    exchange_types: list[ExchangeType] | Missing = UNSET
    auth_mechanisms: list[Mechanism] | Missing = UNSET
    applications: list[Application] | Missing = UNSET
    contexts: list[ContextObject] | Missing = UNSET
    enabled_plugins: list[str] | Missing = UNSET
    config_files: list[str] | Missing = UNSET
    log_files: list[str] | Missing = UNSET
    db_dir: str | Missing = UNSET
    shards: int | Missing = UNSET
    disk_free_details: Rate | Missing = UNSET


class ShardObject(Object):
    """A shard of a cluster.  node: that has it; empty where none has.  The figures are of those that this node has."""

    shard: int
    node: str
    state: str
    reason: str
    queues: int | Missing = UNSET
    messages: int | Missing = UNSET
    unconfirmed: int | Missing = UNSET


class Memory(Object):
    """By part, in bytes or percent."""

    memory: Table
