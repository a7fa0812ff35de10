"""The node that a configuration makes of a broker."""

from __future__ import annotations

import logging
import resource
from functools import partial
from typing import TYPE_CHECKING

from warren.adapters.amqp091.settings import Amqp091Settings
from warren.gateway.cluster.errors import ClusterRefusedError
from warren.gateway.cluster.links import ClusterLinks, read_secret
from warren.gateway.cluster.node import ClusterNode
from warren.gateway.cluster.settings import ClusterSettings, LinkSettings
from warren.gateway.process.settings import ProcessSettings

if TYPE_CHECKING:
    from warren.core.broker import Broker
    from warren.gateway.configuration.config import Config
    from warren.gateway.network.hub import Hub

_log = logging.getLogger("warren.cluster")


def joined_to(config: Config, broker: Broker) -> ClusterNode:
    """The broker's node, which is its `cluster` from now on.  Raises StorageError."""
    process = config.section(ProcessSettings)
    if process.in_memory or process.data_directory is None:
        raise ClusterRefusedError(
            "a node of a cluster keeps its shards' logs: it needs a data directory, not --in-memory"
        )
    settings = config.section(LinkSettings)
    make_links = None
    if settings.secret_file is None:
        _log.warning(
            "queues of other nodes can't be reached from here, nor this node's from there: that needs "
            "cluster_secret_file, a file with the secret that all nodes share"
        )
    else:
        make_links = partial(_links, config, read_secret(settings.secret_file))
    node = ClusterNode(config.section(ClusterSettings), process.data_directory, broker, make_links)
    broker.cluster = node
    return node


def _links(config: Config, secret: bytes, node: ClusterNode, hub: Hub) -> ClusterLinks:
    settings = config.section(LinkSettings)
    contexts = None
    if settings.tls:
        from warren.gateway.tls.contexts import TlsContexts
        from warren.gateway.tls.settings import TlsSettings

        contexts = TlsContexts(config.section(TlsSettings), hub.broker.now_ms)

    def address_of(name: str) -> str | None:
        found = node.nodes.get(name)
        return found.link if found is not None else None

    links = ClusterLinks(hub, node.name, secret, settings, config.section(Amqp091Settings), address_of, contexts)
    links.listen(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    return links
