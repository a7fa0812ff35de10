"""What an operator decides about metrics."""

from __future__ import annotations

from typing import Final

from warren.core.frozen import frozen
from warren.gateway.plugin import Key, boolean, configured, number, whole_number

CONNECTIONS_MAX: Final = 20
"""A Prometheus has one, a pair of them two; each may have an answer of megabytes under way."""

REQUEST_TIMEOUT_S: Final = 30.0
"""For a request to come as a whole, and for the next one to begin: twice the usual interval between them."""


@frozen
class MetricsSettings:
    """Limits of connections, and what `/metrics` shows."""

    connections_max: int = configured(
        Key(
            "metrics_connections_max",
            whole_number(1, 10_000, "connections"),
            CONNECTIONS_MAX,
            "Connections to the metrics' listener that are served at a time; a further one is answered with 503.",
        )
    )
    request_timeout_s: float = configured(
        Key(
            "metrics_request_timeout_s",
            number(0.1, 3600, "seconds"),
            REQUEST_TIMEOUT_S,
            "Seconds that a request may take to come as a whole, and that a connection may be idle; then it is closed.",
        )
    )
    per_object: bool = configured(
        Key(
            "metrics_return_per_object_metrics",
            boolean,
            False,
            "Whether `/metrics` has a series for each queue, channel and connection, as `/metrics/per-object` has.",
        )
    )
