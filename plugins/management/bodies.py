"""Bodies of requests.  What a type says is also what the OpenAPI document says.

Numbers and booleans may come as strings, as old clients write them (spec F.1); unknown names are ignored, as RabbitMQ
ignores them, since clients send what they have read.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from warren.plugins.management.errors import bad_request

Table = dict[str, Any]
"""Arguments as JSON writes them."""

TableOrNothing = Table | list[Any]
"""What some languages write for an empty table is an empty array."""

VALUES_MAX: Final = 1000
"""In a table, those of tables and lists within it included.  Each takes some ten microseconds to be turned into what
AMQP has; in AMQP, a table fits into a frame."""


def check_table(name: str, table: TableOrNothing) -> Table:
    """The table; ApiError for one with too many values, and for an array that isn't empty."""
    if isinstance(table, list):
        if table:
            raise bad_request(f"{name} must be an object, not an array")
        return {}
    count = 0
    waiting: list[Any] = [table]
    while waiting:
        found = waiting.pop()
        if isinstance(found, dict | list):
            count += len(found)
            if count > VALUES_MAX:
                raise bad_request(f"{name} has more than {VALUES_MAX} values")
            waiting += found.values() if isinstance(found, dict) else found
    return table


class Body(msgspec.Struct, rename=lambda name: name.replace("__", "-"), kw_only=True):
    """The base of all; two underscores stand for a dash."""


class QueueBody(Body):
    """durable: false where it isn't said, as in RabbitMQ."""

    durable: bool = False
    auto_delete: bool = False
    arguments: TableOrNothing = {}


class SuperStreamBody(Body):
    """partitions: how many; binding_keys: or one for each of these, with commas between.  arguments: of each."""

    partitions: int | None = None
    binding__keys: str | None = None
    arguments: TableOrNothing = {}


class ExchangeBody(Body):
    """durable: as of a queue."""

    type: str = "direct"
    durable: bool = False
    auto_delete: bool = False
    internal: bool = False
    arguments: TableOrNothing = {}


class BindingBody(Body):
    routing_key: str = ""
    arguments: TableOrNothing = {}


class VhostBody(Body):
    description: str | None = None
    tags: str | list[str] | None = None
    default_queue_type: str | None = None
    tracing: bool | None = None
    protected_from_deletion: bool | None = None


class UserBody(Body):
    tags: str | list[str] | None = None
    password: str | None = None
    password_hash: str | None = None
    hashing_algorithm: str | None = None


class LoginBody(Body):
    username: str
    password: str


class ReplicaBody(Body):
    """membership: what a new replica is to be; of RabbitMQ's names."""

    node: str
    membership: str = "promotable"


class GrowBody(Body):
    """Which queues are to get a replica; strategy: `all` of them, or those with an `even` number."""

    vhost_pattern: str
    queue_pattern: str
    strategy: str
    membership: str = "promotable"


class UsersBody(Body):
    users: list[str]


class PermissionsBody(Body):
    configure: str
    write: str
    read: str


class TopicPermissionsBody(Body):
    exchange: str
    write: str
    read: str


class PolicyBody(Body):
    pattern: str
    definition: Table
    priority: int = 0
    apply__to: str = "all"


class ValueBody(Body):
    value: Any


class LimitBody(Body):
    value: int


class ActionBody(Body):
    action: str


class NameBody(Body):
    name: str


class PublishBody(Body):
    routing_key: str
    payload: str
    payload_encoding: str
    properties: TableOrNothing = {}


class GetBody(Body):
    count: int
    encoding: str
    ackmode: str | None = None
    requeue: bool | None = None
    truncate: int | None = None


class ExplainBody(Body):
    """What would be published; mqtt_topic stands for exchange and routing_key.  user: whose permissions count, nobody's
    where it is missing."""

    exchange: str = ""
    routing_key: str = ""
    properties: TableOrNothing = {}
    payload_bytes: int = 0
    user: str | None = None
    mqtt_topic: str | None = None


class MoveBody(Body):
    """Where to: destination_queue, or exchange, with routing_key or without (each message keeps its own then).  count:
    at most so many, all that are ready now where it is missing."""

    destination_queue: str | None = None
    exchange: str | None = None
    routing_key: str | None = None
    count: int | None = None


class RetainedBody(Body):
    """payload_encoding: string or base64."""

    payload: str
    payload_encoding: str = "string"
    qos: int = 0
