"""Writing a broker's definitions as RabbitMQ does, so that either reads them.

Left out, as RabbitMQ leaves them out: what every virtual host starts with (`amq.*` exchanges), internal exchanges,
exclusive queues with their bindings, and global parameters whose names begin with `internal`.

The rows are made in slices, while the broker goes on (core.administration.steps).  Which objects they are of is noted
at the beginning, so that a document fits together: it names no binding of a queue that it doesn't have.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterator, Mapping
from itertools import chain
from typing import TYPE_CHECKING, Final

from warren.core.administration.definitions_json.field_values import table_to_json
from warren.core.administration.parameters import list_parameters
from warren.core.administration.steps import Steps
from warren.core.declaring.names import RESERVED_PREFIX
from warren.core.exchanges.base import Exchange
from warren.core.policies.policy import POLICY
from warren.core.queues.base import Queue
from warren.core.queues.registry import is_queue_type
from warren.core.routing.vhost_metadata import DEFAULT_QUEUE_TYPE, DESCRIPTION, PROTECTED, TAGS

if TYPE_CHECKING:
    from warren.core.access.accounts import User
    from warren.core.broker import Broker
    from warren.core.exchanges.binding import Binding
    from warren.core.routing.vhost import VirtualHost
    from warren.core.storage.definitions.store import JSON

INTERNAL_PREFIX: Final = "internal"
"""Global parameters that belong to one cluster, such as its identifier."""

CLUSTER_FORMAT: Final = "cluster"
VHOST_FORMAT: Final = "single_virtual_host"

Item = dict[str, "JSON"]

OBJECTS_PER_SLICE: Final = 500
"""Objects looked at in one slice: two to five microseconds each."""


def export_definitions(
    broker: Broker, *, product_name: str, product_version: str, rabbitmq_version: str
) -> Steps[dict[str, JSON]]:
    """The definitions of the whole broker.

    rabbitmq_version: the RabbitMQ whose format and behaviour this is, which readers choose defaults by.
    """
    vhosts = list(broker.vhosts.values())
    document: dict[str, JSON] = {
        **_header(product_name, product_version, rabbitmq_version),
        "rabbitmq_definition_format": CLUSTER_FORMAT,
    }
    sections: dict[str, Iterator[Item]] = {
        "users": map(_user, list(broker.users)),
        "vhosts": map(_vhost, vhosts),
        "permissions": _of_each(vhosts, lambda vhost: _permissions(broker, vhost.name)),
        "topic_permissions": _of_each(vhosts, lambda vhost: _topic_permissions(broker, vhost.name)),
        "parameters": _of_each(vhosts, lambda vhost: _parameters(broker, vhost)),
        "global_parameters": map(_global_parameter, list(broker.parameters.globals())),
        "policies": _of_each(vhosts, lambda vhost: _policies(broker, vhost)),
        "queues": _of_each(vhosts, _queues),
        "exchanges": _of_each(vhosts, _exchanges),
        "bindings": _of_each(vhosts, _bindings),
    }
    return Steps(_filled(document, sections, without=()))


def export_vhost(
    vhost: VirtualHost, *, product_name: str, product_version: str, rabbitmq_version: str
) -> Steps[dict[str, JSON]]:
    """The definitions of one virtual host, which don't name it, so that they can be imported into another."""
    broker = vhost.broker
    document: dict[str, JSON] = {
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
    return Steps(_filled(document, sections, without=("vhost",)))


def _of_each(vhosts: list[VirtualHost], rows: Callable[[VirtualHost], Iterator[Item]]) -> Iterator[Item]:
    """The rows of each virtual host, all of which have noted already what they are of."""
    return chain.from_iterable([rows(vhost) for vhost in vhosts])


def _filled(
    document: dict[str, JSON], sections: Mapping[str, Iterator[Item]], without: Collection[str]
) -> Generator[None, None, dict[str, JSON]]:
    """The document with its sections; left: what a slice may still look at."""
    left = OBJECTS_PER_SLICE
    for name, items in sections.items():
        found: list[Item] = []
        document[name] = found
        for item in items:
            if item:
                for key in without:
                    item.pop(key, None)
                found.append(item)
            left -= 1
            if not left:
                left = OBJECTS_PER_SLICE
                yield
    return document


def _header(product_name: str, product_version: str, rabbitmq_version: str) -> dict[str, JSON]:
    return {
        "rabbit_version": rabbitmq_version,
        "rabbitmq_version": rabbitmq_version,
        "product_name": product_name,
        "product_version": product_version,
    }


def _user(user: User) -> Item:
    return {
        "name": user.name,
        "password_hash": user.password_hash,
        "hashing_algorithm": user.hashing_algorithm,
        "tags": sorted(user.tags),
        "limits": dict(user.limits),
    }


def _global_parameter(parameter: tuple[str, JSON]) -> Item:
    name, value = parameter
    return {} if name.startswith(INTERNAL_PREFIX) else {"name": name, "value": value}


def _metadata(vhost: VirtualHost) -> Item:
    metadata: Item = {
        DESCRIPTION: str(vhost.metadata.get(DESCRIPTION, "")),
        TAGS: [str(tag) for tag in _tags(vhost)],
    }
    if vhost.metadata.get(DEFAULT_QUEUE_TYPE):
        metadata[DEFAULT_QUEUE_TYPE] = str(vhost.metadata[DEFAULT_QUEUE_TYPE])
    if vhost.metadata.get(PROTECTED):
        metadata[PROTECTED] = True
    return metadata


def _tags(vhost: VirtualHost) -> list[object]:
    tags = vhost.metadata.get(TAGS, ())
    return list(tags) if isinstance(tags, list | tuple) else []


def _vhost(vhost: VirtualHost) -> Item:
    metadata = _metadata(vhost)
    limits: Mapping[str, JSON] = dict(vhost.limits)
    return {"name": vhost.name, **metadata, "metadata": metadata, "tracing": vhost.tracing, "limits": limits}


def _permissions(broker: Broker, vhost: str) -> Iterator[Item]:
    found = broker.users.permissions_in(vhost)
    return ({"vhost": vhost, "user": user, **each._asdict()} for user, each in found)


def _topic_permissions(broker: Broker, vhost: str) -> Iterator[Item]:
    found = broker.users.topic_permissions_in(vhost)
    return ({"vhost": vhost, "user": user, "exchange": exchange, **each._asdict()} for user, exchange, each in found)


def _parameters(broker: Broker, vhost: VirtualHost) -> Iterator[Item]:
    return (dict(each._asdict()) for each in list_parameters(broker, vhost.name))


def _policies(broker: Broker, vhost: VirtualHost) -> Iterator[Item]:
    found = broker.policies.in_vhost(POLICY, vhost.name)
    return ({"vhost": vhost.name, "name": policy.name, **policy.value()} for policy in found)


def _queues(vhost: VirtualHost) -> Iterator[Item]:
    """Of each queue its row, nothing for one that is left out."""
    return (_queue(vhost, queue) if _is_declared(queue) else {} for queue in list(vhost.queues.values()))


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
    """The same of exchanges."""
    return (_exchange(vhost, exchange) for exchange in list(vhost.exchanges.values()))


def _exchange(vhost: VirtualHost, exchange: Exchange) -> Item:
    if not _is_exported(exchange):
        return {}
    return {
        "name": exchange.name,
        "vhost": vhost.name,
        "type": exchange.type_name,
        "durable": exchange.durable,
        "auto_delete": exchange.auto_delete,
        "internal": exchange.internal,
        "arguments": table_to_json(exchange.arguments),
    }


def _bindings(vhost: VirtualHost) -> Iterator[Item]:
    """The same of bindings."""
    found = [(exchange, list(exchange.bindings)) for exchange in vhost.exchanges.values()]
    return (_binding(vhost, exchange, binding) for exchange, bindings in found for binding in bindings)


def _binding(vhost: VirtualHost, exchange: Exchange, binding: Binding) -> Item:
    if not _is_known_elsewhere(exchange, binding):
        return {}
    return {
        "source": exchange.name,
        "vhost": vhost.name,
        "destination": binding.target.name,
        "destination_type": binding.target.kind,
        "routing_key": binding.routing_key,
        "arguments": table_to_json(binding.arguments),
    }


def _is_exported(exchange: Exchange) -> bool:
    return not exchange.internal and not exchange.name.startswith(RESERVED_PREFIX)


def _is_known_elsewhere(source: Exchange, binding: Binding) -> bool:
    """True when both ends are exported, or there in every virtual host."""
    if source.internal and not source.name.startswith(RESERVED_PREFIX):
        return False
    target = binding.target
    if isinstance(target, Queue):
        return _is_declared(target)
    return isinstance(target, Exchange) and (not target.internal or target.name.startswith(RESERVED_PREFIX))
