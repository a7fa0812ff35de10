"""The node that a configuration makes of a broker."""

from __future__ import annotations

import logging
import resource
from functools import partial
from typing import TYPE_CHECKING

from warren.adapters.amqp091.settings import Amqp091Settings
from warren.adapters.mqtt.sessions.place import world_of
from warren.core.access.defaults import seed_defaults
from warren.core.access.permissions import Permission
from warren.core.storage.recovery import add_vhost
from warren.gateway.cluster.definitions import SharedDefinitions
from warren.gateway.cluster.errors import ClusterRefusedError
from warren.gateway.cluster.links import ClusterLinks, read_secret
from warren.gateway.cluster.node import ClusterNode
from warren.gateway.cluster.retained import RetainedExchange
from warren.gateway.cluster.settings import ClusterSettings, LinkSettings
from warren.gateway.process.settings import FirstStartSettings, ProcessSettings

if TYPE_CHECKING:
    from collections.abc import Callable

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
    link_settings = config.section(LinkSettings)
    make_links = None
    if link_settings.secret_file is None:
        _log.warning(
            "queues of other nodes can't be reached from here, nor this node's from there: that needs "
            "cluster_secret_file, a file with the secret that all nodes share"
        )
    else:
        make_links = partial(_links, config, read_secret(link_settings.secret_file))
    settings = config.section(ClusterSettings)
    node = ClusterNode(settings, process.data_directory, broker, make_links)
    node.definitions = SharedDefinitions(node.name, imports=settings.imports, replicas=settings.replicas)
    node.definitions.agreements.elsewhere = node.home_elsewhere
    broker.components["cluster"] = node.definitions.component(broker)
    broker.cluster = node
    node.retained = RetainedExchange(world_of(broker).share(), settings.replicas)
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


def share_definitions(config: Config, node: ClusterNode, load_definitions: Callable[[], None]) -> None:
    """The broker is recovered, without defaults: its definitions are its cluster's from now on.

    load_definitions: imports what the configuration names, with which the first node of a new cluster starts.
    """
    first = config.section(FirstStartSettings)
    broker = node.broker

    def seed() -> None:
        if first.load_definitions is not None:
            load_definitions()
            return
        add_vhost(broker, first.default_vhost)
        permissions = Permission(
            first.default_permissions_configure, first.default_permissions_write, first.default_permissions_read
        )
        seed_defaults(
            broker.definitions,
            broker.users,
            first.default_user,
            first.default_password,
            first.default_vhost,
            tags=first.default_user_tags,
            permissions=permissions,
        )

    node.definitions.begin(broker, seed)
