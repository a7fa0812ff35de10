"""MQTT as an adapter: what the registry loads, light enough for every start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.adapters.first_bytes import answer_to_typing, hint_for
from warren.adapters.interface import Adapter, Beginning, Endpoint
from warren.adapters.mqtt.sessions.settings import QueueLimits, SessionSettings
from warren.adapters.mqtt.settings import MqttSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from warren.adapters.interface import Accept, Options
    from warren.core.administration.listing.kind import Kind
    from warren.core.broker import Broker
    from warren.core.clients.outbox import Outbox
    from warren.core.clients.transport import Session, Transport
    from warren.core.component import Component

NAME: Final = "mqtt"

_CONNECT: Final = 0x10
"""The first byte of CONNECT: packet type 1 in the upper half, and no flags in the lower one (MQTT 5, 3.1.1)."""


def configure(options: Options) -> Accept:
    """What makes connections; see adapters.interface.Configure."""
    settings = options.section(
        MqttSettings, hint=hint_for(NAME, options.installed), answer_to_typing=answer_to_typing(NAME, options.installed)
    )

    def accept(broker: Broker, transport: Transport) -> tuple[Session, Outbox]:
        from warren.adapters.mqtt.connection import MqttConnection

        session = MqttConnection(broker, transport, settings)
        return session, session.outbox

    return accept


def begins(data: bytes) -> Beginning:
    """A CONNECT; see adapters.interface.Adapter."""
    return Beginning.MINE if data[0] == _CONNECT else Beginning.OTHER


def over_websocket(options: Options) -> Endpoint:
    """MQTT insists on a subprotocol (MQTT-6.0.0-3)."""
    return Endpoint(
        ("mqtt", "mqttv3.1"),
        paths=("/mqtt",),
        needs_subprotocol="MQTT over WebSocket needs one: mqtt, or mqttv3.1 for MQTT 3.1.",
        message_bytes_max=options.section(MqttSettings).packet_bytes_max,
    )


def component(broker: Broker, options: Options) -> Component:
    """The MQTT side of a broker as it is configured: sessions go on receiving without a listener."""
    from warren.adapters.mqtt.sessions.names import TopicNames
    from warren.adapters.mqtt.sessions.world import MqttWorld

    settings = options.section(SessionSettings)
    return MqttWorld(
        broker,
        options.section(QueueLimits),
        product=f"Warren {options.text('warren_version')}",
        names=TopicNames(settings.exchange, sparkplug=settings.sparkplug),
        shared_strategy=settings.shared_strategy,
    )


def listings() -> Sequence[Kind]:
    """list_mqtt_connections; see adapters.interface.Adapter."""
    from warren.adapters.mqtt.listing import MQTT_CONNECTIONS
    from warren.adapters.mqtt.sessions.listing import MQTT_SESSIONS

    return (MQTT_CONNECTIONS, MQTT_SESSIONS)


ADAPTER: Final = Adapter(
    configure,
    settings=(MqttSettings, SessionSettings, QueueLimits),
    first_bytes=begins,
    over_websocket=over_websocket,
    component=component,
    listings=listings,
    listing_names=("mqtt_connections", "mqtt_sessions"),
    speaks=("warren.adapters.mqtt.connection",),
)
