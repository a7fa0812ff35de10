"""STOMP URIs: `stomp+ssl://user:password@host:port/vhost?parameter=value&...`; `stomps` is the same as `stomp+ssl`.

The virtual host is what CONNECT says in the header `host`, `/` without a path.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from warren.adapters.peers.uri import Parameters, PeerUri, count, read_parameters, shown_vhost, split_uri, vhost_of
from warren.core.errors import PreconditionFailed
from warren.core.frozen import frozen

PORTS: Final[Mapping[str, int]] = {"stomp": 61613, "stomp+ssl": 61614, "stomps": 61614}
"""The schemes, and the port where none is given: those of RabbitMQ and ActiveMQ."""

HEARTBEAT_DEFAULT_S: Final = 10
"""Short, since a link is watched by nobody else: a peer that vanished without a word is noticed within 20 s."""


@frozen
class StompUri(PeerUri):
    """A STOMP broker.  heartbeat_s: how often each side is to be heard, 0 for never."""

    vhost: str = "/"
    heartbeat_s: int = HEARTBEAT_DEFAULT_S

    @property
    def shown(self) -> str:
        """The URI for statuses, logs and headers: without user, password and parameters."""
        return self.shown_with(PORTS[self.scheme], shown_vhost(self.vhost))


def parse_stomp_uri(text: str) -> StompUri:
    """The URI that `text` is; PreconditionFailed (406), with the part that is wrong, if it is none."""
    parts, common = split_uri(text, PORTS)
    if not common.host:
        raise PreconditionFailed("a STOMP URI has no host")
    fields: dict[str, Any] = {
        "user": common.user,
        "password": common.password,
        "vhost": vhost_of(parts),
        **read_parameters(parts.query, common.tls, STOMP_PARAMETERS),
    }
    return StompUri(common.scheme, common.host, common.port, **fields)


STOMP_PARAMETERS: Final[Parameters] = {"heartbeat": ("heartbeat_s", count(0xFFFF))}
