"""Words that list the broker's objects, in the columns that are asked for."""

from __future__ import annotations

from typing import Final

from warren.gateway.control.listing import listing
from warren.gateway.control.target import Answer, Control, Request
from warren.gateway.control.word import VHOST, Option, Remote, word

OFFLINE: Final = ("unavailable", "down", "no owner")
"""The states of queues whose type nobody serves, and of those whose node, or whose shard's, isn't there."""


@word(
    "[COLUMN]...",
    "queues of a virtual host",
    "Listing queues for vhost {vhost} ...",
    options=(VHOST, Option("online"), Option("offline"), Option("local")),
    remote=Remote.MANAGEMENT,
    example="-p orders name messages consumers",
    lists="queues",
)
async def list_queues(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does; the columns are those of core.administration.listing.queues.

    Offline are queues that can't be served now, since what serves their type isn't there, or no node that has them.
    Local are those that this node has; without a cluster, all.
    """
    from warren.core.administration.listing.selecting import Condition, equals

    conditions = []
    if bool(request.options.get("online")) != bool(request.options.get("offline")):
        wanted = bool(request.options.get("offline"))
        conditions.append(Condition("state", lambda state: (state in OFFLINE) is wanted))
    cluster = control.broker.cluster
    if cluster is not None and request.options.get("local"):
        conditions.append(equals("node", cluster.name))
    return await listing(control, "queues", request.arguments, vhost=request.vhost, conditions=conditions)


@word(
    "[COLUMN]...",
    "exchanges of a virtual host",
    "Listing exchanges for vhost {vhost} ...",
    options=(VHOST,),
    remote=Remote.MANAGEMENT,
    example="name type durable",
    lists="exchanges",
)
async def list_exchanges(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does; the columns are those of core.administration.listing.exchanges."""
    return await listing(control, "exchanges", request.arguments, vhost=request.vhost)


@word(
    "[COLUMN]...",
    "bindings of a virtual host",
    "Listing bindings for vhost {vhost}...",
    options=(VHOST,),
    remote=Remote.MANAGEMENT,
    example="source_name destination_name routing_key",
    lists="bindings",
)
async def list_bindings(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does; the columns are those of core.administration.listing.bindings."""
    return await listing(control, "bindings", request.arguments, vhost=request.vhost)


@word(
    "[COLUMN]...",
    "consumers of a virtual host",
    "Listing consumers in vhost {vhost} ...",
    options=(VHOST,),
    remote=Remote.MANAGEMENT,
    example="queue_name channel_pid prefetch_count",
    lists="consumers",
)
async def list_consumers(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does; the columns are those of core.administration.listing.consumers."""
    return await listing(control, "consumers", request.arguments, vhost=request.vhost)


@word(
    "[COLUMN]...",
    "connections",
    "Listing connections ...",
    remote=Remote.MONITORING,
    example="user peer_host state recv_oct",
    lists="connections",
)
async def list_connections(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does; the columns are those of core.administration.listing.connections."""
    return await listing(control, "connections", request.arguments, everywhere=True)


@word(
    "[COLUMN]...",
    "MQTT connections",
    "Listing MQTT connections ...",
    remote=Remote.MONITORING,
    example="client_id user keepalive",
    lists="mqtt_connections",
)
async def list_mqtt_connections(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does: the columns of list_connections, and some more (adapters.mqtt.listing)."""
    return await listing(control, "mqtt_connections", request.arguments, everywhere=True)


@word(
    "[COLUMN]...",
    "AMQP 1.0 connections",
    "Listing AMQP 1.0 connections ...",
    remote=Remote.MONITORING,
    example="user peer_host state",
    lists="amqp10_connections",
)
async def list_amqp10_connections(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does: the columns of list_connections, and some more (adapters.amqp10.listing)."""
    return await listing(control, "amqp10_connections", request.arguments, everywhere=True)


@word(
    "[COLUMN]...",
    "AMQP 1.0 sessions",
    "Listing AMQP 1.0 sessions ...",
    remote=Remote.MONITORING,
    example="--formatter json",
    lists="amqp10_sessions",
)
async def list_amqp10_sessions(control: Control, request: Request) -> Answer:
    """The columns of list_channels, and the windows (adapters.amqp10.listing)."""
    return await listing(control, "amqp10_sessions", request.arguments)


@word(
    "[COLUMN]...",
    "AMQP 1.0 links, suspended ones too",
    "Listing AMQP 1.0 links ...",
    remote=Remote.MONITORING,
    example="--formatter json",
    lists="amqp10_links",
)
async def list_amqp10_links(control: Control, request: Request) -> Answer:
    """Links that are attached, and those that an expiry policy keeps (adapters.amqp10.link_listing)."""
    return await listing(control, "amqp10_links", request.arguments)


@word(
    "[COLUMN]...",
    "STOMP connections",
    "Listing STOMP connections ...",
    remote=Remote.MONITORING,
    example="user peer_host protocol",
    lists="stomp_connections",
)
async def list_stomp_connections(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does: the columns of list_connections, and some more (adapters.stomp.listing)."""
    return await listing(control, "stomp_connections", request.arguments, everywhere=True)


@word(
    "[COLUMN]...",
    "stream connections",
    "Listing stream connections ...",
    remote=Remote.MONITORING,
    example="user peer_host state",
    lists="stream_connections",
)
async def list_stream_connections(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does: the columns of list_connections, and some more (adapters.stream.listing)."""
    return await listing(control, "stream_connections", request.arguments, everywhere=True)


@word(
    "[COLUMN]...",
    "channels",
    "Listing channels ...",
    remote=Remote.MONITORING,
    example="connection number prefetch_count messages_unacknowledged",
    lists="channels",
)
async def list_channels(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does; the columns are those of core.administration.listing.channels."""
    return await listing(control, "channels", request.arguments, everywhere=True)


@word(
    "[COLUMN]...",
    "virtual hosts",
    "Listing vhosts ...",
    remote=Remote.MONITORING,
    example="name messages",
    lists="vhosts",
)
async def list_vhosts(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does; the columns are those of core.administration.listing.vhosts."""
    return await listing(control, "vhosts", request.arguments)


@word(
    "[COLUMN]...",
    "limits that have refused or dropped something",
    "Listing limits that were reached ...",
    remote=Remote.MONITORING,
    example="--formatter json",
    lists="limit_hits",
)
async def list_limit_hits(control: Control, request: Request) -> Answer:
    """How often each limit did so since the start, and when last; docs/limits.md says what they are."""
    return await listing(control, "limit_hits", request.arguments)


@word("", "users and their tags", "Listing users ...", lists="users")
async def list_users(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does; the columns are those of core.administration.listing.users."""
    return await listing(control, "users")
