"""A cluster's queues at a start, by this node's own definitions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.core.cluster.unowned import UnownedQueue

if TYPE_CHECKING:
    from collections.abc import Mapping

    from warren.core.messages.field_table import FieldValue
    from warren.core.queues.base import Queue
    from warren.core.routing.vhost import VirtualHost
    from warren.core.storage.definitions.store import JSON


def stand_in(
    vhost: VirtualHost, name: str, value: Mapping[str, JSON], arguments: Mapping[str, FieldValue], raw: bytes
) -> Queue:
    """What stands for such a queue, by its row: in a broker that is started without its cluster, one that waits."""
    auto_delete, number = bool(value["auto_delete"]), int(str(value["id"]))
    cluster = vhost.broker.cluster
    if cluster is not None:
        return cluster.queue(
            vhost, name, auto_delete=auto_delete, arguments=arguments, arguments_raw=raw, store_id=number
        )
    return UnownedQueue(
        vhost, name, durable=True, auto_delete=auto_delete, arguments=arguments, arguments_raw=raw, store_id=number
    )
