"""Sessions that a shovel leaves at MQTT brokers, with subscriptions, which outlive its connections."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from warren.adapters.mqtt.client.connection import RECEIVE_MAXIMUM_MAX
from warren.adapters.mqtt.client.memory import ClientMemory
from warren.core.frozen import frozen
from warren.gateway.plugin import connect_mqtt
from warren.plugins.shovel.mqtt_definition import MqttDestinationDefinition, MqttSourceDefinition
from warren.plugins.shovel.mqtt_ends import login_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    import trio

    from warren.adapters.mqtt.client.uri import MqttUri
    from warren.core.storage.definitions.store import JSON
    from warren.plugins.shovel.definition import ShovelDefinition
    from warren.plugins.shovel.left_behind import Key
    from warren.plugins.shovel.mqtt_definition import MqttClientDefinition


@frozen
class KeptSession:
    """A session at a broker.  Two of the same client id, host and port are one.  topics: what it is subscribed to."""

    client_id: str
    uri: MqttUri
    client: MqttClientDefinition
    topics: tuple[str, ...] = ()

    @property
    def key(self) -> Key:
        return "mqtt", self.client_id, self.uri.host, self.uri.port

    @property
    def shown(self) -> str:
        return f"the session '{self.client_id}' at {self.uri.shown}"

    def note(self, before: Mapping[str, JSON]) -> Mapping[str, JSON]:
        return noted({*noted_topics(before), *self.topics})

    async def end(self, peers: trio.Nursery) -> None:
        """Connect with a clean start, which ends it (MQTT 5 3.1.2.4), and go."""
        client = replace(self.client, clean_start=True, session_expiry_s=0, notification=None)
        login = login_of(client, self.uri, self.client_id, RECEIVE_MAXIMUM_MAX)
        peer = await connect_mqtt(peers, self.uri, login, ClientMemory())
        await peer.aclose()


def kept_sessions(definition: ShovelDefinition, own_id: Callable[[str], str]) -> Iterator[KeptSession]:
    """Those that a shovel may have left.  own_id: the client id of an end that names none."""
    for end, found in (("source", definition.source), ("destination", definition.destination)):
        if isinstance(found, MqttSourceDefinition | MqttDestinationDefinition):
            for uri in found.uris:
                topics = found.topics if isinstance(found, MqttSourceDefinition) else ()
                yield KeptSession(found.client.client_id or own_id(end), uri, found.client, topics)


def session_from(key: Key, more: Mapping[str, JSON], definitions: Sequence[ShovelDefinition]) -> KeptSession | None:
    """The session that was noted; None if none of these shovels knows how to log in there."""
    client_id, host, port = str(key[1]), key[2], key[3]
    for definition in definitions:
        for session in kept_sessions(definition, str):
            if (session.uri.host, session.uri.port) == (host, port):
                client = replace(session.client, client_id=client_id)
                return replace(session, client_id=client_id, client=client, topics=tuple(noted_topics(more)))
    return None


def noted(topics: Iterable[str]) -> Mapping[str, JSON]:
    """What is noted of a session."""
    return {"topics": sorted(topics)}


def noted_topics(more: Mapping[str, JSON]) -> list[str]:
    """The topics that a note has."""
    found = more.get("topics", [])
    return [each for each in found if isinstance(each, str)] if isinstance(found, list) else []
