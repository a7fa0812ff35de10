"""Answers, as the OpenAPI document describes them; tests hold what is answered against it.

Every field may be missing, as `columns` leaves out what isn't named, and rates are there while somebody looks.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

Missing = UnsetType
"""May be missing."""

Table = dict[str, Any]


class Object(msgspec.Struct, rename=lambda name: name.replace("__", "-"), kw_only=True, forbid_unknown_fields=True):
    """The base of all; two underscores stand for a dash."""


class Sample(Object):
    sample: int | Missing = UNSET
    timestamp: int | Missing = UNSET


class Rate(Object):
    """How fast a figure grows per second; what a span of samples comes to, where one was asked for."""

    rate: float | Missing = UNSET
    samples: list[Sample] | Missing = UNSET
    avg: float | Missing = UNSET
    avg_rate: float | Missing = UNSET


Stats = dict[str, int | Rate]
"""Counts by name, and how fast they grow, by the name and `_details`."""


class Owner(Object):
    name: str | Missing = UNSET
    peer_host: str | Missing = UNSET
    peer_port: int | Missing = UNSET


class Queue(Object):
    name: str | Missing = UNSET
    vhost: str | Missing = UNSET
    type: str | Missing = UNSET
    durable: bool | Missing = UNSET
    auto_delete: bool | Missing = UNSET
    exclusive: bool | Missing = UNSET
    arguments: Table | Missing = UNSET
    node: str | Missing = UNSET
    replication: str | Missing = UNSET
    state: str | Missing = UNSET
    policy: str | Missing | None = UNSET
    operator_policy: str | Missing | None = UNSET
    effective_policy_definition: Table | Missing = UNSET
    consumers: int | Missing = UNSET
    consumer_capacity: float | Missing | None = UNSET
    consumer_utilisation: float | Missing | None = UNSET
    messages: int | Missing = UNSET
    messages_ready: int | Missing = UNSET
    messages_unacknowledged: int | Missing = UNSET
    messages_details: Rate | Missing = UNSET
    messages_ready_details: Rate | Missing = UNSET
    messages_unacknowledged_details: Rate | Missing = UNSET
    messages_ram: int | Missing | None = UNSET
    messages_ready_ram: int | Missing | None = UNSET
    messages_unacknowledged_ram: int | Missing | None = UNSET
    messages_paged_out: int | Missing | None = UNSET
    messages_persistent: int | Missing | None = UNSET
    message_bytes: int | Missing | None = UNSET
    message_bytes_ready: int | Missing | None = UNSET
    message_bytes_unacknowledged: int | Missing | None = UNSET
    message_bytes_ram: int | Missing | None = UNSET
    message_bytes_persistent: int | Missing | None = UNSET
    message_bytes_paged_out: int | Missing | None = UNSET
    head_message_timestamp: int | Missing | None = UNSET
    idle_since: str | Missing = UNSET
    memory: int | Missing | None = UNSET
    exclusive_consumer_tag: str | Missing | None = UNSET
    single_active_consumer_tag: str | Missing | None = UNSET
    owner_pid_details: Owner | Missing = UNSET
    first_offset: int | Missing = UNSET
    committed_offset: int | Missing = UNSET
    segments: int | Missing = UNSET
    bytes_on_disk: int | Missing = UNSET
    message_stats: Stats | Missing = UNSET


class QueueName(Object):
    name: str
    vhost: str


class ChannelDetails(Object):
    name: str
    number: int
    connection_name: str
    user: str
    node: str | Missing = UNSET
    peer_host: str | Missing = UNSET
    peer_port: int | Missing = UNSET


class Consumer(Object):
    consumer_tag: str | Missing = UNSET
    queue: QueueName | Missing = UNSET
    channel_details: ChannelDetails | Missing = UNSET
    ack_required: bool | Missing = UNSET
    active: bool | Missing = UNSET
    activity_status: str | Missing = UNSET
    exclusive: bool | Missing = UNSET
    prefetch_count: int | Missing = UNSET
    arguments: Table | Missing = UNSET


class QueueDetails(Queue):
    """incoming, deliveries: RabbitMQ's rates of each pair of objects, which are empty there, too, by default."""

    consumer_details: list[Consumer] | Missing = UNSET
    incoming: list[Table] | Missing = UNSET
    deliveries: list[Table] | Missing = UNSET


