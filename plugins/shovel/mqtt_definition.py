"""The ends of a shovel that speak MQTT, read from its definition (docs/shovel.md, "MQTT")."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from warren.adapters.mqtt.client.uri import MqttUri, parse_mqtt_uri
from warren.adapters.mqtt.codec import versions
from warren.core.errors import PreconditionFailed
from warren.core.frozen import frozen
from warren.plugins.bridging import values
from warren.plugins.bridging.values import Readers
from warren.plugins.shovel import values as own_values
from warren.plugins.shovel.mqtt_notification import Notification, notification_keys, read_notification

SESSION_EXPIRY_DEFAULT_S: Final = 7 * 24 * 3600
"""How long an MQTT broker is asked to keep what a shovel's link was down for: a week."""

AS_PUBLISHED: Final = "as-published"

TOPIC: Final = "{topic}"
"""What stands in a template for a message's own topic."""


@frozen
class MqttClientDefinition:
    """Who the shovel is to an MQTT broker.

    client_id: None for one made of the shovel's name.  session_expiry_s: how long the broker keeps the session.
    notification: None for who tells nobody whether it runs.
    """

    level: int
    client_id: str | None
    clean_start: bool
    session_expiry_s: int
    notification: Notification | None = None


@frozen
class Renaming:
    """How a topic is called at the other side.

    template: with `{topic}` in it for the one that a message has.  removed: what that loses at its beginning.
    """

    template: str = TOPIC
    removed: str = ""

    def of(self, topic: str) -> str:
        """A topic as it is called from here on; one that is nothing but the removed prefix stays."""
        if self.removed and topic.startswith(self.removed) and topic != self.removed:
            topic = topic[len(self.removed) :]
        return self.template.replace(TOPIC, topic)


@frozen
class MqttSourceDefinition:
    """Where messages come from over MQTT: topic filters, with a QoS at most.

    renaming: what topics are called here.  no_local: what this client has published there isn't sent to it.
    """

    uris: tuple[MqttUri, ...]
    client: MqttClientDefinition
    topics: tuple[str, ...]
    qos: int
    renaming: Renaming = Renaming()
    no_local: bool = False


@frozen
class MqttDestinationDefinition:
    """Where messages go over MQTT.

    renaming: what topics are called there.  retain: None for as it was published.
    """

    uris: tuple[MqttUri, ...]
    client: MqttClientDefinition
    renaming: Renaming
    qos: int
    retain: bool | None


SHARE_PREFIX: Final = "$share/"

_MQTT_VERSIONS: Final = {"5": versions.V5, "3.1.1": versions.V3_1_1}

MQTT_SOURCE: Final[Readers] = {
    "src-uri": values.uris(parse_mqtt_uri),
    "src-topics": own_values.topic_filters,
    "src-qos": values.count(0, 2),
    "src-client-id": values.name,
    "src-clean-start": values.truth,
    "src-session-expiry": values.count(0, 0xFFFF_FFFF),
    "src-mqtt-version": own_values.named(_MQTT_VERSIONS),
    "src-topic": own_values.topic,
    "src-remove-prefix": own_values.topic,
    **notification_keys("src"),
}

MQTT_DESTINATION: Final[Readers] = {
    "dest-uri": values.uris(parse_mqtt_uri),
    "dest-topic": own_values.topic,
    "dest-qos": values.count(0, 2),
    "dest-retain": own_values.named({True: True, False: False, AS_PUBLISHED: AS_PUBLISHED}),
    "dest-client-id": values.name,
    "dest-clean-start": values.truth,
    "dest-session-expiry": values.count(0, 0xFFFF_FFFF),
    "dest-mqtt-version": own_values.named(_MQTT_VERSIONS),
    "dest-remove-prefix": own_values.topic,
    **notification_keys("dest"),
}


def mqtt_source(given: Mapping[str, Any]) -> MqttSourceDefinition:
    for key in ("src-uri", "src-topics"):
        if key not in given:
            raise PreconditionFailed(f"the key '{key}' is missing")
    topics: tuple[str, ...] = given["src-topics"]
    no_local = given.get("no-local", False)
    if no_local and any(each.startswith(SHARE_PREFIX) for each in topics):
        raise PreconditionFailed("'no-local' can't be with '$share' in 'src-topics': MQTT has no such subscription")
    return MqttSourceDefinition(
        given["src-uri"],
        _mqtt_client(given, "src", clean_start=False),
        topics,
        given.get("src-qos", 1),
        Renaming(given.get("src-topic", TOPIC), given.get("src-remove-prefix", "")),
        no_local,
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
        Renaming(given.get("dest-topic", TOPIC), given.get("dest-remove-prefix", "")),
        given.get("dest-qos", 1),
        None if retain == AS_PUBLISHED else retain,
    )


def _mqtt_client(given: Mapping[str, Any], end: str, *, clean_start: bool) -> MqttClientDefinition:
    return MqttClientDefinition(
        given.get(f"{end}-mqtt-version", versions.V5),
        given.get(f"{end}-client-id"),
        given.get(f"{end}-clean-start", clean_start),
        given.get(f"{end}-session-expiry", SESSION_EXPIRY_DEFAULT_S),
        read_notification(given, end),
    )
