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
}