class Exchange(Object):
    name: str | Missing = UNSET
    vhost: str | Missing = UNSET
    type: str | Missing = UNSET
    durable: bool | Missing = UNSET
    auto_delete: bool | Missing = UNSET
    internal: bool | Missing = UNSET
    arguments: Table | Missing = UNSET
    policy: str | Missing | None = UNSET
    operator_policy: str | Missing | None = UNSET
    effective_policy_definition: Table | Missing = UNSET
    messages_delayed: int | Missing | None = UNSET
    message_stats: Stats | Missing = UNSET


class ExchangeDetails(Exchange):
    """incoming, outgoing: as of a queue."""

    incoming: list[Table] | Missing = UNSET
    outgoing: list[Table] | Missing = UNSET


class Binding(Object):
    source: str | Missing = UNSET
    vhost: str | Missing = UNSET
    destination: str | Missing = UNSET
    destination_type: str | Missing = UNSET
    routing_key: str | Missing = UNSET
    arguments: Table | Missing = UNSET
    properties_key: str | Missing = UNSET


class Connection(Object):
    name: str | Missing = UNSET
    user_provided_name: str | Missing = UNSET
    node: str | Missing = UNSET
    vhost: str | Missing = UNSET
    user: str | Missing = UNSET
    state: str | Missing = UNSET
    channels: int | Missing = UNSET
    channel_max: int | Missing = UNSET
    frame_max: int | Missing = UNSET
    timeout: int | Missing = UNSET
    type: str | Missing = UNSET
    protocol: str | Missing = UNSET
    auth_mechanism: str | Missing = UNSET
    ssl: bool | Missing = UNSET
    ssl_protocol: str | Missing | None = UNSET
    ssl_cipher: str | Missing | None = UNSET
    peer_cert_subject: str | Missing | None = UNSET
    peer_cert_issuer: str | Missing | None = UNSET
    peer_cert_validity: str | Missing | None = UNSET
    host: str | Missing = UNSET
    port: int | Missing = UNSET
    peer_host: str | Missing = UNSET
    peer_port: int | Missing = UNSET
    client_properties: Table | Missing = UNSET
    recv_oct: int | Missing = UNSET
    send_oct: int | Missing = UNSET
    recv_cnt: int | Missing = UNSET
    send_cnt: int | Missing = UNSET
    send_pend: int | Missing = UNSET
    recv_oct_details: Rate | Missing = UNSET
    send_oct_details: Rate | Missing = UNSET
    connected_at: int | Missing = UNSET
    rate_limit: str | Missing = UNSET


class ConnectionDetails(Object):
    name: str
    peer_host: str
    peer_port: int


class Channel(Object):
    name: str | Missing = UNSET
    number: int | Missing = UNSET
    node: str | Missing = UNSET
    vhost: str | Missing = UNSET
    user: str | Missing = UNSET
    state: str | Missing = UNSET
    connection_details: ConnectionDetails | Missing = UNSET
    prefetch_count: int | Missing = UNSET
    global_prefetch_count: int | Missing = UNSET
    consumer_count: int | Missing = UNSET
    messages_unacknowledged: int | Missing = UNSET
    messages_unconfirmed: int | Missing = UNSET
    messages_uncommitted: int | Missing = UNSET
    acks_uncommitted: int | Missing = UNSET
    confirm: bool | Missing = UNSET
    transactional: bool | Missing = UNSET
    idle_since: str | Missing = UNSET
    message_stats: Stats | Missing = UNSET


class ChannelDetailed(Channel):
    """deliveries, publishes: as of a queue."""

    consumer_details: list[Consumer] | Missing = UNSET
    deliveries: list[Table] | Missing = UNSET
    publishes: list[Table] | Missing = UNSET


