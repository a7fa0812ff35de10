"""Operations on bindings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from warren.core.administration.definitions_json.field_values import table_from_json
from warren.core.administration.operations import vhosts
from warren.core.declaring import bindings
from warren.core.declaring.actor import Administrator
from warren.core.declaring.exchanges import remove_emptied
from warren.core.declaring.names import check_routing_key
from warren.core.errors import NotFound
from warren.core.exchanges.binding import Binding, Destination, DestinationKind
from warren.core.messages.field_table import encode_table

if TYPE_CHECKING:
    from warren.core.access.accounts import User
    from warren.core.broker import Broker
    from warren.core.routing.vhost import VirtualHost
    from warren.core.storage.definitions.store import JSON

NO_ARGUMENTS: Final[Mapping[str, JSON]] = {}


def between(broker: Broker, vhost: str, source: str, kind: DestinationKind, destination: str) -> list[Binding]:
    """The bindings that lead from an exchange to a queue or exchange; NotFound when an end isn't there."""
    found = vhosts.existing(broker, vhost)
    return list(found.exchange(source).bindings_to(_target(found, kind, destination)))


def add(
    broker: Broker,
    vhost: str,
    source: str,
    kind: DestinationKind,
    destination: str,
    routing_key: str = "",
    arguments: Mapping[str, JSON] = NO_ARGUMENTS,
    *,
    user: User | str | None = None,
) -> Binding:
    """Route messages of an exchange to a queue or exchange; the binding, which may have been there already.

    arguments: as JSON has them.  user: whose permissions count, None for the broker's owner.  Raises NotFound, and what
    `core.declaring.bindings.bind` raises.
    """
    found = vhosts.existing(broker, vhost)
    check_routing_key(routing_key)
    table = table_from_json(arguments)
    raw = encode_table(table)
    bindings.bind(Administrator(found, user), kind, destination, source, routing_key, table, raw)
    wanted = Binding(source, _target(found, kind, destination), routing_key, table, raw)
    return found.exchange(source).get(wanted.key) or wanted


def remove(
    broker: Broker,
    vhost: str,
    source: str,
    kind: DestinationKind,
    destination: str,
    properties_key: str,
    *,
    user: User | str | None = None,
) -> None:
    """Take away the binding that `properties_key` tells from others between the same ends.

    user: as in `add`.  Raises NotFound, AccessRefused.
    """
    found = vhosts.existing(broker, vhost)
    for binding in between(broker, vhost, source, kind, destination):
        if binding.properties_key == properties_key:
            actor = Administrator(found, user)
            emptied = bindings.unbind(actor, kind, destination, source, binding.routing_key, binding.arguments)
            remove_emptied(found, emptied)
            return
    if broker.agreements is not None:
        ends = [source, kind, destination]
        if any(json.loads(name)[:3] == ends for name in broker.agreements.removed("binding", vhost)):
            return
    raise NotFound(
        f"no binding '{properties_key}' from exchange '{source}' to {kind} '{destination}' in vhost '{vhost}'"
    )


def _target(vhost: VirtualHost, kind: DestinationKind, name: str) -> Destination:
    return vhost.queue(name) if kind == "queue" else vhost.exchange(name)
