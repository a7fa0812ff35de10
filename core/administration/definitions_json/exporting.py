"""Writing a broker's definitions as RabbitMQ does, so that either reads them.

Left out, as RabbitMQ leaves them out: what every virtual host starts with (`amq.*` exchanges), internal exchanges,
exclusive queues with their bindings, and global parameters whose names begin with `internal`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from warren.core.administration.definitions_json.field_values import table_to_json
from warren.core.administration.parameters import list_parameters
from warren.core.declaring.names import RESERVED_PREFIX
from warren.core.policies.policy import POLICY
from warren.core.queues.registry import is_queue_type
from warren.core.routing.vhost_metadata import DEFAULT_QUEUE_TYPE, DESCRIPTION, TAGS

if TYPE_CHECKING:
    from warren.core.broker import Broker
    from warren.core.exchanges.base import Exchange
    from warren.core.exchanges.binding import Binding
    from warren.core.queues.base import Queue
    from warren.core.routing.vhost import VirtualHost
    from warren.core.storage.definitions.store import JSON

INTERNAL_PREFIX: Final = "internal"
"""Global parameters that belong to one cluster, such as its identifier."""

CLUSTER_FORMAT: Final = "cluster"
VHOST_FORMAT: Final = "single_virtual_host"

Item = dict[str, "JSON"]


def export_definitions(
    broker: Broker, *, product_name: str, product_version: str, rabbitmq_version: str
) -> dict[str, JSON]:
    """The definitions of the whole broker.

    rabbitmq_version: the RabbitMQ whose format and behaviour this is, which readers choose defaults by.
    """
    vhosts = list(broker.vhosts.values())
    return {
        **_header(product_name, product_version, rabbitmq_version),
        "rabbitmq_definition_format": CLUSTER_FORMAT,
        "users": _users(broker),
        "vhosts": [_vhost(vhost) for vhost in vhosts],
        "permissions": [row for vhost in vhosts for row in _permissions(broker, vhost.name)],
        "topic_permissions": [row for vhost in vhosts for row in _topic_permissions(broker, vhost.name)],
        "parameters": [row for vhost in vhosts for row in _parameters(broker, vhost)],
        "global_parameters": [
            {"name": name, "value": value}
            for name, value in broker.parameters.globals()
            if not name.startswith(INTERNAL_PREFIX)
        ],
        "policies": [row for vhost in vhosts for row in _policies(broker, vhost)],
        "queues": [row for vhost in vhosts for row in _queues(vhost)],
        "exchanges": [row for vhost in vhosts for row in _exchanges(vhost)],
        "bindings": [row for vhost in vhosts for row in _bindings(vhost)],
    }


def export_vhost(
    vhost: VirtualHost, *, product_name: str, product_version: str, rabbitmq_version: str
) -> dict[str, JSON]:
    """The definitions of one virtual host, which don't name it, so that they can be imported into another."""
    broker = vhost.broker
    found: dict[str, JSON] = {
        **_header(product_name, product_version, rabbitmq_version),
        "rabbitmq_definition_format": VHOST_FORMAT,
        "original_vhost_name": vhost.name,
        "explanation": f"Definitions of virtual host '{vhost.name}'",
        "metadata": _metadata(vhost),
    }
    sections = {
        "parameters": _parameters(broker, vhost),
        "policies": _policies(broker, vhost),
        "queues": _queues(vhost),
        "exchanges": _exchanges(vhost),
        "bindings": _bindings(vhost),
    }
    for name, rows in sections.items():
        found[name] = [{key: value for key, value in row.items() if key != "vhost"} for row in rows]
    return found


def _header(product_name: str, product_version: str, rabbitmq_version: str) -> dict[str, JSON]:
    return {
        "rabbit_version": rabbitmq_version,
        "rabbitmq_version": rabbitmq_version,
        "product_name": product_name,
        "product_version": product_version,
    }


def _users(broker: Broker) -> list[JSON]:
    return [
        {
            "name": user.name,
            "password_hash": user.password_hash,
            "hashing_algorithm": user.hashing_algorithm,
            "tags": sorted(user.tags),
            "limits": dict(user.limits),
        }
        for user in broker.users
    ]


