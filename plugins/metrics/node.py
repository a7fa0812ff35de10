"""Who answers: what identifies the broker in every page, and what the process says of itself."""

from __future__ import annotations

import platform
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Final

import prometheus_client
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector

from warren.core.administration import operations
from warren.core.errors import BrokerError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prometheus_client.metrics_core import Metric

    from warren.gateway.plugin import Context

CLUSTER_ID: Final = "internal_cluster_id"
"""The global parameter that RabbitMQ keeps it in; nobody exports it."""

PRODUCT: Final = "Warren"


class Node:
    """What all pages are made from."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.broker = context.broker
        self._process = CollectorRegistry()
        ProcessCollector(registry=self._process)
        PlatformCollector(registry=self._process)
        GCCollector(registry=self._process)
        self._identity = self._permanent_id()
        self._library_version = library_version()

    def process_metrics(self) -> Iterable[Metric]:
        """`process_…` and `python_…`, as every program of prometheus_client has them."""
        return self._process.collect()

    def identity(self, endpoint: str) -> dict[str, str]:
        """The labels of `rabbitmq_identity_info`, which dashboards join everything with."""
        facts = self.context.facts
        return {
            "rabbitmq_node": facts.node_name,
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

    def _permanent_id(self) -> str:
        """What stays the same whatever the broker is called: made once, and kept with the definitions."""
        found = self.broker.parameters.get_global(CLUSTER_ID)
        if isinstance(found, str) and found:
            return found
        made = f"rabbitmq-cluster-id-{secrets.token_urlsafe(16)}"
        try:
            self.broker.parameters.set_global(CLUSTER_ID, made)
        except BrokerError as error:
            self.context.log.warning("the cluster's identity can't be kept, and is another one next time: %s", error)
        else:
            self.context.changed()
        return made


def library_version() -> str:
    """Which prometheus_client this is, by the name of the folder that its installation keeps beside it.

    importlib.metadata would say the same, and take more memory than all that this plugin has of its own.
    """
    beside = Path(prometheus_client.__file__).parent.parent
    found = sorted(beside.glob("prometheus_client-*.dist-info"))
    return found[-1].stem.partition("-")[2] if found else "unknown"
