"""The one node that there is, as answers of a cluster's API name it."""

from __future__ import annotations

import os
import platform
from typing import TYPE_CHECKING, Final

from warren.plugins.management.sampler import Sampler

if TYPE_CHECKING:
    from collections.abc import Iterator

    from warren.gateway.plugin import Context

PRODUCT: Final = "Warren"

PROTOCOLS: Final = {"amqp": "amqp", "stomp": "stomp", "mqtt": "mqtt", "ws": "http/web", "http": "http", "auto": "auto"}
"""RabbitMQ's names of what listeners speak; with `/ssl` behind them over TLS."""


class Node:
    """Facts that don't change while the broker runs, and where it listens.

    sampler: of what somebody looks at.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self.name = context.facts.node_name
        self.rabbitmq_version = context.options.text("product_version")
        self.python_version = platform.python_version()
        self.pid = os.getpid()
        self.processors = os.cpu_count() or 1
        self.sampler = Sampler(context.broker)

    @property
    def warren_version(self) -> str:
        """Warren's own."""
        return self._context.facts.version

    @property
    def uptime_ms(self) -> int:
        """Since the broker has started."""
        return self._context.broker.now_ms - self._context.facts.started_at_ms

    def listeners(self) -> Iterator[tuple[str, str, int, bool]]:
        """(protocol, address, port, whether over TLS) of each."""
        for listener, addresses in self._context.facts.listening.items():
            tls = listener not in PROTOCOLS and listener.endswith("s")
            protocol = listener.removesuffix("s") if tls else listener
            shown = PROTOCOLS.get(protocol, protocol) + ("/ssl" if tls else "")
            for host, port in addresses:
                yield shown, host, port, tls
