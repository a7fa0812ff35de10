"""Warren's own plugins: the name of each, and where its class is, as `module:class`.

The form is that of the entry points by which other packages offer theirs; nothing of a plugin is imported before it is
enabled.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

BUILT_IN: Final[Mapping[str, str]] = {
    "federation": "warren.plugins.federation.plugin:FederationPlugin",
    "shovel": "warren.plugins.shovel.plugin:ShovelPlugin",
    "management": "warren.plugins.management.plugin:ManagementPlugin",
    "metrics": "warren.plugins.metrics.plugin:MetricsPlugin",
    "otel": "warren.plugins.otel.plugin:OtelPlugin",
}
"""Features that could live in a package of their own; they know the plugin interface alone."""

ON_BY_DEFAULT: Final[Mapping[str, tuple[str, ...]]] = {
    "management": ("h11", "starlette", "msgspec"),
    "metrics": ("prometheus_client",),
}
"""Those that nobody has to enable, and what each imports of other packages.  Each serves listeners."""

LISTENERS: Final[Mapping[str, tuple[tuple[str, int, int], ...]]] = {
    "management": (("http", 15672, 15671),),
    "metrics": (("metrics", 15692, 15691),),
}
"""Listeners that a plugin serves: the protocol, and the ports, plain and for TLS, that it has while `listen` names
nothing."""
