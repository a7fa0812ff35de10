"""MQTT URIs: `mqtts://user:password@host:port?parameter=value&...`; there is nothing that a path could say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from warren.adapters.peers.uri import Parameters, PeerUri, count, read_parameters, split_uri
from warren.core.errors import PreconditionFailed
from warren.core.frozen import frozen

PORTS: Final[Mapping[str, int]] = {"mqtt": 1883, "mqtts": 8883}
"""The schemes, and the port where none is given (registered with IANA)."""

KEEP_ALIVE_DEFAULT_S: Final = 10
"""Short, since a link is watched by nobody else: a peer that vanished without a word is noticed within 20 s."""


@frozen
class MqttUri(PeerUri):
    """An MQTT broker.  keep_alive_s: how long the connection may be silent, 0 for ever."""

    keep_alive_s: int = KEEP_ALIVE_DEFAULT_S

    @property
    def shown(self) -> str:
        """The URI for statuses and logs: without user, password and parameters."""
        return self.shown_with(PORTS[self.scheme])


def parse_mqtt_uri(text: str) -> MqttUri:
    """The URI that `text` is; PreconditionFailed (406), with the part that is wrong, if it is none."""
    parts, common = split_uri(text, PORTS)
    if not common.host:
        raise PreconditionFailed("an MQTT URI has no host")
    if parts.path not in ("", "/"):
        raise PreconditionFailed("an MQTT URI has no path: topics have keys of their own")
    fields: dict[str, Any] = {
        "user": common.user,
        "password": common.password,
        **read_parameters(parts.query, common.tls, MQTT_PARAMETERS),
    }
    return MqttUri(common.scheme, common.host, common.port, **fields)


MQTT_PARAMETERS: Final[Parameters] = {"keep_alive": ("keep_alive_s", count(0xFFFF))}
