"""The node that a configuration makes of a broker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.gateway.cluster.errors import ClusterRefusedError
from warren.gateway.cluster.node import ClusterNode
from warren.gateway.cluster.settings import ClusterSettings
from warren.gateway.process.settings import ProcessSettings

if TYPE_CHECKING:
    from warren.core.broker import Broker
    from warren.gateway.configuration.config import Config


def joined_to(config: Config, broker: Broker) -> ClusterNode:
    """The broker's node, which is its `cluster` from now on.  Raises StorageError."""
    process = config.section(ProcessSettings)
    if process.in_memory or process.data_directory is None:
        raise ClusterRefusedError(
            "a node of a cluster keeps its shards' logs: it needs a data directory, not --in-memory"
        )
    node = ClusterNode(config.section(ClusterSettings), process.data_directory, broker)
    broker.cluster = node
    return node
