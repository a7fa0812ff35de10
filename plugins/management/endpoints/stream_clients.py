"""Connections, publishers and consumers of the stream protocol, as RabbitMQ's plugin for their management has them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from warren.core.administration import operations
from warren.core.administration.listing.selecting import equals
from warren.core.declaring.actor import Administrator
from warren.core.declaring.super_streams import PARTITIONS_MAX
from warren.gateway.plugin import in_turns
from warren.plugins.management import objects, stream_objects
from warren.plugins.management.access import Needs, check_tags
from warren.plugins.management.bodies import SuperStreamBody, check_table
from warren.plugins.management.endpoint import Call, Created, Listed, endpoint
from warren.plugins.management.endpoints.connections import CONNECTIONS, only, own, reason_of
from warren.plugins.management.errors import bad_request
from warren.plugins.management.views import Field, View, fields, listed

if TYPE_CHECKING:
    from warren.plugins.management.views import Cells, Look


def _connection_details(cells: Cells, look: Look) -> object:
    return {**cast("dict[str, object]", cells["connection_details"]), "node": look.node.name}


CONNECTION_DETAILS: Final = Field(("connection_details",), _connection_details)

STREAM_CONNECTIONS: Final = View("stream_connections", CONNECTIONS.fields, CONNECTIONS.sampled)

STREAM_CONSUMERS: Final = View(
    "stream_consumers",
    {
        "connection_details": CONNECTION_DETAILS,
        **fields("queue", "subscription_id", "messages_consumed", "offset", "offset_lag", "credits"),
        **fields("active", "activity_status", "properties"),
    },
)

STREAM_PUBLISHERS: Final = View(
    "stream_publishers",
    {
        "connection_details": CONNECTION_DETAILS,
        **fields("queue", "publisher_id", "reference"),
        **fields("messages_published", "messages_confirmed", "messages_errored"),
    },
)

CONNECTION: Final = "/stream/connections/{vhost}/{connection}"


@endpoint("GET", "/stream/connections", "Stream connections.", answer=objects.Connection, lists=True)
async def get_stream_connections(call: Call) -> Listed:
    return await listed(call, STREAM_CONNECTIONS, *own(call))


@endpoint(
    "GET",
    "/stream/connections/{vhost}",
    "Stream connections to a virtual host.",
    answer=objects.Connection,
    lists=True,
)
async def get_stream_connections_of_vhost(call: Call) -> Listed:
    return await listed(call, STREAM_CONNECTIONS, *own(call))


@endpoint("GET", CONNECTION, "A stream connection.", answer=objects.Connection)
async def get_stream_connection(call: Call) -> object:
    return await only(call, STREAM_CONNECTIONS, "connection")


@endpoint("DELETE", CONNECTION, "Close a stream connection; a reason in X-Reason.")
async def delete_stream_connection(call: Call) -> None:
    found = await only(call, STREAM_CONNECTIONS, "connection", whole=True)
    if found["user"] != call.user.name:
        check_tags(call.user, Needs.ADMINISTRATOR)
    operations.connections.close(call.broker, call.path["connection"], reason_of(call))
    call.context.changed()


@endpoint(
    "GET",
    f"{CONNECTION}/consumers",
    "Consumers of a stream connection.",
    answer=stream_objects.StreamConsumer,
    lists=True,
)
async def get_consumers_of_stream_connection(call: Call) -> Listed:
    await only(call, STREAM_CONNECTIONS, "connection")
    return await listed(call, STREAM_CONSUMERS, *own(call), equals("connection_pid", call.path["connection"]))


@endpoint(
    "GET",
    f"{CONNECTION}/publishers",
    "Publishers of a stream connection.",
    answer=stream_objects.StreamPublisher,
    lists=True,
)
async def get_publishers_of_stream_connection(call: Call) -> Listed:
    await only(call, STREAM_CONNECTIONS, "connection")
    return await listed(call, STREAM_PUBLISHERS, *own(call), equals("connection_pid", call.path["connection"]))


@endpoint("GET", "/stream/consumers", "Consumers of streams.", answer=stream_objects.StreamConsumer, lists=True)
async def get_stream_consumers(call: Call) -> Listed:
    return await listed(call, STREAM_CONSUMERS, *own(call))


@endpoint(
    "GET",
    "/stream/consumers/{vhost}",
    "Consumers of streams in a virtual host.",
    answer=stream_objects.StreamConsumer,
    lists=True,
)
async def get_stream_consumers_of_vhost(call: Call) -> Listed:
    return await listed(call, STREAM_CONSUMERS, *own(call))


@endpoint("GET", "/stream/publishers", "Publishers to streams.", answer=stream_objects.StreamPublisher, lists=True)
async def get_stream_publishers(call: Call) -> Listed:
    return await listed(call, STREAM_PUBLISHERS, *own(call))


@endpoint(
    "GET",
    "/stream/publishers/{vhost}",
    "Publishers to streams in a virtual host.",
    answer=stream_objects.StreamPublisher,
    lists=True,
)
async def get_stream_publishers_of_vhost(call: Call) -> Listed:
    return await listed(call, STREAM_PUBLISHERS, *own(call))


@endpoint(
    "GET",
    "/stream/publishers/{vhost}/{queue}",
    "Publishers to a stream.",
    answer=stream_objects.StreamPublisher,
    lists=True,
)
async def get_publishers_of_stream(call: Call) -> Listed:
    operations.queues.existing(call.broker, call.vhost, call.path["queue"])
    return await listed(call, STREAM_PUBLISHERS, *own(call), equals("stream", call.path["queue"]))


@endpoint(
    "GET",
    "/stream/{vhost}/{queue}/tracking",
    "What a stream keeps of readers and publishers; ?type=offset or writer for one of both.",
    answer=stream_objects.StreamTracking,
)
async def get_tracking(call: Call) -> object:
    Administrator(operations.vhosts.existing(call.broker, call.vhost), call.user).check(
        "queue", call.path["queue"], "read"
    )
    found = operations.streams.tracking(call.broker, call.vhost, call.path["queue"])
    kinds = {"offset": "offsets", "writer": "writers"}
    wanted = call.query.get("type", "")
    return {
        name: {each.reference: each.value for each in found if each.kind == kind}
        for kind, name in kinds.items()
        if wanted not in kinds or wanted == kind
    }


@endpoint(
    "PUT",
    "/stream/super-streams/{vhost}/{stream}",
    "Make a super stream, of a number of partitions or by their binding keys.",
    body=SuperStreamBody,
)
async def put_super_stream(call: Call) -> Created:
    body: SuperStreamBody = call.body
    name = call.path["stream"]
    if body.partitions is not None and body.binding__keys is None:
        if not 1 <= body.partitions <= PARTITIONS_MAX:
            raise bad_request(f"a super stream has 1 to {PARTITIONS_MAX} partitions")
        names, keys = operations.super_streams.numbered(name, body.partitions)
    elif body.partitions is None and body.binding__keys is not None:
        given = [key.strip() for key in body.binding__keys.split(",")]
        names, keys = operations.super_streams.by_keys(name, [key for key in given if key])
    else:
        raise bad_request("one of partitions and binding-keys is needed, and not both")
    arguments = check_table("arguments", body.arguments)
    steps = operations.super_streams.create(call.broker, call.vhost, name, names, keys, arguments, user=call.user)
    await in_turns(steps)
    call.context.changed()
    return Created()
