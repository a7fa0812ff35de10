"""Warren's own plugins: the name of each, and where its class is, as `module:class`.

The form is that of the entry points by which other packages offer theirs; nothing is imported before the configuration
enables it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

BUILT_IN: Final[Mapping[str, str]] = {
    "federation": "warren.plugins.federation.plugin:FederationPlugin",
    "shovel": "warren.plugins.shovel.plugin:ShovelPlugin",
    "management": "warren.plugins.management.plugin:ManagementPlugin",
    "metrics": "warren.plugins.metrics.plugin:MetricsPlugin",
}
"""Features that could live in a package of their own; they know the plugin interface alone."""

LISTENERS: Final[Mapping[str, tuple[tuple[str, int, int], ...]]] = {
    "management": (("http", 15672, 15671),),
    "metrics": (("metrics", 15692, 15691),),
}
"""Listeners that a plugin serves: the protocol, and the ports, plain and for TLS, that it has while `listen` names
nothing."""
