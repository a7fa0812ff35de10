"""Who answers: what identifies the broker in every page, and what the process says of itself."""

from __future__ import annotations

import platform
import secrets
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import prometheus_client
import trio
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector

from warren.core.administration import operations
from warren.core.errors import BrokerError
from warren.gateway.plugin import when_known

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prometheus_client.metrics_core import Metric

    from warren.gateway.plugin import Context

CLUSTER_ID: Final = "internal_cluster_id"
"""The global parameter that RabbitMQ keeps it in; nobody exports it."""

PRODUCT: Final = "Warren"

IDENTITY_S: Final = 2.0
"""How long a page waits for the nodes of a cluster to agree on it."""


class Node:
    """What all pages are made from."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.broker = context.broker
        self._process = CollectorRegistry()
        ProcessCollector(registry=self._process)
        PlatformCollector(registry=self._process)
        GCCollector(registry=self._process)
        self._identity = ""
        self._library_version = library_version()

    def process_metrics(self) -> Iterable[Metric]:
        """`process_…` and `python_…`, as every program of prometheus_client has them."""
        return self._process.collect()

    def identity(self, endpoint: str) -> dict[str, str]:
        """The labels of `rabbitmq_identity_info`, which dashboards join everything with."""
        facts, cluster = self.context.facts, self.broker.cluster
        return {
            "rabbitmq_node": facts.node_name if cluster is None else cluster.name,
            "rabbitmq_cluster": operations.overview.cluster_name(self.broker) or facts.cluster_name,
            "rabbitmq_cluster_permanent_id": self._identity,
            "rabbitmq_endpoint": endpoint,
        }

    def build(self) -> dict[str, str]:
        """The labels of `rabbitmq_build_info`."""
        return {
            "rabbitmq_version": self.context.options.text("product_version"),
            "prometheus_client_version": self._library_version,
            "python_version": platform.python_version(),
            "product_name": PRODUCT,
            "product_version": self.context.facts.version,
        }

    async def know_identity(self) -> None:
        """Have what stays the same whatever the broker is called: made once, and kept with the definitions.

        The nodes of a cluster agree on it; while they can't, pages are without it.
        """
        if self._identity:
            return
        made = f"rabbitmq-cluster-id-{secrets.token_urlsafe(16)}"
        with trio.move_on_after(IDENTITY_S):
            try:
                self._identity = await when_known(partial(self._known_or, made))
            except BrokerError as error:
                self._identity = made
                self.context.log.warning(
                    "the cluster's identity can't be kept, and is another one next time: %s", error
                )
            else:
                self.context.changed()

    async def _known_or(self, made: str) -> str:
        """What is kept; where nothing is, this is from now on.  Raises Unanswered in a cluster, and BrokerError."""
        await trio.lowlevel.checkpoint()
        found = self.broker.parameters.get_global(CLUSTER_ID)
        if isinstance(found, str) and found:
            return found
        self.broker.parameters.set_global(CLUSTER_ID, made)
        return made


def library_version() -> str:
    """Which prometheus_client this is, by the name of the folder that its installation keeps beside it.

    importlib.metadata would say the same, and take more memory than all that this plugin has of its own.
    """
    beside = Path(prometheus_client.__file__).parent.parent
    found = sorted(beside.glob("prometheus_client-*.dist-info"))
    return found[-1].stem.partition("-")[2] if found else "unknown"
