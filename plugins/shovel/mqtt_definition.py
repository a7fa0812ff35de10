"""The ends of a shovel that speak MQTT, read from its definition (docs/shovel.md, "MQTT")."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from warren.adapters.mqtt.client.uri import MqttUri, parse_mqtt_uri
from warren.adapters.mqtt.codec import versions
from warren.core.errors import PreconditionFailed
from warren.plugins.bridging import values
from warren.plugins.bridging.values import Readers
from warren.plugins.shovel import values as own_values

SESSION_EXPIRY_DEFAULT_S: Final = 7 * 24 * 3600
"""How long an MQTT broker is asked to keep what a shovel's link was down for: a week."""

AS_PUBLISHED: Final = "as-published"


@dataclass(frozen=True, slots=True)
class MqttClientDefinition:
    """Who the shovel is to an MQTT broker.

    client_id: None for one made of the shovel's name.  session_expiry_s: how long the broker keeps the session.
    """

    level: int
    client_id: str | None
    clean_start: bool
    session_expiry_s: int


@dataclass(frozen=True, slots=True)
class MqttSourceDefinition:
    """Where messages come from over MQTT: topic filters, with a QoS at most."""

    uris: tuple[MqttUri, ...]
    client: MqttClientDefinition
    topics: tuple[str, ...]
    qos: int


@dataclass(frozen=True, slots=True)
class MqttDestinationDefinition:
    """Where messages go over MQTT.

    topic: with `{topic}` in it for the one that a message has.  retain: None for as it was published.
    """

    uris: tuple[MqttUri, ...]
    client: MqttClientDefinition
    topic: str
    qos: int
    retain: bool | None


_MQTT_VERSIONS: Final = {"5": versions.V5, "3.1.1": versions.V3_1_1}

MQTT_SOURCE: Final[Readers] = {
    "src-uri": values.uris(parse_mqtt_uri),
    "src-topics": own_values.topic_filters,
    "src-qos": values.count(0, 2),
    "src-client-id": values.name,
    "src-clean-start": values.truth,
    "src-session-expiry": values.count(0, 0xFFFF_FFFF),
    "src-mqtt-version": own_values.named(_MQTT_VERSIONS),
}

MQTT_DESTINATION: Final[Readers] = {
    "dest-uri": values.uris(parse_mqtt_uri),
    "dest-topic": own_values.topic_template,
    "dest-qos": values.count(0, 2),
    "dest-retain": own_values.named({True: True, False: False, AS_PUBLISHED: AS_PUBLISHED}),
    "dest-client-id": values.name,
    "dest-clean-start": values.truth,
    "dest-session-expiry": values.count(0, 0xFFFF_FFFF),
    "dest-mqtt-version": own_values.named(_MQTT_VERSIONS),
}


def mqtt_source(given: Mapping[str, Any]) -> MqttSourceDefinition:
    for key in ("src-uri", "src-topics"):
        if key not in given:
            raise PreconditionFailed(f"the key '{key}' is missing")
    return MqttSourceDefinition(
        given["src-uri"], _mqtt_client(given, "src", clean_start=False), given["src-topics"], given.get("src-qos", 1)
    )


def mqtt_destination(given: Mapping[str, Any]) -> MqttDestinationDefinition:
    if "dest-uri" not in given:
        raise PreconditionFailed("the key 'dest-uri' is missing")
    if given.get("dest-qos") == 2 and not given.get("dest-clean-start", True):
        raise PreconditionFailed(
            "'dest-qos' 2 needs 'dest-clean-start' true: new messages would be taken for those that a session knows"
        )
    retain = given.get("dest-retain", AS_PUBLISHED)
    return MqttDestinationDefinition(
        given["dest-uri"],
        _mqtt_client(given, "dest", clean_start=True),
        given.get("dest-topic", "{topic}"),
        given.get("dest-qos", 1),
        None if retain == AS_PUBLISHED else retain,
    )


def _mqtt_client(given: Mapping[str, Any], end: str, *, clean_start: bool) -> MqttClientDefinition:
    return MqttClientDefinition(
        given.get(f"{end}-mqtt-version", versions.V5),
        given.get(f"{end}-client-id"),
        given.get(f"{end}-clean-start", clean_start),
        given.get(f"{end}-session-expiry", SESSION_EXPIRY_DEFAULT_S),
    )