def _metadata(vhost: VirtualHost) -> Item:
    metadata: Item = {
        DESCRIPTION: str(vhost.metadata.get(DESCRIPTION, "")),
        TAGS: [str(tag) for tag in _tags(vhost)],
    }
    if vhost.metadata.get(DEFAULT_QUEUE_TYPE):
        metadata[DEFAULT_QUEUE_TYPE] = str(vhost.metadata[DEFAULT_QUEUE_TYPE])
    return metadata


def _tags(vhost: VirtualHost) -> list[object]:
    tags = vhost.metadata.get(TAGS, ())
    return list(tags) if isinstance(tags, list | tuple) else []


def _vhost(vhost: VirtualHost) -> Item:
    metadata = _metadata(vhost)
    limits: Mapping[str, JSON] = dict(vhost.limits)
    return {"name": vhost.name, **metadata, "metadata": metadata, "tracing": vhost.tracing, "limits": limits}


def _permissions(broker: Broker, vhost: str) -> Iterator[Item]:
    for user, found in broker.users.permissions_in(vhost):
        yield {"vhost": vhost, "user": user, **found._asdict()}


def _topic_permissions(broker: Broker, vhost: str) -> Iterator[Item]:
    for user, exchange, found in broker.users.topic_permissions_in(vhost):
        yield {"vhost": vhost, "user": user, "exchange": exchange, **found._asdict()}


def _parameters(broker: Broker, vhost: VirtualHost) -> Iterator[Item]:
    for found in list_parameters(broker, vhost.name):
        yield dict(found._asdict())


def _policies(broker: Broker, vhost: VirtualHost) -> Iterator[Item]:
    for policy in broker.policies.in_vhost(POLICY, vhost.name):
        yield {"vhost": vhost.name, "name": policy.name, **policy.value()}


def _queues(vhost: VirtualHost) -> Iterator[Item]:
    for queue in vhost.queues.values():
        if _is_declared(queue):
            yield _queue(vhost, queue)


def _queue(vhost: VirtualHost, queue: Queue) -> Item:
    return {
        "name": queue.name,
        "vhost": vhost.name,
        "type": queue.type_name,
        "durable": queue.durable,
        "auto_delete": queue.auto_delete,
        "arguments": table_to_json(queue.arguments),
    }


def _is_declared(queue: Queue) -> bool:
    """True for a queue that a client could declare again; a connection's own, and an MQTT session's, aren't."""
    return not queue.exclusive and is_queue_type(queue.type_name)


def _exchanges(vhost: VirtualHost) -> Iterator[Item]:
    for exchange in vhost.exchanges.values():
        if _is_exported(exchange):
            yield {
                "name": exchange.name,
                "vhost": vhost.name,
                "type": exchange.type_name,
                "durable": exchange.durable,
                "auto_delete": exchange.auto_delete,
                "internal": exchange.internal,
                "arguments": table_to_json(exchange.arguments),
            }


def _bindings(vhost: VirtualHost) -> Iterator[Item]:
    for exchange in vhost.exchanges.values():
        for binding in exchange.bindings:
            if _is_known_elsewhere(vhost, exchange, binding):
                yield {
                    "source": exchange.name,
                    "vhost": vhost.name,
                    "destination": binding.target.name,
                    "destination_type": binding.target.kind,
                    "routing_key": binding.routing_key,
                    "arguments": table_to_json(binding.arguments),
                }


def _is_exported(exchange: Exchange) -> bool:
    return not exchange.internal and not exchange.name.startswith(RESERVED_PREFIX)


def _is_known_elsewhere(vhost: VirtualHost, source: Exchange, binding: Binding) -> bool:
    """True when both ends are exported, or there in every virtual host."""
    if source.internal and not source.name.startswith(RESERVED_PREFIX):
        return False
    name = binding.target.name
    if binding.target.kind == "queue":
        return name in vhost.queues and _is_declared(vhost.queues[name])
    target = vhost.exchanges.get(name)
    return target is not None and (not target.internal or name.startswith(RESERVED_PREFIX))
