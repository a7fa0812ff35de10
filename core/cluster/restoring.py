"""A cluster's queues at a start, by this node's own definitions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.core.cluster.away import away_queue
from warren.core.cluster.unowned import unowned_queue
from warren.core.declaring.queues import HOME

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
    auto_delete, number, home = bool(value["auto_delete"]), int(str(value["id"])), str(value.get(HOME, ""))
    cluster = vhost.broker.cluster
    queue: Queue
    if home and cluster is not None:
        queue = cluster.queue_at(vhost, name, home, arguments=arguments, arguments_raw=raw, store_id=number)
    elif home:
        queue = away_queue(vhost, name, home, arguments=arguments, arguments_raw=raw, store_id=number)
    elif cluster is not None:
        queue = cluster.queue(
            vhost, name, auto_delete=auto_delete, arguments=arguments, arguments_raw=raw, store_id=number
        )
    else:
        queue = unowned_queue(
            vhost, name, auto_delete=auto_delete, arguments=arguments, arguments_raw=raw, store_id=number
        )
    queue.user, queue.user_id = str(value.get("user", "")), str(value.get("user_id", ""))
    return queue
