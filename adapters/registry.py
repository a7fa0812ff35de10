"""The protocols that this installation can speak: Warren's own, and those of other packages.

An adapter is known by the name that listeners give it and by where its Adapter is, as `module:name`.  Warren's own
protocols are written here in the same form that other packages use in their entry points, and are loaded in the same
way: a start imports their declarations, and what speaks a protocol when a listener names it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

OWN: Final[Mapping[str, str]] = {
    "amqp": "warren.adapters.amqp091.adapter:ADAPTER",
    "amqp10": "warren.adapters.amqp10.adapter:ADAPTER",
    "stomp": "warren.adapters.stomp.adapter:ADAPTER",
    "mqtt": "warren.adapters.mqtt.adapter:ADAPTER",
    "stream": "warren.adapters.stream.adapter:ADAPTER",
    "ws": "warren.adapters.websocket.adapter:ADAPTER",
    "http": "warren.adapters.streams.adapter:HTTP",
    "metrics": "warren.adapters.streams.adapter:METRICS",
}
"""Warren's own protocols, the default one first."""

STREAM_FORM: Final = "warren.adapters.amqp10.records:RecordForm"
"""How messages are written into streams (core.streams.form), whatever protocols are spoken; loaded with the first."""
