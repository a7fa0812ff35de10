"""URIs of AMQP 1.0 brokers: `amqps://user:password@host:port/vhost?parameter=value&...`.

A path is the virtual host of RabbitMQ or Warren, which open names as `vhost:NAME`; without one the peer's default is
meant.  `hostname` is what open says instead, as RabbitMQ's shovels write it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from warren.adapters.peers.uri import (
    Parameters,
    PeerUri,
    count,
    given,
    one_of,
    read_parameters,
    shown_vhost,
    split_uri,
    vhost_of,
)
from warren.core.errors import PreconditionFailed
from warren.core.frozen import frozen

PORTS: Final[Mapping[str, int]] = {"amqp": 5672, "amqps": 5671}
"""The schemes, and the port where none is given."""

HEARTBEAT_DEFAULT_S: Final = 10
"""Short, since a link is watched by nobody else: a peer that vanished without a word is noticed within 20 s."""

PLAIN: Final = "PLAIN"
ANONYMOUS: Final = "ANONYMOUS"
EXTERNAL: Final = "EXTERNAL"
SCRAM_SHA_256: Final = "SCRAM-SHA-256"

SASL: Final[Mapping[str, str]] = {
    "plain": PLAIN,
    "anon": ANONYMOUS,
    "anonymous": ANONYMOUS,
    "external": EXTERNAL,
    "scram-sha-256": SCRAM_SHA_256,
}


@frozen
class Amqp10Uri(PeerUri):
    """An AMQP 1.0 broker.

    vhost: None for the peer's default.  hostname: of open; None for what the virtual host, or else the host, says.
    mechanism: of SASL; None for PLAIN where a user is named, and else ANONYMOUS.  heartbeat_s: how often each side is
    to be heard, 0 for never.
    """

    vhost: str | None = None
    hostname: str | None = None
    mechanism: str | None = None
    heartbeat_s: int = HEARTBEAT_DEFAULT_S

    @property
    def shown(self) -> str:
        """The URI for statuses, logs and headers: without user, password and parameters."""
        return self.shown_with(PORTS[self.scheme], "" if self.vhost is None else shown_vhost(self.vhost))

    @property
    def opened_as(self) -> str:
        """The `hostname` that open says."""
        if self.hostname is not None:
            return self.hostname
        return self.host if self.vhost is None else f"vhost:{self.vhost}"

    @property
    def sasl(self) -> str:
        """The mechanism of SASL."""
        return self.mechanism or (ANONYMOUS if self.user is None else PLAIN)


def parse_amqp10_uri(text: str) -> Amqp10Uri:
    """The URI that `text` is; PreconditionFailed (406), with the part that is wrong, if it is none."""
    parts, common = split_uri(text, PORTS)
    if not common.host:
        raise PreconditionFailed("a URI of AMQP 1.0 has no host")
    fields: dict[str, Any] = {
        "user": common.user,
        "password": common.password,
        "vhost": None if parts.path in ("", "/") else vhost_of(parts),
        **read_parameters(parts.query, common.tls, AMQP10_PARAMETERS, IGNORED_PARAMETERS),
    }
    idle_ms = fields.pop("idle_ms", None)
    if idle_ms is not None:
        fields.setdefault("heartbeat_s", -(-idle_ms // 1000))
    return Amqp10Uri(common.scheme, common.host, common.port, **fields)


def _milliseconds(value: str) -> int:
    return count(0xFFFF_FFFF)(value)


_sasl: Callable[[str], Any] = one_of(SASL)

AMQP10_PARAMETERS: Final[Parameters] = {
    "heartbeat": ("heartbeat_s", count(0xFFFF)),
    "idle_time_out": ("idle_ms", _milliseconds),
    "sasl": ("mechanism", _sasl),
    "hostname": ("hostname", given),
}

IGNORED_PARAMETERS: Final = frozenset(
    {"auth_mechanism", "channel_max", "container_id", "depth", "fail_if_no_peer_cert", "max_frame_size"}
)
"""Known to RabbitMQ and without a meaning here: AMQP 0-9-1's, a server's matter, or the shovel's own to say."""
