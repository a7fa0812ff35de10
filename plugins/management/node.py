"""The node that answers, as answers of a cluster's API name it."""

from __future__ import annotations

import os
import platform
from typing import TYPE_CHECKING, Final

from warren.gateway.plugin import Listening, listeners
from warren.plugins.management.oauth_settings import login_of
from warren.plugins.management.sampler import Sampler

if TYPE_CHECKING:
    from warren.gateway.plugin import Context

PRODUCT: Final = "Warren"


class Node:
    """Facts that don't change while the broker runs, and where it listens.

    alone: the name of a node that is in no cluster, so that all is on it; empty in one.
    sampler: of what somebody looks at.  login: how people log in to the page.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        cluster = context.broker.cluster
        self.name = context.facts.node_name if cluster is None else cluster.name
        self.alone = self.name if cluster is None else ""
        self.rabbitmq_version = context.options.text("product_version")
        self.python_version = platform.python_version()
        self.pid = os.getpid()
        self.processors = os.cpu_count() or 1
        self.sampler = Sampler(context.broker)
        self.login = login_of(context)

    @property
    def warren_version(self) -> str:
        """Warren's own."""
        return self._context.facts.version

    @property
    def uptime_ms(self) -> int:
        """Since the broker has started."""
        return self._context.broker.now_ms - self._context.facts.started_at_ms

    def listeners(self) -> list[Listening]:
        """Each address."""
        return list(listeners(self._context.facts.listening))