class Vhost(Object):
    name: str | Missing = UNSET
    description: str | Missing | None = UNSET
    default_queue_type: str | Missing | None = UNSET
    tags: list[str] | Missing = UNSET
    tracing: bool | Missing = UNSET
    protected_from_deletion: bool | Missing = UNSET
    metadata: Table | Missing = UNSET
    cluster_state: dict[str, str] | Missing = UNSET
    messages: int | Missing = UNSET
    messages_ready: int | Missing = UNSET
    messages_unacknowledged: int | Missing = UNSET
    messages_details: Rate | Missing = UNSET
    messages_ready_details: Rate | Missing = UNSET
    messages_unacknowledged_details: Rate | Missing = UNSET
    message_stats: Stats | Missing = UNSET


class WhoAmI(Object):
    name: str
    tags: list[str]
    is_internal_user: bool


class User(Object):
    name: str | Missing = UNSET
    password_hash: str | Missing = UNSET
    hashing_algorithm: str | Missing = UNSET
    tags: list[str] | Missing = UNSET
    limits: dict[str, int] | Missing = UNSET


class Permission(Object):
    user: str | Missing = UNSET
    vhost: str | Missing = UNSET
    configure: str | Missing = UNSET
    write: str | Missing = UNSET
    read: str | Missing = UNSET


class TopicPermission(Object):
    user: str | Missing = UNSET
    vhost: str | Missing = UNSET
    exchange: str | Missing = UNSET
    write: str | Missing = UNSET
    read: str | Missing = UNSET


class Policy(Object):
    vhost: str | Missing = UNSET
    name: str | Missing = UNSET
    pattern: str | Missing = UNSET
    apply__to: str | Missing = UNSET
    definition: Table | Missing = UNSET
    priority: int | Missing = UNSET


class Parameter(Object):
    vhost: str | Missing = UNSET
    component: str | Missing = UNSET
    name: str | Missing = UNSET
    value: Any = UNSET


class GlobalParameter(Object):
    name: str | Missing = UNSET
    value: Any = UNSET


class VhostLimits(Object):
    vhost: str
    value: dict[str, int]


class UserLimits(Object):
    user: str
    value: dict[str, int]


class Routed(Object):
    routed: bool


class Got(Object):
    payload_bytes: int
    redelivered: bool
    exchange: str
    routing_key: str
    message_count: int
    properties: Table
    payload: str
    payload_encoding: str


class FeatureFlag(Object):
    name: str


class Auth(Object):
    """Where a page that logs in by OAuth 2 goes, if it does."""

    oauth_enabled: bool
    enable_uaa: bool
    uaa_client_id: str
    uaa_location: str
    oauth_disable_basic_auth: bool | Missing = UNSET
    oauth_client_id: str | Missing = UNSET
    oauth_provider_url: str | Missing = UNSET
    oauth_metadata_url: str | Missing = UNSET
    oauth_scopes: str | Missing = UNSET


class Hashed(Object):
    ok: str


class Name(Object):
    name: str


class Plugin(Object):
    name: str | Missing = UNSET
    state: str | Missing = UNSET
    about: str | Missing = UNSET
    restarts: int | Missing = UNSET
    last_error: str | Missing = UNSET
    since: int | Missing = UNSET
    counters: dict[str, float] | Missing = UNSET


class Health(Object):
    status: str
    reason: str | Missing = UNSET
    port: int | Missing = UNSET
    ports: list[int] | Missing = UNSET
    protocol: str | Missing = UNSET
    protocols: list[str] | Missing = UNSET
    missing: Any = UNSET
    expired: list[dict[str, str]] | Missing = UNSET
    alarms: list[dict[str, str]] | Missing = UNSET
    connections: int | Missing = UNSET
    limit: int | Missing = UNSET


class Definitions(msgspec.Struct, kw_only=True):
    """RabbitMQ's definitions (spec F.5), whose items core describes."""

    rabbit_version: str
    rabbitmq_version: str
    product_name: str
    product_version: str
    rabbitmq_definition_format: str | Missing = UNSET
    users: list[Table] | Missing = UNSET
    vhosts: list[Table] | Missing = UNSET
    permissions: list[Table] | Missing = UNSET
    topic_permissions: list[Table] | Missing = UNSET
    global_parameters: list[Table] | Missing = UNSET
    parameters: list[Table] = []
    policies: list[Table] = []
    queues: list[Table] = []
    exchanges: list[Table] = []
    bindings: list[Table] = []


class Error(Object):
    """What a request is refused with."""

    error: str
    reason: str
