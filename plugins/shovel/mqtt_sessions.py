"""Sessions that a shovel leaves at MQTT brokers, with subscriptions, which outlive its connections."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from warren.adapters.mqtt.client.connection import RECEIVE_MAXIMUM_MAX
from warren.adapters.mqtt.client.memory import ClientMemory
from warren.gateway.plugin import connect_mqtt
from warren.plugins.shovel.mqtt_definition import MqttDestinationDefinition, MqttSourceDefinition
from warren.plugins.shovel.mqtt_ends import login_of

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator

    import trio

    from warren.adapters.mqtt.client.uri import MqttUri
    from warren.plugins.shovel.definition import ShovelDefinition
    from warren.plugins.shovel.mqtt_definition import MqttClientDefinition


@dataclass(frozen=True, slots=True)
class KeptSession:
    """A session at a broker.  Two of the same client id, host and port are one."""

    client_id: str
    uri: MqttUri
    client: MqttClientDefinition

    @property
    def key(self) -> Hashable:
        return "mqtt", self.client_id, self.uri.host, self.uri.port

    @property
    def shown(self) -> str:
        return f"the session '{self.client_id}' at {self.uri.shown}"

    async def end(self, peers: trio.Nursery) -> None:
        """Connect with a clean start, which ends it (MQTT 5 3.1.2.4), and go."""
        client = replace(self.client, clean_start=True, session_expiry_s=0)
        login = login_of(client, self.uri, self.client_id, RECEIVE_MAXIMUM_MAX)
        peer = await connect_mqtt(peers, self.uri, login, ClientMemory())
        await peer.aclose()


def kept_sessions(definition: ShovelDefinition, own_id: Callable[[str], str]) -> Iterator[KeptSession]:
    """Those that a shovel may have left.  own_id: the client id of an end that names none."""
    for end, found in (("source", definition.source), ("destination", definition.destination)):
        if isinstance(found, MqttSourceDefinition | MqttDestinationDefinition):
            for uri in found.uris:
                yield KeptSession(found.client.client_id or own_id(end), uri, found.client)
