"""Connections, channels and consumers; who may not see all of them sees the own.

In a cluster connections and channels are those of all nodes, and each is closed on whatever node it is; consumers are
those of this one.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, cast

from warren.core.administration import operations
from warren.core.administration.listing.selecting import Condition, equals
from warren.core.errors import NotFound
from warren.plugins.management import amqp10_objects, objects
from warren.plugins.management.access import Needs, check_tags, sees_everything
from warren.plugins.management.endpoint import Call, Listed, endpoint
from warren.plugins.management.errors import bad_request
from warren.plugins.management.ranges import DATA_RATES
from warren.plugins.management.views import (
    IDLE,
    NODE,
    STATS,
    Field,
    Sampled,
    View,
    details,
    fields,
    listed,
    same,
    table,
)

if TYPE_CHECKING:
    from warren.plugins.management.views import Cells, Look

DEFAULT_REASON: Final = "CONNECTION_FORCED - closed by an administrator (management API)"
"""What a client reads when no reason was given."""

REASON_CHARACTERS_MAX: Final = 1024
"""Of X-Reason; a client reads 255 bytes of it at most."""

CONNECTIONS: Final = View(
    "connections",
    {
        "name": same("name"),
        "user_provided_name": Field(
            ("user_provided_name",), lambda cells, look: cells["user_provided_name"] or None, omitted=True
        ),
        "node": NODE,
        **fields("vhost", "user", "state", "channels", "channel_max", "frame_max", "timeout"),
        "type": Field(("protocol",), lambda cells, look: _sort_of(str(cells["protocol"]))),
        **fields("protocol", "auth_mechanism", "ssl", "ssl_protocol", "ssl_cipher"),
        **fields("peer_cert_subject", "peer_cert_issuer", "peer_cert_validity"),
        **fields("host", "port", "peer_host", "peer_port"),
        "client_properties": table("client_properties"),
        **fields("recv_oct", "send_oct", "recv_cnt", "send_cnt", "send_pend"),
        **details(DATA_RATES, "recv_oct", "send_oct"),
        "connected_at": same("connected_at"),
        "rate_limit": Field(("rate_limit",), lambda cells, look: cells["rate_limit"] or None, omitted=True),
    },
    Sampled(lambda row: row.session, lambda row: {"recv_oct": row.recv_oct, "send_oct": row.send_oct}),
    everywhere=True,
)

CHANNELS: Final = View(
    "channels",
    {
        **fields("name", "number"),
        "node": NODE,
        **fields("vhost", "user", "state", "connection_details", "prefetch_count", "global_prefetch_count"),
        **fields("consumer_count", "messages_unacknowledged", "messages_unconfirmed", "messages_uncommitted"),
        **fields("acks_uncommitted", "confirm", "transactional"),
        "idle_since": IDLE,
        "message_stats": STATS,
    },
    Sampled(lambda row: row.counts, lambda row: row.message_stats),
    everywhere=True,
)


def _channel_details(cells: Cells, look: Look) -> object:
    return {**cast("dict[str, object]", cells["channel_details"]), "node": look.node.name}


CONSUMERS: Final = View(
    "consumers",
    {
        **fields("consumer_tag", "queue"),
        "channel_details": Field(("channel_details",), _channel_details),
        **fields("ack_required", "active", "activity_status"),
        **fields("exclusive", "prefetch_count"),
        "arguments": table("arguments"),
    },
)

AMQP10_SESSIONS: Final = View(
    "amqp10_sessions",
    {
        **fields("channel_number", "handle_max", "next_incoming_id", "incoming_window", "next_outgoing_id"),
        **fields("remote_incoming_window", "remote_outgoing_window", "outgoing_unsettled_deliveries"),
        **fields("incoming_links", "outgoing_links"),
    },
)


def _sort_of(protocol: str) -> str:
    return "direct" if protocol.startswith("Direct") else "network"


def own(call: Call) -> list[Condition]:
    """Leaves out what is others', for who doesn't see everything."""
    return [] if sees_everything(call.user) else [equals("user", call.user.name)]


@endpoint("GET", "/connections", "Connections.", answer=objects.Connection, lists=True)
async def get_connections(call: Call) -> Listed:
    return await listed(call, CONNECTIONS, *own(call))


@endpoint("GET", "/vhosts/{vhost}/connections", "Connections to a virtual host.", answer=objects.Connection, lists=True)
async def get_connections_of_vhost(call: Call) -> Listed:
    return await listed(call, CONNECTIONS, *own(call))


@endpoint("GET", "/connections/username/{user}", "Connections of a user.", answer=objects.Connection, lists=True)
async def get_connections_of_user(call: Call) -> Listed:
    return await listed(call, CONNECTIONS, *own(call), where=("user", call.path["user"]))


@endpoint("DELETE", "/connections/username/{user}", "Close all connections of a user; a reason in X-Reason.")
async def delete_connections_of_user(call: Call) -> None:
    if call.path["user"] != call.user.name:
        check_tags(call.user, Needs.ADMINISTRATOR)
    reason = reason_of(call)
    operations.connections.close_all(call.broker, reason, user=call.path["user"])
    call.context.changed()
    if call.broker.cluster is not None:
        await call.broker.cluster.close_elsewhere(reason, user=call.path["user"])


@endpoint("GET", "/connections/{connection}", "A connection.", answer=objects.Connection)
async def get_connection(call: Call) -> object:
    return await only(call, CONNECTIONS, "connection")


@endpoint("DELETE", "/connections/{connection}", "Close a connection; a reason in X-Reason.")
async def delete_connection(call: Call) -> None:
    found = await only(call, CONNECTIONS, "connection", whole=True)
    if found["user"] != call.user.name:
        check_tags(call.user, Needs.ADMINISTRATOR)
    name, node, cluster = call.path["connection"], str(found["node"]), call.broker.cluster
    if cluster is None or node == call.node.name:
        operations.connections.close(call.broker, name, reason_of(call))
        call.context.changed()
    elif not await cluster.close_elsewhere(reason_of(call), name=name, node=node):
        raise NotFound(f"no connection has the name '{name}'")


@endpoint("GET", "/connections/{connection}/channels", "Channels of a connection.", answer=objects.Channel, lists=True)
async def get_channels_of_connection(call: Call) -> Listed:
    node = (await only(call, CONNECTIONS, "connection", whole=True))["node"]
    view = here(CHANNELS) if node == call.node.name else CHANNELS
    return await listed(call, view, *own(call), where=("connection", call.path["connection"]))


@endpoint(
    "GET",
    "/connections/{connection}/sessions",
    "AMQP 1.0 sessions of a connection, with their links.",
    answer=amqp10_objects.Amqp10Session,
    lists=True,
)
async def get_sessions_of_connection(call: Call) -> Listed:
    node = (await only(call, CONNECTIONS, "connection", whole=True))["node"]
    if node != call.node.name:
        raise NotFound(f"connection '{call.path['connection']}' is on node '{node}'; ask there")
    return await listed(call, AMQP10_SESSIONS, *own(call), equals("connection", call.path["connection"]))


@endpoint("GET", "/channels", "Channels.", answer=objects.Channel, lists=True)
async def get_channels(call: Call) -> Listed:
    return await listed(call, CHANNELS, *own(call))


@endpoint("GET", "/vhosts/{vhost}/channels", "Channels in a virtual host.", answer=objects.Channel, lists=True)
async def get_channels_of_vhost(call: Call) -> Listed:
    return await listed(call, CHANNELS, *own(call))


@endpoint("GET", "/channels/{channel}", "A channel.", answer=objects.ChannelDetailed)
async def get_channel(call: Call) -> object:
    found = await only(call, CHANNELS, "channel")
    if "columns" not in call.query and found["node"] == call.node.name:
        consumers = await listed(_about_one(call, whole=True), CONSUMERS, equals("channel_pid", call.path["channel"]))
        found |= {"consumer_details": list(consumers.items), "deliveries": [], "publishes": []}
    return found


@endpoint("GET", "/consumers", "Consumers.", answer=objects.Consumer, lists=True)
async def get_consumers(call: Call) -> Listed:
    return await listed(call, CONSUMERS)


@endpoint("GET", "/consumers/{vhost}", "Consumers in a virtual host.", answer=objects.Consumer, lists=True)
async def get_consumers_of_vhost(call: Call) -> Listed:
    return await listed(call, CONSUMERS)


def _about_one(call: Call, *, whole: bool) -> Call:
    """The request without what is for lists.  whole: also without `columns`."""
    kept = {
        name: value
        for name, value in call.query.items()
        if name.endswith(("_age", "_incr")) or (name == "columns" and not whole)
    }
    return replace(call, query=kept, body=None)


def here(view: View) -> View:
    """The same of this node alone."""
    return replace(view, everywhere=False)


async def only(call: Call, view: View, what: str, *, whole: bool = False) -> dict[str, object]:
    """The one that has the name in the path; NotFound, also where it isn't the user's to see."""
    name = call.path[what]
    # Others are asked about what isn't here.
    views = [here(view), view] if view.everywhere and call.broker.cluster is not None else [view]
    for place in views:
        found = await listed(_about_one(call, whole=whole), place, *own(call), where=("name", name))
        for each in found.items:
            return dict(each)
    raise NotFound(f"no {what} has the name '{name}'")


def reason_of(call: Call) -> str:
    """What a client is told whose connection is closed."""
    given = call.headers.get("x-reason", "")
    if len(given) > REASON_CHARACTERS_MAX:
        raise bad_request(f"X-Reason is too long, at most {REASON_CHARACTERS_MAX} characters are taken")
    return given or DEFAULT_REASON
