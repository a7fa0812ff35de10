"""Where the MQTT side of a broker is found: it is the component `mqtt` of each broker that speaks MQTT."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from warren.adapters.mqtt.sessions.world import MqttWorld
    from warren.core.broker import Broker

COMPONENT: Final = "mqtt"


def world_of(broker: Broker) -> MqttWorld:
    """The MQTT side of a broker; KeyError says that it was made without one.  To be kept by whoever asks often."""
    return cast("MqttWorld", broker.components[COMPONENT])
