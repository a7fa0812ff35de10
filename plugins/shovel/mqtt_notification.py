"""A shovel's word at an MQTT broker about whether it runs: published when it does, and as its will when it doesn't.

Mosquitto's bridges do so (`notifications`): a topic, mostly retained, that says 1 while the bridge is up and 0 else.
The broker itself publishes the will, so it also comes when the shovel's process, machine or link has gone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from warren.adapters.mqtt.codec.packets import Publish, Will
from warren.core.errors import PreconditionFailed
from warren.core.frozen import frozen
from warren.plugins.bridging import values
from warren.plugins.bridging.values import Readers
from warren.plugins.shovel import values as own_values

UP: Final = "1"
DOWN: Final = "0"
"""Mosquitto's words."""


@frozen
class Notification:
    """topic: where it is said.  up, down: the payloads."""

    topic: str
    up: str
    down: str
    qos: int
    retain: bool

    @property
    def running(self) -> Publish:
        """To be published when messages go."""
        return Publish(self.topic, self.up.encode(), self.qos, retain=self.retain)

    @property
    def will(self) -> Will:
        """To be published when they don't any more."""
        return Will(self.topic, self.down.encode(), self.qos, self.retain)


def notification_keys(end: str) -> Readers:
    """The keys of an end, `src` or `dest`."""
    return {
        f"{end}-notification-topic": own_values.topic,
        f"{end}-notification-up": own_values.payload,
        f"{end}-notification-down": own_values.payload,
        f"{end}-notification-qos": values.count(0, 2),
        f"{end}-notification-retain": values.truth,
    }


def read_notification(given: Mapping[str, Any], end: str) -> Notification | None:
    """What an end is to tell; None for nothing.  PreconditionFailed (406) for a word without a topic."""
    topic = given.get(f"{end}-notification-topic")
    if topic is None:
        for key in notification_keys(end):
            if key in given:
                raise PreconditionFailed(f"the key '{key}' needs '{end}-notification-topic'")
        return None
    return Notification(
        topic,
        given.get(f"{end}-notification-up", UP),
        given.get(f"{end}-notification-down", DOWN),
        given.get(f"{end}-notification-qos", 1),
        given.get(f"{end}-notification-retain", True),
    )
