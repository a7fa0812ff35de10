"""A node that has left for good: what it had by itself is nobody's, and goes, so that its names are free again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import trio

from warren.core.cluster.agreements import Agreement, Change, State
from warren.core.cluster.definitions.items import QUEUE
from warren.core.cluster.definitions.rows import NODE
from warren.core.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from warren.gateway.cluster.node import ClusterNode

AT_ONCE: Final = 500
"""Queues that are deleted by one agreement: well within the time that one may take."""


async def forget(node: ClusterNode, name: str) -> int:
    """Delete the durable queues that the node `name` has by itself, with their bindings; how many they were.

    Raises StorageError where that node is there, or the cluster can't agree just now; what was deleted by then is gone,
    and doing it again does the rest.
    """
    if name == node.name or name in node.nodes:
        raise StorageError(f"node '{name}' is in the cluster: stop it first, if it is to leave for good")
    count = 0
    while changes := _queues_at(node, name)[:AT_ONCE]:
        await _agree(node, changes)
        count += len(changes)
    return count


def _queues_at(node: ClusterNode, name: str) -> list[Change]:
    table = node.definitions.replica.table
    items = (table.item(key) for key in table if table.counts(key))
    return [
        Change(QUEUE, item.vhost, item.name, None)
        for item in items
        if item is not None and item.kind == QUEUE and item.row.get(NODE) == name
    ]


async def _agree(node: ClusterNode, changes: Sequence[Change]) -> None:
    agreements = node.definitions.agreements
    hub = node.hub
    hub.note_time()
    agreement = Agreement(agreements, ("forget", object()), changes, hub.broker.now_ms)
    answered = trio.Event()
    agreement.waiting.append(answered.set)
    agreements.propose(agreement)
    hub.request_turn()
    await answered.wait()
    # Where somebody was quicker with one of them, who asked looks again at what there is.
    if agreement.state is State.FAILED:
        raise StorageError(str(agreement.error))
