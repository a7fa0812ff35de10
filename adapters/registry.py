"""The protocols that this installation can speak: Warren's own, and those of other packages.

An adapter is known by the name that listeners give it and by where its `configure` is, as `module:function`.  Nothing
is imported before a listener asks for it.  Warren's own protocols are written here
in the same form that other packages use in their entry points, and are loaded in the same way.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

OWN: Final[Mapping[str, str]] = {
    "amqp": "warren.adapters.amqp091.adapter:configure",
    "stomp": "warren.adapters.stomp.adapter:configure",
    "mqtt": "warren.adapters.mqtt.adapter:configure",
    "ws": "warren.adapters.websocket.adapter:configure",
}
"""Warren's own protocols, the default one first."""

COMPONENTS: Final[Mapping[str, str]] = {
    "mqtt": "warren.adapters.mqtt.sessions.world:component",
}
"""What protocols keep with the broker, listener or not, by name: each a function of the broker and the options."""
