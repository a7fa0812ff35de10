"""AMQP URIs, as RabbitMQ writes them: `amqps://user:password@host:port/vhost?parameter=value&...` (spec E.1).

Without a host, `amqp://` and `amqp:///vhost`, it is the broker itself that is meant.  Without a path the virtual host
is `/`; an empty path, `amqp://host/`, is the virtual host with the empty name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from warren.adapters.peers.uri import (
    Parameters,
    PeerUri,
    count,
    one_of,
    read_parameters,
    shown_vhost,
    split_uri,
    vhost_of,
)
from warren.core.errors import PreconditionFailed
from warren.core.frozen import frozen

PORTS: Final[Mapping[str, int]] = {"amqp": 5672, "amqps": 5671}
"""The schemes, and the port where none is given (registered with IANA)."""

HEARTBEAT_DEFAULT_S: Final = 10
"""Short, since a link is watched by nobody else: a peer that vanished without a word is noticed within 20 s."""

DEFAULT_USER: Final = "guest"
"""Who logs in, with the same password, where a URI names nobody."""


@frozen
class AmqpUri(PeerUri):
    """An AMQP broker.

    host: "" for this very broker.  mechanism: PLAIN, AMQPLAIN or EXTERNAL.  heartbeat_s: what is asked for, 0 for none.
    channel_max: 0 for the peer's.
    """

    vhost: str = "/"
    mechanism: str = "PLAIN"
    heartbeat_s: int = HEARTBEAT_DEFAULT_S
    channel_max: int = 0

    @property
    def shown(self) -> str:
        """The URI for statuses, logs and headers: without user, password and parameters."""
        return self.shown_with(PORTS[self.scheme], shown_vhost(self.vhost))


def parse_uri(text: str) -> AmqpUri:
    """The URI that `text` is; PreconditionFailed (406), with the part that is wrong, if it is none."""
    parts, common = split_uri(text, PORTS)
    if common.tls is not None and not common.host:
        raise PreconditionFailed("an amqps:// URI has no host: within the broker there is no TLS")
    fields: dict[str, Any] = {
        "user": common.user,
        "password": common.password,
        "vhost": vhost_of(parts),
        **read_parameters(parts.query, common.tls, AMQP_PARAMETERS, IGNORED_PARAMETERS),
    }
    return AmqpUri(common.scheme, common.host, common.port, **fields)


AMQP_PARAMETERS: Final[Parameters] = {
    "heartbeat": ("heartbeat_s", count(0xFFFF)),
    "channel_max": ("channel_max", count(0xFFFF)),
    "auth_mechanism": ("mechanism", one_of({"plain": "PLAIN", "amqplain": "AMQPLAIN", "external": "EXTERNAL"})),
}

IGNORED_PARAMETERS: Final = frozenset({"depth", "fail_if_no_peer_cert", "hostname", "idle_time_out", "sasl"})
"""Known to RabbitMQ and without a meaning here: a server's matter, AMQP 1.0's, or not to be had of Python's TLS."""
