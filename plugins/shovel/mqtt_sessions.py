"""What a shovel leaves at MQTT brokers: sessions, with subscriptions, which outlive its connections.

A shovel that is deleted, or declared anew as somebody else, ends the sessions that nobody will come back to, if their
brokers can be reached; else they end after their session expiry.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import trio

from warren.adapters.mqtt.client.connection import RECEIVE_MAXIMUM_MAX
from warren.adapters.mqtt.client.memory import ClientMemory
from warren.adapters.peers.errors import PeerError
from warren.gateway.plugin import connect_mqtt
from warren.plugins.shovel.mqtt_definition import MqttDestinationDefinition, MqttSourceDefinition
from warren.plugins.shovel.mqtt_ends import login_of

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterator

    from warren.adapters.mqtt.client.uri import MqttUri
    from warren.plugins.shovel.definition import ShovelDefinition
    from warren.plugins.shovel.mqtt_definition import MqttClientDefinition

END_S: Final = 10.0
"""How long a broker may take to end a session; whoever is declared next waits for it."""


@dataclass(frozen=True, slots=True)
class KeptSession:
    """A session at a broker.  Two of the same client id, host and port are one."""

    client_id: str
    uri: MqttUri
    client: MqttClientDefinition

    @property
    def key(self) -> tuple[str, str, int]:
        return self.client_id, self.uri.host, self.uri.port


def kept_sessions(definition: ShovelDefinition, own_id: Callable[[str], str]) -> Iterator[KeptSession]:
    """Those that a shovel may have left.  own_id: the client id of an end that names none."""
    for end, found in (("source", definition.source), ("destination", definition.destination)):
        if isinstance(found, MqttSourceDefinition | MqttDestinationDefinition):
            for uri in found.uris:
                yield KeptSession(found.client.client_id or own_id(end), uri, found.client)


async def end_session(session: KeptSession, log: logging.Logger) -> None:
    """Connect with a clean start, which ends it (MQTT 5 3.1.2.4), and go; an unreachable broker keeps it for now."""
    client = replace(session.client, clean_start=True, session_expiry_s=0)
    login = login_of(client, session.uri, session.client_id, RECEIVE_MAXIMUM_MAX)
    reason = f"nothing within {END_S:g} s"
    with trio.move_on_after(END_S):
        try:
            async with trio.open_nursery() as peers:
                peer = await connect_mqtt(peers, session.uri, login, ClientMemory())
                await peer.aclose()
            return
        except* PeerError as errors:
            reason = "; ".join(str(each) for each in errors.exceptions)
    log.info("the session '%s' at %s can't be ended: %s", session.client_id, session.uri.shown, reason)
