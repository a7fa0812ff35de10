"""The plugin: listeners `metrics` are served from its start on, with what the first connection has imported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.gateway.plugin import Context, ServingPlugin, keys_of, need_packages, refused_connection
from warren.plugins.metrics.settings import MetricsSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from warren.plugins.metrics.serving import MetricsServer

PACKAGES: Final = ("prometheus_client",)
"""What is imported with the first connection."""

need_packages(*PACKAGES)

BUSY_TEXT: Final = b"There are too many connections (metrics_connections_max); try again later.\n"


class MetricsPlugin(ServingPlugin):
    """See the head of this file."""

    name = "metrics"
    about = "metrics for Prometheus, under RabbitMQ's names"
    keys = tuple(keys_of(MetricsSettings))
    listener = "metrics"
    limit = "metrics_connections_max"
    busy = refused_connection("text/plain; charset=utf-8", BUSY_TEXT)

    def connections_max(self, context: Context) -> int:
        return context.options.section(MetricsSettings).connections_max

    def load(self) -> Callable[[Context], MetricsServer]:
        from warren.plugins.metrics.serving import MetricsServer

        return lambda context: MetricsServer(context, context.options.section(MetricsSettings))
